"""The bytes of a price file, unpacked as they are read and never more than they may be."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from backtesting.price_files.errors import UnreadableFileError

GZIP, ZIP = b"\x1f\x8b", b"PK"
MOST_BYTES = 64 << 30
# Deflate reaches 1032 : 1 on repetition; real prices stay below 20 : 1.
MOST_RATIO = 100
FREE_BYTES = 64 << 20
MOST_MEMBERS = 100_000
ENCRYPTED = 0x1
SUFFIXES = {".csv", ".tsv", ".txt", ".psv", ".prn", ".asc", ".gz", ".zip", ".parquet", ".pq"}
SUFFIXES |= {".feather", ".arrow", ".ipc", ".arrows"}


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most this many of the next bytes, none at the end."""


class Source:
    """One file, or one member of a zip: `name` is how messages call it, `share_read` how far in the file we are."""

    def __init__(self, path: Path, member: str | None = None) -> None:
        self.path = path
        self.member = member
        # names that are no UTF-8 can neither be stored nor sent
        name = path.name if member is None else f"{path.name}: {member}"
        self.name = name.encode(errors="backslashreplace").decode()
        self.share_read = 0.0
        self._progress: tuple[Callable[[], int], int] = (int, 1)

    @property
    def stem(self) -> str:
        """The name without folders and endings, which often tells symbol and timeframe."""
        name = PurePosixPath(self.member or self.path.name).name
        for suffix in reversed(PurePosixPath(name).suffixes):
            if suffix.lower() not in SUFFIXES:
                break
            name = name[: -len(suffix)]
        return name

    @contextmanager
    def open(self) -> Iterator["Unpacked"]:
        """Open for reading; UnreadableFileError says why that cannot be."""
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file, self._unpacked(file, size) as stream:
                yield Unpacked(stream, self.name, size, self._count)
        except OSError as error:
            raise unreadable(self.path, error) from error

    def _count(self) -> None:
        position, size = self._progress
        self.share_read = min(1.0, position() / max(size, 1))

    @contextmanager
    def _unpacked(self, file: BinaryIO, size: int) -> Iterator[Readable]:
        self._progress = file.tell, size
        magic = file.read(2)
        file.seek(0)
        if magic == ZIP:
            with zipped(file, self.path) as archive, archive.open(member := self._member(archive)) as stream:
                self._progress = stream.tell, archive.getinfo(member).file_size
                yield stream
        elif magic == GZIP:
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        else:
            yield file

    def _member(self, archive: zipfile.ZipFile) -> str:
        names = [self.member] if self.member else price_members(archive, self.path)
        if len(names) > 1:
            raise UnreadableFileError(f"{self.name}: holds {len(names)} files; give them one by one or list them first")
        if archive.getinfo(names[0]).flag_bits & ENCRYPTED:
            raise UnreadableFileError(
                f"{self.name}: is encrypted; unpack it with its password and give the file inside"
            )
        return names[0]


class Unpacked:
    """Bytes being unpacked: what breaks on the way is a sentence, and what swells beyond measure is refused."""

    def __init__(self, stream: Readable, name: str, size: int, count: Callable[[], None]) -> None:
        self._stream = stream
        self._count = count
        self._name = name
        self._most = min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * size))
        self._read = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, as many as asked for unless the end comes first."""
        try:
            piece = self._stream.read(size)
        except EOFError as error:
            raise UnreadableFileError(f"{self._name}: is cut off in the middle; download or copy it again") from error
        except (zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise UnreadableFileError(f"{self._name}: is damaged ({error}); download or copy it again") from error
        self._read += len(piece)
        self._count()
        if self._read > self._most:
            raise UnreadableFileError(
                f"{self._name}: unpacks to more than {self._most >> 20:,} MB, {MOST_RATIO} times its size or the most"
                " that is read; price files do not, so give a smaller or a plain one"
            )
        return piece


@contextmanager
def zipped(file: BinaryIO, path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip; UnreadableFileError where it is none, is a workbook, or holds too much."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                raise UnreadableFileError(f"{path.name}: is an Excel workbook; open it and save the sheet as CSV")
            if len(names) > MOST_MEMBERS:
                raise UnreadableFileError(f"{path.name}: holds {len(names):,} files; at most {MOST_MEMBERS:,} are read")
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{path.name}: is a damaged or unusual zip ({error}); pack it again") from error


def price_members(archive: zipfile.ZipFile, path: Path) -> list[str]:
    """Return the names of the price files in a zip, sorted; UnreadableFileError where there are none."""
    names = sorted(info.filename for info in archive.infolist() if not info.is_dir() and wanted(info.filename))
    if not names:
        raise UnreadableFileError(f"{path.name}: holds no price file; known endings: {', '.join(sorted(SUFFIXES))}")
    return names


def wanted(name: str) -> bool:
    """Whether a name in a folder or zip is that of a price file: a known ending, nothing hidden on the way."""
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return not hidden and PurePosixPath(name).suffix.lower() in SUFFIXES


def unreadable(path: Path, error: OSError) -> UnreadableFileError:
    """Return the error that says why the system does not give a file."""
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError(f"{path}: there is no such file or folder; check the path")
    if isinstance(error, PermissionError):
        return UnreadableFileError(f"{path}: may not be read by this program; change its permissions or copy it")
    return UnreadableFileError(f"{path}: cannot be read ({error.strerror or error})")
