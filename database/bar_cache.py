"""Whole series in files that are mapped into memory, one file a version; processes may share the folder."""

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backtesting.types import Bars

OPEN_SERIES = 64
CHECKSUM_BYTES = 8


class BarCache:
    """Keeps one version of each series; a file that is torn or foreign is as good as none.

    A version never changes its content, so a file is checked once a process and then only mapped.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = lru_cache(maxsize=OPEN_SERIES)(self._open)

    def get(self, series: str, version: str) -> Bars | None:
        """Return the bars of this version of the series, or None where they are not cached."""
        try:
            return self._opened(self._path(series, version))
        except (OSError, ValueError):
            return None

    def put(self, series: str, version: str, bars: Bars) -> None:
        """Keep this version in the place of earlier ones; a folder that cannot be written is left alone."""
        path = self._path(series, version)
        rows = [bars.time.view(np.float64), *bars.ohlcv, *(() if bars.adj_close is None else (bars.adj_close,))]
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, np.stack(rows))
            for stale in self._folder.glob(f"{series}.*.npy"):
                if stale != path:
                    stale.unlink(missing_ok=True)

    def _path(self, series: str, version: str) -> Path:
        return self._folder / f"{series}.{version}.npy"

    @staticmethod
    def _open(path: Path) -> Bars:
        """Map a file; ValueError when it is not whole."""
        table = np.lib.format.open_memmap(path, mode="r")
        with path.open("rb") as file:
            file.seek(-CHECKSUM_BYTES, os.SEEK_END)
            if file.tell() != table.offset + table.nbytes or file.read() != _checksum(table):
                raise ValueError(f"{path} is torn")
        time, open_, high, low, close, volume, *adjusted = np.asarray(table)
        return Bars(time.view(np.int64), open_, high, low, close, volume, *adjusted)


def _write(path: Path, table: NDArray[np.float64]) -> None:
    """Write the whole file under another name, then give it its own: nobody ever sees half of it."""
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            np.save(file, table)
            file.write(_checksum(table))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _checksum(table: NDArray[np.float64]) -> bytes:
    """Return the exclusive or of all words and of their number; a block of zeros left by a crash changes it."""
    words = table.reshape(-1).view(np.uint64)
    return (int(np.bitwise_xor.reduce(words)) ^ words.size).to_bytes(CHECKSUM_BYTES, "little")
