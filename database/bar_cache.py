"""Whole series in files that are mapped into memory, one file a version; processes may share the folder."""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backtesting.types import Bars

OPEN_SERIES = 64
CHECKSUM_BYTES = 8
MOST_BYTES = 2_000_000_000
Column = NDArray[np.float64]


class BarCache:
    """Keeps one version of each series of a database; a file that is torn or foreign is as good as none.

    A version never changes its content, so a file is checked once a process and then only mapped. The folder may serve
    several databases; beyond `most_bytes` the files that were opened longest ago give way.
    """

    def __init__(self, folder: Path, database: str, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._prefix = sha256(database.encode()).hexdigest()[:16]
        self._most_bytes = most_bytes
        self._opened = lru_cache(maxsize=OPEN_SERIES)(self._open)

    def get(self, series: str, version: str) -> Bars | None:
        """Return the bars of this version of the series, or None where they are not cached."""
        try:
            return self._opened(series, version)
        except (OSError, ValueError):
            return None

    def put(self, series: str, version: str, bars: Bars) -> None:
        """Keep this version in the place of earlier ones; a folder that cannot be written is left alone."""
        path = self._path(series, version)
        columns = [bars.time.view(np.float64), *bars.ohlcv, *(() if bars.adj_close is None else (bars.adj_close,))]
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, columns)
            for stale in self._folder.glob(f"{self._prefix}-{series}.*.npy"):
                if stale != path:
                    stale.unlink(missing_ok=True)
            self._make_room(path)

    def _make_room(self, kept: Path) -> None:
        """Remove what was opened longest ago, what a crash left unfinished included, until the rest is small enough."""
        found = [(each, each.stat()) for each in self._folder.iterdir() if each != kept]
        room = self._most_bytes - kept.stat().st_size
        for path, status in sorted(found, key=lambda each: each[1].st_mtime_ns, reverse=True):
            room -= status.st_size
            if room < 0:
                path.unlink(missing_ok=True)

    def _path(self, series: str, version: str) -> Path:
        return self._folder / f"{self._prefix}-{series}.{version}.npy"

    def _open(self, series: str, version: str) -> Bars:
        """Map a file; ValueError when it is not whole."""
        path = self._path(series, version)
        table = np.lib.format.open_memmap(path, mode="r")
        with path.open("rb") as file:
            file.seek(-CHECKSUM_BYTES, os.SEEK_END)
            if file.tell() != table.offset + table.nbytes or file.read() != _checksum(list(table)):
                raise ValueError(f"{path} is torn")
        with suppress(OSError):
            os.utime(path)
        time, open_, high, low, close, volume, *adjusted = np.asarray(table)
        return Bars(time.view(np.int64), open_, high, low, close, volume, *adjusted)


def _write(path: Path, columns: Sequence[Column]) -> None:
    """Write the whole file under another name, then give it its own: nobody ever sees half of it."""
    unfinished = path.with_suffix(f".{secrets.token_hex(8)}.tmp")
    header = {"descr": "<f8", "fortran_order": False, "shape": (len(columns), len(columns[0]))}
    try:
        with unfinished.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for column in columns:
                np.ascontiguousarray(column).tofile(file)
            file.write(_checksum(columns))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _checksum(columns: Sequence[Column]) -> bytes:
    """Return the exclusive or of all words and of their number; a block of zeros left by a crash changes it."""
    folded = len(columns) * len(columns[0])
    for column in columns:
        folded ^= int(np.bitwise_xor.reduce(np.ascontiguousarray(column).view(np.uint64)))
    return folded.to_bytes(CHECKSUM_BYTES, "little")
