"""Daily bars in a comma-separated file: `timestamp,open,high,low,close,volume,adj_close`, ISO days, oldest first."""

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np

from backtesting.errors import BadBarsError
from backtesting.types import Asset, Bars, Timeframe, nanoseconds

PRICES = ("open", "high", "low", "close", "volume", "adj_close")


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file and the asset it holds the daily bars of."""

    path: Path
    asset: Asset
    timeframe: Timeframe = Timeframe.D1

    def read(self) -> Bars:
        """Return the file's bars; BadBarsError names the line that cannot be read."""
        with self.path.open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            rows = [self._bar(header, cells, lines.line_num) for cells in lines if cells]
        if not rows:
            raise BadBarsError(f"{self.path.name}: has no bars below its header")
        starts, prices = zip(*rows, strict=True)
        return Bars(np.array(starts, np.int64), *np.array(prices).T.copy())

    def _bar(self, header: list[str], cells: list[str], line: int) -> tuple[int, list[float]]:
        """Return the start of the bar and its prices in the order of `PRICES`."""
        try:
            row = dict(zip(header, cells, strict=True))
            start = datetime.combine(date.fromisoformat(row["timestamp"]), time(), UTC)
            return nanoseconds(start), [float(row[name]) for name in PRICES]
        except (KeyError, ValueError) as error:
            raise BadBarsError(f"{self.path.name}: line {line} cannot be read as a daily bar") from error
