"""What a run reads: the bars of its period and the history before it, stored or made, checked, adjusted or raw."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol

import numpy as np

from backtesting.errors import BadBarsError, InvalidDatesError, NoBarsError, UnknownNameError
from backtesting.resampling import AnyTimeframe
from backtesting.sessions import STEP, Gaps, days_of, missing, session_of
from backtesting.types import (
    NS_PER_DAY,
    Adjustment,
    Asset,
    Bars,
    Booleans,
    Coverage,
    Integers,
    Timeframe,
    instant,
    nanoseconds,
)

OHLC_TOLERANCE = 1e-9
NAMED_ROWS = 3
LATEST_LOADED, KNOWN_SERIES = 4, 64


class SeriesRequest(Protocol):
    """Which bars are wanted: a request for a run is one, and so is a look at prices."""

    @property
    def asset_symbol(self) -> str: ...  # noqa: D102 - as BacktestRequest has them
    @property
    def timeframe(self) -> Timeframe: ...  # noqa: D102
    @property
    def start_date(self) -> date: ...  # noqa: D102
    @property
    def end_date(self) -> date: ...  # noqa: D102
    @property
    def adjustment(self) -> Adjustment | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Period:
    """What a run reads: a series of its asset, from the first instant of its first day to the end of its last."""

    asset: Asset
    series: Coverage
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """Another asset's bars at the times of the run's own; `traded` tells where it has a bar itself."""

    asset: Asset
    bars: Bars
    traded: Booleans
    adjustment: Adjustment


@dataclass(frozen=True, slots=True, eq=False)
class LoadedBars:
    """Bars of a run: `history` of them come before its first day; `adjustment` says which prices they are.

    `session` labels each bar by midnight UTC of its session's day (A1). `gaps` are the bars the calendar expects in the
    period and that are not there (T6), None where it is not known. `benchmark` is there if a chosen one was asked for.
    """

    bars: Bars
    history: int
    adjustment: Adjustment
    session: Integers
    gaps: Gaps | None
    benchmark: Benchmark | None = None

    @property
    def period(self) -> Bars:
        """The bars without the history."""
        return self.bars.span(self.history, len(self.bars))


def load_bars(source: AnyTimeframe, request: SeriesRequest, period: Period, history: int) -> LoadedBars:
    """Load the period and up to `history` bars before it (W1).

    NoBarsError when the period is empty, BadBarsError when the bars break T5.
    """
    bars = source.load(period.asset, period.series, period.start, period.end, history)
    before = int(np.searchsorted(bars.time, nanoseconds(period.start)))
    if len(bars) == before:
        raise NoBarsError(
            f"{request.asset_symbol} has no {request.timeframe} bars from {request.start_date} to {request.end_date}; "
            "choose a longer period",
            field="start_date",
        )
    return _prepared(source, bars, period, before, request.adjustment)


@lru_cache(maxsize=LATEST_LOADED)
def _prepared(source: AnyTimeframe, bars: Bars, period: Period, history: int, asked: Adjustment | None) -> LoadedBars:
    """Check and adjust the bars and look for gaps, once for all runs on the same ones."""
    check_bars(bars)
    asset, timeframe = period.asset, period.series.timeframe
    adjustment = _adjustment(bars, asset, asked)
    priced = bars if adjustment == "raw" else source.adjusted(bars, asset, period.series)
    session, gaps = session_of(asset, timeframe, bars.time), missing(asset, timeframe, bars.time[history:])
    return LoadedBars(priced, history, adjustment, session, gaps)


def require_period(source: AnyTimeframe, asset: Asset, request: SeriesRequest) -> Period:
    """Find what the request asks for; refuse a timeframe or dates that are not stored, naming what is (T4)."""
    series = source.coverage(asset.symbol)
    fitting = [each for each in series if each.timeframe is request.timeframe]
    if not fitting:
        names = [f"{each.timeframe}{_made_of(each)}" for each in series]
        raise UnknownNameError.among("timeframe", request.timeframe.value, names, field="timeframe")
    for each in fitting:
        first, last = days_covered(asset, each)
        if first <= request.start_date and request.end_date <= last:
            return Period(asset, each, *_instants(asset, request))
    raise _outside(asset, max(fitting, key=lambda each: each.last - each.first), request)


@lru_cache(maxsize=KNOWN_SERIES)
def days_covered(asset: Asset, series: Coverage) -> tuple[date, date]:
    """Return the days of the asset's calendar that the first and the last bar of a series belong to."""
    stamps = np.array([nanoseconds(series.first), nanoseconds(series.last)])
    first, last = session_of(asset, series.resampled_from or series.timeframe, stamps)
    return instant(first).date(), instant(last).date()


def _outside(asset: Asset, series: Coverage, request: SeriesRequest) -> InvalidDatesError:
    first, last = days_covered(asset, series)
    return InvalidDatesError(
        f"start_date {request.start_date} to end_date {request.end_date} reaches outside the stored "
        f"{series.resampled_from or series.timeframe} bars of {asset.symbol}, {first} to {last}: choose dates within",
        field="start_date" if request.start_date < first else "end_date",
    )


def _made_of(series: Coverage) -> str:
    return f" (made of {series.resampled_from})" if series.resampled_from else ""


def check_bars(bars: Bars) -> None:
    """Refuse bars that are unsorted, repeated, not finite, not positive or inconsistent (T5), naming the first rows."""
    for complaint, bad in _complaints(bars):
        rows = np.flatnonzero(bad)
        if len(rows):
            named = ", ".join(f"{instant(bars.time[row]):%Y-%m-%d %H:%M}" for row in rows[:NAMED_ROWS])
            raise BadBarsError(f"{len(rows)} stored bars are {complaint}, first at {named}: import the series again")


def _complaints(bars: Bars) -> list[tuple[str, Booleans]]:
    prices = np.stack(bars.ohlcv[:4])
    top, bottom = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    repeated = np.concatenate([[False], np.diff(bars.time) <= 0])
    adjusted = bars.close if bars.adj_close is None else bars.adj_close  # NaN where the source gave none
    finite = np.isfinite(prices).all(axis=0) & np.isfinite(bars.volume) & ~np.isinf(adjusted)
    return [
        ("not in order of time or repeated", repeated),
        ("not finite", ~finite),
        ("not above zero", (prices.min(axis=0) <= 0) | (adjusted <= 0)),
        ("of negative volume", bars.volume < 0),
        ("inconsistent, high below open or close", bars.high < top * (1 - OHLC_TOLERANCE)),
        ("inconsistent, low above open or close", bars.low > bottom * (1 + OHLC_TOLERANCE)),
    ]


def _adjustment(bars: Bars, asset: Asset, asked: Adjustment | None) -> Adjustment:
    """Adjust the prices unless raw ones are asked for or no adjustment is stored (T7).

    Where only some bars have one, neither kind of price can be meant, so raw ones have to be asked for.
    """
    if asked == "raw" or (asked is None and bars.adj_close is None):
        return "raw"
    if bars.adj_close is None or np.isnan(bars.adj_close).any():
        raise BadBarsError(
            f"adjustment: {asset.symbol} has bars without adj_close; ask for adjustment='raw'",
            field="adjustment",
        )
    return "adjusted"


def _instants(asset: Asset, request: SeriesRequest) -> tuple[datetime, datetime]:
    """Return the first instant of the first day and the first after the last day, of the asset's calendar (T4).

    Daily and weekly bars are stamped by their day, at midnight UTC.
    """
    first, last = (datetime.combine(day, time(), UTC) for day in (request.start_date, request.end_date))
    if STEP[request.timeframe] >= NS_PER_DAY:
        return first, last + timedelta(days=1)
    days = days_of(asset, np.array([nanoseconds(first), nanoseconds(last)]))
    return instant(days.start[0]), instant(days.end[1])
