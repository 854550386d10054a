"""Another stored symbol to be measured by: buy and hold of it over the bars of the run (contract section 1, A6)."""

from dataclasses import replace

import numpy as np

from backtesting.data_loader import Benchmark, LoadedBars, Period, load_bars, require_period
from backtesting.decisions import Terms
from backtesting.errors import BacktestError, InvalidInputError, NoBarsError, Problem
from backtesting.resampling import AnyTimeframe
from backtesting.sessions import STEP
from backtesting.simulation import simulate
from backtesting.types import (
    NS_PER_DAY,
    Asset,
    BacktestRequest,
    Bars,
    Costs,
    Floats,
    Integers,
    OrderOptions,
    Signals,
    Timeframe,
)


def find_benchmark(source: AnyTimeframe, asset: Asset, request: BacktestRequest, costs: Costs) -> Period | None:
    """Find the series of the asked-for benchmark; None where there is none beside the asset itself.

    InvalidInputError where it is not stored over the period, is priced in another currency, or cannot be charged alike.
    """
    if request.benchmark is None:
        return None
    try:
        other = source.asset(request.benchmark)
        if other.symbol == asset.symbol:
            return None
        period = require_period(source, other, _request_of(request, other))
    except BacktestError as error:
        told = str(error).removeprefix("asset_symbol: ")
        raise _refused(f"{request.benchmark}: {told}") from error
    if other.currency != asset.currency:
        raise _refused(f"{other.symbol} is in {other.currency}, {asset.symbol} in {asset.currency}: take another")
    if costs.slippage_atr:
        raise _refused("slippage_atr is measured by the asset's own ranges: take other costs, or leave benchmark out")
    return period


def load_benchmark(
    source: AnyTimeframe, period: Period | None, request: BacktestRequest, loaded: LoadedBars
) -> Benchmark | None:
    """Load the benchmark's bars at the times of the run's own; where it has none, its last close is carried on.

    It is a yardstick, so its prices are adjusted wherever an adjusted close is stored.
    """
    if period is None:
        return None
    other = load_bars(source, _request_of(request, period.asset), period, 1)
    ours, theirs = (_stamps(each, request.timeframe) for each in (loaded, other))
    at = np.searchsorted(theirs, ours[loaded.history :], side="right") - 1
    if at[0] < 0:
        raise NoBarsError(
            f"benchmark: {period.asset.symbol} has no bar yet at the first one of {request.asset_symbol}: "
            "choose a later start_date",
            field="benchmark",
        )
    traded, close = theirs[at] == ours[loaded.history :], other.bars.close[at]
    open_, high, low = (np.where(traded, each[at], close) for each in other.bars.ohlcv[:3])
    volume = np.where(traded, other.bars.volume[at], 0.0)
    time = loaded.bars.time[loaded.history :]
    return Benchmark(period.asset, Bars(time, open_, high, low, close, volume), traded, other.adjustment)


def held(benchmark: Benchmark, terms: Terms) -> Floats:
    """Return the equity of buying and holding the benchmark on the terms of the run, shape (n,).

    It is bought at the first bar of its own from the first tradable one on (T6).
    """
    delay, first = terms.delay, terms.first_decision + terms.delay - terms.history
    # the order may be decided before the period, where the benchmark's bars do not matter
    bars = Bars(*(np.concatenate([column[:1].repeat(delay), column]) for column in _columns(benchmark.bars)))
    enter = np.zeros(len(bars), np.bool_)
    enter[first + np.flatnonzero(benchmark.traded[first:])[:1]] = True
    options = OrderOptions(delay_bars=terms.options.delay_bars)
    alone = replace(terms, position_size=1.0, history=delay, first_decision=first, options=options)
    return simulate(bars, Signals(enter, np.zeros_like(enter)), alone).equity


def _request_of(request: BacktestRequest, other: Asset) -> BacktestRequest:
    return request.model_copy(update={"asset_symbol": other.symbol, "adjustment": None})


def _stamps(loaded: LoadedBars, timeframe: Timeframe) -> Integers:
    """Return what bars of two assets are matched by: the session of a day or more, the start of shorter ones."""
    return loaded.session if STEP[timeframe] >= NS_PER_DAY else loaded.bars.time


def _columns(bars: Bars) -> tuple[np.ndarray, ...]:
    return bars.time, *bars.ohlcv


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError([Problem("benchmark", message)])
