"""A look at stored prices: what they came to over a period, bar by bar where asked, indicators beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from backtesting.calendars import periods_per_year
from backtesting.data_loader import LoadedBars, days_covered, load_bars, require_period
from backtesting.errors import NoBarsError, UnknownNameError
from backtesting.indicator_table import Chosen, chosen
from backtesting.metrics.curves import returns_between, session_ends, session_levels
from backtesting.metrics.undefined import Undefined
from backtesting.ports import BarSource
from backtesting.resampling import AnyTimeframe
from backtesting.types import (
    Adjustment,
    Asset,
    AssetSymbol,
    Bars,
    Coverage,
    Day,
    Floats,
    Input,
    MetricValue,
    Timeframe,
)

MOST_INDICATORS = 10


class MarketRequest(Input):
    """Which bars to look at; None is the whole of what is stored, and adjusted prices where there are any."""

    symbol: AssetSymbol
    timeframe: Annotated[Timeframe, Field(strict=False)] = Timeframe.D1
    start_date: Day | None = None
    end_date: Day | None = None
    adjustment: Adjustment | None = None
    indicators: Annotated[Sequence[Annotated[str, Field(max_length=64)]], Field(max_length=MOST_INDICATORS)] = ()

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(
                f"start_date {self.start_date} is after end_date {self.end_date}: choose an earlier start_date"
            )
        return self


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request with everything filled in, as bars are loaded by."""

    asset_symbol: str
    timeframe: Timeframe
    start_date: date
    end_date: date
    adjustment: Adjustment | None


@dataclass(frozen=True, slots=True, eq=False)
class MarketView:
    """The bars of a period, `indicators` of the same length by label, and what the closes came to.

    `summary` holds fractions and prices, null for what `undefined` gives the reason of.
    """

    asset: Asset
    timeframe: Timeframe
    adjustment: Adjustment
    bars: Bars
    indicators: Mapping[str, Floats]
    summary: Mapping[str, MetricValue]
    undefined: Mapping[str, str]


def look(source: BarSource, request: MarketRequest) -> MarketView:
    """Return a view of stored bars; the errors are those of a backtest over the same period."""
    wanted = [chosen(each) for each in request.indicators]
    bars_of_any = AnyTimeframe(source)
    asset = _asset(bars_of_any, request.symbol)
    filled_in = _filled_in(asset, bars_of_any.coverage(asset.symbol), request)
    period = require_period(bars_of_any, asset, filled_in)
    loaded = load_bars(bars_of_any, filled_in, period, max((each.history for each in wanted), default=0))
    bars = loaded.bars[loaded.history :]
    summary, undefined = _summary(request, asset, loaded)
    lines = {label: line[loaded.history :] for label, line in _lines(wanted, loaded.bars)}
    return MarketView(asset, request.timeframe, loaded.adjustment, bars, lines, summary, undefined)


def _asset(source: AnyTimeframe, symbol: str) -> Asset:
    try:
        return source.asset(symbol)
    except UnknownNameError as error:
        raise error.called("symbol") from error


def _filled_in(asset: Asset, stored: Sequence[Coverage], request: MarketRequest) -> Wanted:
    spans = sorted(stored, key=lambda span: span.timeframe is not request.timeframe)
    if not spans:
        raise NoBarsError(f"symbol: no bars of {asset.symbol} are stored; import some", field="symbol")
    first, last = days_covered(asset, spans[0])
    start, end = request.start_date or first, request.end_date or last
    return Wanted(asset.symbol, request.timeframe, start, end, request.adjustment)


def _lines(wanted: Sequence[Chosen], bars: Bars) -> list[tuple[str, Floats]]:
    return [line for each in wanted for line in each.lines(bars).items()]


def _summary(request: MarketRequest, asset: Asset, loaded: LoadedBars) -> tuple[dict[str, MetricValue], dict[str, str]]:
    """Say what holding through the bars came to, by the definitions of a run's metrics."""
    bars = loaded.bars[loaded.history :]
    ends = session_ends(loaded.session[loaded.history :])
    returns = returns_between(session_levels(ends, bars.close, None))
    periods, _ = periods_per_year(asset.asset_class, request.timeframe, bars.time)
    found = {
        "bars": len(bars),
        "first_close": float(bars.close[0]),
        "last_close": float(bars.close[-1]),
        "total_return": float(bars.close[-1] / bars.close[0]) - 1.0,
        "annual_volatility": float(returns.std(ddof=1)) * sqrt(periods) if len(returns) > 1 else Undefined.TOO_SHORT,
        "max_drawdown": float((bars.close / np.maximum.accumulate(bars.close)).min()) - 1.0,
        "missing_bars": "calendar_unknown" if loaded.gaps is None else loaded.gaps.count,
    }
    undefined = {key: str(value) for key, value in found.items() if isinstance(value, str)}
    return {key: None if isinstance(value, str) else value for key, value in found.items()}, undefined
