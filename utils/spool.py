"""Values in files that other processes map into memory: large arrays are neither copied nor sent.

A value is pickled with its arrays beside it (PEP 574), so any value of any types may be spooled.
"""

import mmap
import pickle
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from time import time
from typing import Any, Generic, TypeVar, cast
from uuid import uuid4
from weakref import WeakValueDictionary, finalize

Value = TypeVar("Value")

OPEN_FILES = 8
SIZE_BYTES, ALIGNMENT = 8, 64
PREFIX = "backtesting-mcp-tasks-"  # the parent may be a folder of everybody's
OURS = PREFIX + "[0-9a-f]" * 32
ABANDONED_SECONDS = 2 * 86_400.0


class Spooled(Generic[Value]):
    """The handle of a value in a file; it pickles to the file's path."""

    def __init__(self, path: str, value: Value | None = None) -> None:
        self._path = path
        self._value = value  # keeps the id by which the spool knows it

    def __reduce__(self) -> tuple[Any, ...]:
        return Spooled, (self._path,)

    def get(self) -> Value:
        """Return the value, its arrays mapped and read-only; the latest ones asked for stay open."""
        return cast("Value", _opened(self._path))


class Spool:
    """A folder of such files, made at the first one; each is gone with its handle, the folder when it is closed."""

    def __init__(self, parent: Path) -> None:
        self._folder = parent / f"{PREFIX}{uuid4().hex}"
        self._known: WeakValueDictionary[int, Spooled[Any]] = WeakValueDictionary()

    def put(self, value: Value) -> Spooled[Value]:
        """Write the value, unless its handle is still about."""
        found = self._known.get(id(value))
        if found is None:
            found = self._known[id(value)] = self._written(value)
        return found

    def close(self) -> None:
        """Remove the folder; what is mapped stays readable, but on Windows there."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _written(self, value: Value) -> Spooled[Value]:
        if not self._folder.exists():
            self._folder.mkdir(mode=0o700, parents=True)
            _remove_abandoned(self._folder.parent)
        path = self._folder / uuid4().hex
        _write(path, value)
        handle = Spooled(str(path), value)
        finalize(handle, _remove, path)
        return handle


def _write(path: Path, value: object) -> None:
    arrays: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
    raw = [array.raw() for array in arrays]
    head = pickle.dumps((rest, [len(each) for each in raw]))
    with path.open("xb") as file:
        file.write(len(head).to_bytes(SIZE_BYTES, "little") + head)
        for each in raw:
            file.write(bytes(-file.tell() % ALIGNMENT))
            file.write(each)


@lru_cache(maxsize=OPEN_FILES)
def _opened(path: str) -> Any:
    """Map a file of ours; OSError when it is not there."""
    with Path(path).open("rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    start = SIZE_BYTES + int.from_bytes(mapped[:SIZE_BYTES], "little")
    rest, sizes = pickle.loads(mapped[SIZE_BYTES:start])  # noqa: S301 - our own file in a folder closed to others
    return pickle.loads(rest, buffers=_parts(mapped, start, sizes))  # noqa: S301 - the same


def _parts(mapped: memoryview, start: int, sizes: list[int]) -> Iterator[memoryview]:
    for size in sizes:
        start += -start % ALIGNMENT
        yield mapped[start : start + size]
        start += size


def _remove(path: Path) -> None:
    with suppress(OSError):  # on Windows what is mapped cannot be removed
        path.unlink(missing_ok=True)


def _remove_abandoned(parent: Path) -> None:
    """Remove what processes of ours left that were killed: nothing was written there for two days."""
    for folder in parent.glob(OURS):
        with suppress(OSError):
            if folder.stat().st_mtime < time() - ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
