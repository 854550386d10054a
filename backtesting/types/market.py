"""Assets, their bars and the clock they are told by."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


Integers = NDArray[np.int64]


Booleans = NDArray[np.bool_]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


NS_PER_DAY = 86_400_000_000_000
LATEST_SPANS = 16


def utc_now() -> datetime:
    """Return the current instant."""
    return datetime.now(UTC)


def instant(nanoseconds: int) -> datetime:
    """Return the UTC instant, exact to the microsecond, of nanoseconds since 1970."""
    return EPOCH + timedelta(microseconds=int(nanoseconds) // 1000)


def nanoseconds(when: datetime) -> int:
    """Return nanoseconds since 1970 of a zone-aware instant."""
    return ((when - EPOCH) // timedelta(microseconds=1)) * 1000


class Timeframe(StrEnum):
    """The length of one bar."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"


class AssetClass(StrEnum):
    """The kind of market, which decides the calendar and the costs assumed."""

    EQUITY = "equity"
    ETF = "etf"
    INDEX = "index"
    CRYPTO = "crypto"
    FX = "fx"
    FUTURE = "future"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Asset:
    """One instrument whose bars are stored."""

    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    exchange: str | None = None
    tick_size: float | None = None
    lot_size: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Columns of one series, oldest first; the arrays handed in become read-only.

    `time` is int64 nanoseconds UTC of each bar's start; the prices and `volume` are float64 of the same length n.
    `adj_close` is the close adjusted by the source for splits and dividends, where the source gave one.
    """

    time: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    adj_close: Floats | None = None

    def __post_init__(self) -> None:
        for column in (self.time, *self.ohlcv, *(() if self.adj_close is None else (self.adj_close,))):
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.time)

    @property
    def ohlcv(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Open, high, low, close and volume, in this order."""
        return self.open, self.high, self.low, self.close, self.volume

    def __getitem__(self, span: slice) -> "Bars":
        open_, high, low, close, volume = (column[span] for column in self.ohlcv)
        adj_close = None if self.adj_close is None else self.adj_close[span]
        return Bars(self.time[span], open_, high, low, close, volume, adj_close)

    def window(self, start: datetime, end: datetime, history: int) -> "Bars":
        """Return the bars that start in [start, end), and up to `history` bars right before them; views, no copies."""
        first, last = np.searchsorted(self.time, [nanoseconds(start), nanoseconds(end)])
        return self.span(max(0, int(first) - history), int(last))

    def span(self, first: int, last: int) -> "Bars":
        """Return the bars from number `first` to before `last`, as views.

        Asked again for one of the latest spans it returns the same object, so that what was made of it can be found.
        """
        return _span(self, first, last)

    def adjusted(self) -> "Bars":
        """Multiply open, high, low and close by adj_close / close (contract T7); volume stays."""
        if self.adj_close is None:
            raise ValueError("these bars have no adj_close")
        factor = self.adj_close / self.close
        open_, high, low = (column * factor for column in (self.open, self.high, self.low))
        return Bars(self.time, open_, high, low, self.adj_close, self.volume)

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas frame indexed by UTC time, for authors who like pandas."""
        import pandas as pd  # noqa: PLC0415 - slow to import, and no run needs it

        index = pd.DatetimeIndex(self.time, tz="UTC", name="time")
        return pd.DataFrame(dict(zip(("open", "high", "low", "close", "volume"), self.ohlcv, strict=True)), index=index)


@lru_cache(maxsize=LATEST_SPANS)
def _span(bars: Bars, first: int, last: int) -> Bars:
    return bars[first:last]
