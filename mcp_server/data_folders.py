"""The only files a tool may read: those of the user below the folders the settings name."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from backtesting.errors import BacktestError, did_you_mean, shown

NAMED_FILES = 12


class FileRefusedError(BacktestError):
    """A path leads to nothing that a tool may read."""

    code = "file_refused"


@dataclass(frozen=True, slots=True)
class DataFolders:
    """Folders whose files may be read, but for what lies below `closed` and in no folder of its own.

    A path is followed to its end before it is judged, links included, so none leads outside; who could put a link in
    the place of a file in between can write into the user's folders, and needs no tool to read what the user may.
    """

    folders: tuple[Path, ...]
    closed: Path

    def find(self, path: str) -> Path:
        """Return the file or folder, all links followed; FileRefusedError names the folders that are open.

        A relative path is looked up below each folder. What is outside is refused in the same words whether or not it
        is there.
        """
        if "\0" in path or ".." in Path(path).parts:
            raise self._refused(path, "holds '..' or a zero byte, which no path here may")
        for candidate in [folder / path for folder in self.folders]:
            real = _followed(candidate)
            if real is not None and self.holds(real):
                return real
        raise self._refused(path, f"is no file or folder that may be read{self._near(path)}")

    def holds(self, path: Path) -> bool:
        """Tell whether a path leads to a regular file or folder that may be read."""
        real = _followed(path)
        return real is not None and any(self._is_open(real, folder) for folder in self._real_folders())

    def _is_open(self, real: Path, folder: Path) -> bool:
        if not real.is_relative_to(folder) or any(part.startswith(".") for part in real.relative_to(folder).parts):
            return False
        closed = _followed(self.closed)
        if closed and real.is_relative_to(closed) and not (folder != closed and folder.is_relative_to(closed)):
            return False
        return _is_the_users(real, folder)

    def _real_folders(self) -> Iterable[Path]:
        return filter(None, map(_followed, self.folders))

    def _refused(self, path: str, why: str) -> FileRefusedError:
        listed = ", ".join(map(str, self.folders))
        return FileRefusedError(
            f"path: {shown(path)} {why}; put the file below one of the data folders, {listed}, or let "
            "BACKTEST_DATA_FOLDERS name its folder",
            field="path",
        )

    def _near(self, path: str) -> str:
        """Return the nearest name in the folders, and some of the others."""
        names = sorted({each.name for folder in self._real_folders() for each in _listed(folder)})
        return f"{did_you_mean(Path(path).name, names)} (there: {', '.join(names[:NAMED_FILES]) or 'nothing yet'})"


def _followed(path: Path) -> Path | None:
    """Return where a path leads, None where that is nowhere."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):  # not there, not allowed, too long, a circle of links
        return None


def _listed(folder: Path) -> list[Path]:
    try:
        return [each for each in folder.iterdir() if not each.name.startswith(".")]
    except OSError:
        return []


def _is_the_users(real: Path, folder: Path) -> bool:
    """Tell whether it is a regular file or folder of the user, of the data folder's owner, or of root."""
    try:
        found, owner = real.stat(), folder.stat().st_uid
    except OSError:
        return False
    own = {os.geteuid(), owner, 0} if hasattr(os, "geteuid") else {found.st_uid}
    return (S_ISREG(found.st_mode) or S_ISDIR(found.st_mode)) and found.st_uid in own
