"""The out-of-sample curve: what the tests made one after the other, compounded, and measured like any other curve."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtesting.data_loader import LoadedBars
from backtesting.errors import BacktestError
from backtesting.evaluation import Plan, base_time, year_of
from backtesting.metrics import METRICS, Evidence, measure
from backtesting.types import BacktestResult, EquityCurve, Floats, MetricValue, Simulation, Trades

KEYS = (
    "final_capital",
    "total_return",
    "annual_return",
    "annual_volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "max_drawdown",
    "calmar_ratio",
    "total_trades",
    "win_rate",
    "profit_factor",
    "fees_paid",
    "benchmark_return",
    "benchmark_sharpe",
    "benchmark_max_drawdown",
    "psr",
)
MEASURED = tuple(metric for metric in METRICS if metric.key in KEYS)
Column = NDArray[Any]
MONEY = frozenset({"quantity", "fees", "pnl", "slippage", "borrow"})
BARS = frozenset({"entry_bar", "exit_bar"})


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A test span of so many bars and its run, which began with `capital`; without a run the window stays in cash."""

    bars: int
    run: BacktestResult | None
    capital: float


@dataclass(frozen=True, slots=True, eq=False)
class OutOfSample:
    """The stitched curve, buy and hold beside it over the same bars, and their metrics."""

    equity: EquityCurve
    benchmark: EquityCurve
    metrics: dict[str, MetricValue]
    undefined: dict[str, str]


def stitch(plan: Plan, loaded: LoadedBars, held: BacktestResult, tests: Sequence[Stretch]) -> OutOfSample:
    """Join the tests and measure what they come to.

    `plan` and `loaded` are those of the whole span of the tests, `held` is a run over it: its benchmark is buy and
    hold, bought once. BacktestError where the tests are not on the bars of the span.
    """
    _require_same_bars(loaded, tests)
    capital = plan.request.initial_capital
    pieces = list(_pieces(tests, capital))
    equity, trades = np.concatenate([piece.equity for piece in pieces]), _joined(pieces, held.trades)
    evidence = Evidence(
        bars=loaded.period,
        session=loaded.session[loaded.history :],
        simulation=_simulation(equity, held.benchmark.value, trades),
        initial_capital=capital,
        periods_per_year=year_of(plan, loaded).periods,
        risk_free=plan.request.risk_free,
        base_time=base_time(loaded, plan.request.delay),
        seed=plan.request.seed,
    )
    time = loaded.period.time
    metrics, undefined = measure(evidence, MEASURED)
    return OutOfSample(EquityCurve(time, equity), EquityCurve(time, held.benchmark.value), metrics, undefined)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A test where it stands in the span: `growth` multiplies its money."""

    first_bar: int
    growth: float
    equity: Floats
    run: BacktestResult | None


def _pieces(tests: Sequence[Stretch], capital: float) -> Iterator[_Piece]:
    """Compound from test to test; once nothing is left it stays so, and nothing is traded any more (H6)."""
    first, reached = 0, capital
    for test in tests:
        if test.run is None or reached <= 0:
            yield _Piece(first, 0.0, np.full(test.bars, reached), None)
        else:
            growth = reached / test.capital
            equity = test.run.equity.value * growth
            yield _Piece(first, growth, equity, test.run)
            reached = float(equity[-1])
        first += test.bars


def _joined(pieces: Sequence[_Piece], pattern: Trades) -> Trades:
    """Return the trades of all tests at the bars of the span, their money as much as the equity they began with."""
    columns = {field.name: [getattr(pattern, field.name)[:0]] for field in fields(Trades)}
    for piece in pieces:
        if piece.run is None:
            continue
        for name, parts in columns.items():
            parts.append(_placed(name, getattr(piece.run.trades, name), piece))
    return Trades(**{name: np.concatenate(parts) for name, parts in columns.items()})


def _placed(name: str, column: Column, piece: _Piece) -> Column:
    if name in BARS:
        return column + piece.first_bar
    return column * piece.growth if name in MONEY else column


def _simulation(equity: Floats, benchmark: Floats, trades: Trades) -> Simulation:
    """Return what the metrics of `MEASURED` read; what none of them does is nan."""
    spent = np.flatnonzero(equity <= 0)
    return Simulation(
        equity=equity,
        benchmark=benchmark,
        units=np.full_like(equity, nan),
        trades=trades,
        traded=nan,
        fees_paid=float(trades.fees.sum()),
        slippage_paid=float(trades.slippage.sum()),
        borrow_paid=float(trades.borrow.sum()),
        costless_return=nan,
        optimistic_return=nan,
        counters={},
        engine="stitched",
        bankrupt_bar=int(spent[0]) if len(spent) else None,
    )


def _require_same_bars(loaded: LoadedBars, tests: Sequence[Stretch]) -> None:
    first, time = 0, loaded.period.time
    for test in tests:
        own = time[first : first + test.bars]
        first += test.bars
        if len(own) != test.bars or (test.run and not np.array_equal(test.run.equity.time, own)):
            raise BacktestError("the stored bars changed while the walk-forward was at work: run it again")
    if first != len(time):
        raise BacktestError("the stored bars changed while the walk-forward was at work: run it again")
