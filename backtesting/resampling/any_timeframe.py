"""Every timeframe the stored ones make: found like a stored one, made when it is first read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from backtesting.ports import BarSource
from backtesting.resampling.bars import resample
from backtesting.sessions import STEP
from backtesting.types import Asset, Bars, Coverage, Timeframe, instant

MADE_SERIES, KNOWN_ASSETS = 8, 64
BEFORE_ALL, AFTER_ALL = (instant(nanoseconds) for nanoseconds in (-(2**62), 2**62))


class AnyTimeframe:
    """Reads stored series and those that can be made of them, and keeps the last ones made.

    Safe to share between threads. A series is made anew when the stored one it is made of has another version.
    """

    def __init__(self, source: BarSource) -> None:
        self._source = source
        self._made = lru_cache(maxsize=MADE_SERIES)(self._make)

    def asset(self, symbol: str) -> Asset:
        """Return the asset of a stored symbol."""
        return self._source.asset(symbol)

    def coverage(self, symbol: str) -> Sequence[Coverage]:
        """Return the stored series, then what can be made of them for timeframes not stored, of the finest one first.

        What is made reaches as far as its source, but for bars at both ends that the source does not cover whole.
        """
        return _and_made(tuple(self._source.coverage(symbol)))

    def load(self, asset: Asset, series: Coverage, start: datetime, end: datetime, history: int) -> Bars:
        """Return the bars of a covered series that start in [start, end), and up to `history` right before them."""
        if series.resampled_from is None:
            return self._source.load(asset.symbol, series.timeframe, start, end, history)
        return self._made(asset, series, adjusted=False).window(start, end, history)

    def adjusted(self, bars: Bars, asset: Asset, series: Coverage) -> Bars:
        """Return what `load` returned at adjusted prices (T7); of a made series, those of the bars it is made of."""
        if series.resampled_from is None or not len(bars):
            return bars.adjusted()
        whole = self._made(asset, series, adjusted=True)
        first, last = whole.time.searchsorted([bars.time[0], bars.time[-1]])
        return whole[int(first) : int(last) + 1]

    def _make(self, asset: Asset, series: Coverage, *, adjusted: bool) -> Bars:
        assert series.resampled_from is not None  # noqa: S101 - the callers have looked
        finer = self._source.load(asset.symbol, series.resampled_from, BEFORE_ALL, AFTER_ALL, 0)
        return resample(finer.adjusted() if adjusted else finer, asset, series.resampled_from, series.timeframe)


@lru_cache(maxsize=KNOWN_ASSETS)
def _and_made(series: tuple[Coverage, ...]) -> tuple[Coverage, ...]:
    stored = sorted(series, key=lambda each: STEP[each.timeframe])
    lacking = [each for each in Timeframe if each not in {series.timeframe for series in stored}]
    made = (
        replace(series, timeframe=target, resampled_from=series.timeframe)
        for target in lacking
        for series in stored
        if STEP[series.timeframe] < STEP[target]
    )
    return *stored, *made
