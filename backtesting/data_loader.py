"""What a run reads: the bars of its period and the history before it, checked, adjusted or raw."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import numpy as np

from backtesting.errors import BadBarsError, InvalidDatesError, NoBarsError, UnknownNameError
from backtesting.ports import BarSource
from backtesting.types import Adjustment, BacktestRequest, Bars, Booleans, instant, nanoseconds

OHLC_TOLERANCE = 1e-9
NAMED_ROWS = 3


@dataclass(frozen=True, slots=True, eq=False)
class LoadedBars:
    """Bars of a run: `history` of them come before its first day; `adjustment` says which prices they are."""

    bars: Bars
    history: int
    adjustment: Adjustment


def load_bars(source: BarSource, request: BacktestRequest, history: int) -> LoadedBars:
    """Load the request's period and up to `history` bars before it (W1).

    NoBarsError when the period is empty, BadBarsError when the bars break T5.
    """
    start, end = _instants(request)
    bars = source.load(request.asset_symbol, request.timeframe, start, end, history)
    period = int(np.searchsorted(bars.time, nanoseconds(start)))
    if len(bars) == period:
        raise NoBarsError(
            f"{request.asset_symbol} has no {request.timeframe} bars from {request.start_date} to {request.end_date}; "
            "choose a longer period",
            field="start_date",
        )
    check_bars(bars)
    return _priced(bars, period, request)


def require_period(source: BarSource, request: BacktestRequest) -> None:
    """Refuse a timeframe or dates that are not stored, naming what is (T4)."""
    series = source.coverage(request.asset_symbol)
    stored = {each.timeframe: each for each in series}
    if request.timeframe not in stored:
        raise UnknownNameError.among("timeframe", request.timeframe.value, stored, field="timeframe")
    span = stored[request.timeframe]
    first, last = span.first.date(), span.last.date()
    if request.start_date < first or request.end_date > last:
        raise InvalidDatesError(
            f"start_date {request.start_date} to end_date {request.end_date} reaches outside the stored "
            f"{request.timeframe} bars of {request.asset_symbol}, {first} to {last}: choose dates within",
            field="start_date" if request.start_date < first else "end_date",
        )


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


def _priced(bars: Bars, period: int, request: BacktestRequest) -> LoadedBars:
    """Adjust the prices unless raw ones are asked for or no adjustment is stored (T7).

    Where only some bars have one, neither kind of price can be meant, so raw ones have to be asked for.
    """
    if request.adjustment == "raw" or (request.adjustment is None and bars.adj_close is None):
        return LoadedBars(bars, period, "raw")
    if bars.adj_close is None or np.isnan(bars.adj_close).any():
        raise BadBarsError(
            f"adjustment: {request.asset_symbol} has bars without adj_close; ask for adjustment='raw'",
            field="adjustment",
        )
    return LoadedBars(bars.adjusted(), period, "adjusted")


def _instants(request: BacktestRequest) -> tuple[datetime, datetime]:
    """Return the first instant of the first day and the first after the last day."""
    start, last = (datetime.combine(day, time(), UTC) for day in (request.start_date, request.end_date))
    return start, last + timedelta(days=1)
