"""The metrics of whole runs, and of the worst that can happen to one, against other libraries."""

from datetime import date
from math import isfinite
from typing import Any

import numpy as np
import pytest

from backtesting.types import BacktestResult, Bars, Floats
from tests.fixtures.in_memory import Desk, day
from tests.fixtures.series import bars_of, sample_bars
from tests.test_metrics import ORACLES

CAPITAL = 100_000.0
# All have their warm-up before the period, so that strategy and buy and hold trade from its first bar.
PERIOD = {"start_date": date(2002, 1, 2), "end_date": date(2012, 12, 31)}
RUNS: list[tuple[str, str, dict[str, Any]]] = [
    ("ibm", "sma_crossover", {"parameters": {"position_size": 0.95}}),
    ("aapl", "macd", {"costs": "crypto"}),
    ("msft", "rsi", {"fill": "next_close"}),
    ("aapl", "sma_crossover", {"parameters": {"fast_period": 5, "slow_period": 15}, "adjustment": "raw"}),
    ("ibm", "macd", {"fill": "same_close", "costs": "zero"}),
]
FLAT = bars_of(np.full(30, 100.0))
# Sold at 100, worth 300 at the close that finds nothing left, bought back at the next open, which is 300 too.
TRIPLING = bars_of(np.array([100.0, 100, 110, 300, 300, 330, 320]))
FALLING = bars_of(100 * 0.98 ** np.arange(41.0))
DEGENERATE: dict[str, tuple[Bars, dict[str, Any]]] = {
    "no trades": (sample_bars("ibm")[:60], {"parameters": {}}),
    "one bar": (bars_of(np.array([100.0, 100, 110])), {"start_date": day(2), "parameters": {"enter": (1,)}}),
    "all losses": (FALLING, {"parameters": {"enter": tuple(range(0, 40, 4)), "leave": tuple(range(2, 40, 4))}}),
    "zero variance": (FLAT, {"parameters": {"enter": (0,)}, "costs": "zero"}),
    "bankrupt": (TRIPLING, {"parameters": {"short": (0,)}, "direction": "short", "costs": "zero"}),
}


def returns_of(result: BacktestResult) -> Floats:
    """Return daily returns: from the capital on, or where no order can fill on the first bar, from that bar on (A4)."""
    levels = result.equity.value
    if result.summary.provenance["history_bars"]:
        levels = np.concatenate([[CAPITAL], levels])
    return levels[1:] / levels[:-1] - 1


def agree(result: BacktestResult, r: Floats, b: Floats) -> set[str]:
    """Compare all metrics that both we and the other libraries define; return their names.

    What an account without equity grows by in a year is -1 (H6); empyrical takes a root of a negative number.
    """
    values = dict(result.summary.metrics)
    if result.summary.provenance["bankrupt"]:
        assert values.pop("annual_return") == -1
    with np.errstate(all="ignore"):
        theirs = {key: float(of(r, b)) for key, of in ORACLES.items() if values.get(key) is not None}
    both = {key: value for key, value in theirs.items() if isfinite(value)}
    assert {key: values[key] for key in both} == pytest.approx(both, rel=1e-10, abs=1e-10)
    return set(both)


@pytest.mark.parametrize(("symbol", "strategy_id", "asked"), RUNS)
def test_metrics_of_a_run_equal_other_libraries_on_its_stored_curve(
    symbol: str, strategy_id: str, asked: dict[str, Any]
) -> None:
    desk = Desk(sample_bars(symbol))
    result = desk.result(strategy_id, **PERIOD | asked)
    held = desk.result("buy_and_hold", **PERIOD | asked | {"parameters": {}})

    compared = agree(result, returns_of(result), returns_of(held))

    assert compared == ORACLES.keys()


@pytest.mark.parametrize("case", DEGENERATE)
def test_metrics_of_a_degenerate_run_equal_other_libraries_where_both_define_them(case: str) -> None:
    bars, asked = DEGENERATE[case]
    desk = Desk(bars)
    result = desk.result("scripted", **asked)
    held = desk.result("buy_and_hold", **asked | {"parameters": {}, "direction": "long"})

    compared = agree(result, returns_of(result), returns_of(held))

    assert compared >= {"total_return", "max_drawdown", "benchmark_return"}


def test_a_run_without_trades_has_flat_equity_and_no_ratio() -> None:
    bars, asked = DEGENERATE["no trades"]

    summary = Desk(bars).result("scripted", **asked).summary

    assert summary.metrics["total_return"] == summary.metrics["max_drawdown"] == 0
    assert {summary.undefined[key] for key in ("sharpe_ratio", "sharpe_ci95_low", "psr")} == {"zero_variance"}
    assert {summary.undefined[key] for key in ("win_rate", "profit_factor", "sqn", "win_rate_incl_open")} == {
        "no_trades"
    }


def test_a_run_that_only_loses_has_neither_wins_nor_a_positive_ratio() -> None:
    bars, asked = DEGENERATE["all losses"]

    summary = Desk(bars).result("scripted", **asked).summary

    assert (summary.metrics["winning_trades"], summary.metrics["losing_trades"]) == (0, 10)
    assert (summary.metrics["profit_factor"], summary.metrics["omega_ratio"]) == (0, 0)
    assert summary.undefined["min_track_record"] == "sharpe_not_positive"
    assert summary.undefined["payoff_ratio"] == "no_winning_trades"


def test_h6_a_short_of_a_price_that_triples_loses_twice_the_capital_as_empyrical_counts_it() -> None:
    bars, asked = DEGENERATE["bankrupt"]
    result = Desk(bars).result("scripted", **asked)

    # 1000 units sold at 100: 90 000 left at 110, -100 000 at 300.
    assert result.equity.value.tolist() == [100_000.0, 100_000.0, 90_000.0, *[-100_000.0] * 4]
    held = Desk(bars).result("buy_and_hold", costs="zero")
    assert agree(result, returns_of(result), returns_of(held)) >= {
        "total_return",
        "max_drawdown",
        "annual_volatility",
        "downside_deviation",
        "var_95",
        "cvar_95",
        "worst_session",
        "tracking_error",
    }
    assert {result.summary.undefined[key] for key in ("sharpe_ratio", "calmar_ratio", "beta", "psr")} == {"bankrupt"}


def test_w6_an_open_winner_counts_in_the_statistics_that_include_it_alone() -> None:
    # Bought at 100, sold at 90; bought at 90 and still held at 135: the closed trade lost, the open one gains half.
    bars = bars_of(np.array([100.0, 100, 90, 90, 90, 135]))
    asked = {"parameters": {"enter": (0, 3), "leave": (1,)}, "costs": "zero"}

    metrics = Desk(bars).result("scripted", **asked).summary.metrics

    assert (metrics["win_rate"], metrics["win_rate_incl_open"]) == (0, 0.5)
    assert metrics["profit_factor"] == 0
    assert metrics["profit_factor_incl_open"] == pytest.approx(45_000 / 10_000)  # 1000 units each time
