"""Files of published sessions, so that a process needs neither the library that knows them nor pandas."""

import secrets
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from backtesting.sessions.zones import Clock
from backtesting.types import Integers

ARRAYS = ("label", "open", "break_start", "break_end", "close")


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """The published sessions of one exchange in order; without a break both ends of it are the open."""

    clock: Clock
    label: Integers
    open: Integers
    break_start: Integers
    break_end: Integers
    close: Integers

    @property
    def around_the_clock(self) -> bool:
        """Whether sessions open as the ones before them close."""
        return 2 * int(np.count_nonzero(self.open[1:] == self.close[:-1])) > len(self.label)


class CalendarFiles:
    """One file an exchange, good for a month and for the version of exchange_calendars that published it."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def keep_in(self, folder: Path) -> None:
        """Name the folder; without one nothing is kept."""
        self._folder = folder

    def get(self, name: str) -> Exchange | None:
        """Return what was kept; a file that is torn or foreign is as good as none."""
        if self._folder is None:
            return None
        try:
            with np.load(self._path(self._folder, name), allow_pickle=False) as kept:
                clock = Clock(str(kept["zone"]), int(kept["early"]))
                return Exchange(clock, **{each: kept[each].astype(np.int64, casting="safe") for each in ARRAYS})
        except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile):
            return None

    def put(self, name: str, exchange: Exchange) -> None:
        """Keep the sessions in the place of earlier ones; a folder that cannot be written is left alone."""
        if self._folder is None:
            return
        path = self._path(self._folder, name)
        unfinished = path.with_suffix(f".{secrets.token_hex(8)}.tmp")
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                np.savez(file, **asdict(exchange.clock), **{each: getattr(exchange, each) for each in ARRAYS})
            unfinished.replace(path)
            for stale in self._folder.glob(f"{name}-*"):
                if stale != path:
                    stale.unlink(missing_ok=True)

    @staticmethod
    def _path(folder: Path, name: str) -> Path:
        return folder / f"{name}-{version('exchange_calendars')}-{datetime.now(UTC):%Y-%m}.npz"


calendar_files = CalendarFiles()
