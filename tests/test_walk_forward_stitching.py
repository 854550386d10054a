"""The stitched curve against a plain multiplication of what single runs made, and its metrics against empyrical."""

from math import prod
from typing import Any

import empyrical
import numpy as np
import pytest

from backtesting.data_loader import LoadedBars
from backtesting.errors import BacktestError
from backtesting.evaluation import Plan, evaluate
from backtesting.types import BacktestResult
from backtesting.walk_forward.stitching import OutOfSample, Stretch, stitch
from tests.fixtures.in_memory import Desk, between, day
from tests.fixtures.series import sample_bars
from tests.fixtures.sweeps import wandering

CROSSING = {"fast_period": 3, "slow_period": 8}


def span(desk: Desk, first: int, behind: int, **options: Any) -> tuple[Plan, LoadedBars, BacktestResult]:
    """Return what a run from one bar to before another reads, and comes to."""
    request = desk.request(start_date=day(first), end_date=day(behind - 1), **options)
    plan, loaded = desk.engine.load(desk.engine.plan(request), 20)
    return plan, loaded, evaluate(plan, loaded)


def traded(desk: Desk, first: int, behind: int, **options: Any) -> Stretch:
    chosen = {"strategy_id": "sma_crossover", "parameters": CROSSING, "close_at_end": True} | options
    *_, run = span(desk, first, behind, **chosen)
    return Stretch(behind - first, run, chosen.get("initial_capital", 100_000.0))


def stitched(desk: Desk, tests: list[Stretch], first: int) -> OutOfSample:
    plan, loaded, held = span(desk, first, first + sum(test.bars for test in tests))
    return stitch(plan, loaded, held, tests)


def made(test: Stretch) -> float:
    return float(test.run.summary.metrics["total_return"] or 0.0) if test.run else 0.0


@pytest.mark.parametrize("seed", range(6))
def test_the_return_is_what_the_tests_made_multiplied_and_never_their_mean(seed: int) -> None:
    desk = Desk(wandering(seed, 200))
    tests = [traded(desk, first, first + 40) for first in (40, 80, 120, 160)]

    found = stitched(desk, tests, 40)

    assert found.metrics["total_return"] == pytest.approx(prod(1 + made(test) for test in tests) - 1, rel=1e-12)
    assert len(found.equity.value) == 160
    assert found.equity.value[:40].tolist() == tests[0].run.equity.value.tolist()  # type: ignore[union-attr]
    for number, test in enumerate(tests):
        reached = 100_000 * prod(1 + made(each) for each in tests[: number + 1])
        assert found.equity.value[40 * (number + 1) - 1] == pytest.approx(reached, rel=1e-12)
        assert test.run is not None and found.metrics["total_trades"] is not None


def test_sharpe_ratio_and_drawdown_are_those_of_the_whole_curve() -> None:
    desk = Desk(wandering(3, 200))
    tests = [traded(desk, first, first + 40) for first in (40, 80, 120, 160)]

    found = stitched(desk, tests, 40)
    returns = np.diff(np.concatenate([[100_000.0], found.equity.value])) / np.concatenate(
        [[100_000.0], found.equity.value[:-1]]
    )
    mean_of_sharpes = np.mean([test.run.summary.metrics["sharpe_ratio"] or 0.0 for test in tests if test.run])

    assert found.metrics["sharpe_ratio"] == pytest.approx(empyrical.sharpe_ratio(returns), rel=1e-10)
    assert found.metrics["max_drawdown"] == pytest.approx(empyrical.max_drawdown(returns), rel=1e-10)
    assert found.metrics["annual_return"] == pytest.approx(empyrical.annual_return(returns), rel=1e-10)
    assert found.metrics["sharpe_ratio"] != pytest.approx(mean_of_sharpes, rel=1e-3)


def test_one_test_over_the_whole_span_is_measured_as_its_single_run() -> None:
    desk = Desk(wandering(5, 200))
    alone = traded(desk, 40, 200)

    found = stitched(desk, [alone], 40)

    assert alone.run is not None
    single = alone.run.summary.metrics
    assert found.metrics == {key: single[key] for key in found.metrics}


def test_buy_and_hold_is_bought_once_over_the_whole_span() -> None:
    desk = Desk(wandering(5, 200))
    tests = [traded(desk, first, first + 80) for first in (40, 120)]

    found = stitched(desk, tests, 40)
    held = desk.run(start_date=day(40), end_date=day(199))

    assert held.summary is not None
    assert found.metrics["benchmark_return"] == held.summary.metrics["total_return"]
    assert found.metrics["benchmark_sharpe"] == held.summary.metrics["sharpe_ratio"]


def test_money_of_a_later_trade_has_grown_with_the_equity_and_its_return_has_not() -> None:
    # a first test that doubles 100 to 200, then one that makes 10 %: closes 10, 10, 20, 20 and 20, 20, 22, 22
    closes = [10.0, 10.0, 20.0, 20.0, 20.0, 20.0, 22.0, 22.0]
    desk = Desk(between(closes, closes))
    options = {"strategy_id": "scripted", "costs": "zero", "close_at_end": True, "history_bars": 0}
    runs = [
        traded(desk, first, first + 4, parameters={"enter": (first,), "leave": (first + 2,)}, **options)
        for first in (0, 4)
    ]

    found = stitched(desk, runs, 0)

    assert found.equity.value.tolist() == pytest.approx([1e5, 1e5, 2e5, 2e5, 2e5, 2e5, 2.2e5, 2.2e5])
    assert (found.metrics["total_trades"], found.metrics["win_rate"]) == (2, 1.0)
    assert found.undefined["profit_factor"] == "no_losing_trades"


def test_a_window_in_cash_keeps_what_was_there() -> None:
    desk = Desk(wandering(4, 200))
    first, last = traded(desk, 40, 80), traded(desk, 120, 160)

    found = stitched(desk, [first, Stretch(40, None, 100_000.0), last], 40)

    assert set(found.equity.value[40:80]) == {found.equity.value[39]}
    assert found.metrics["total_return"] == pytest.approx((1 + made(first)) * (1 + made(last)) - 1, rel=1e-12)


def test_windows_in_cash_alone_come_to_no_trade_and_no_ratio() -> None:
    desk = Desk(wandering(4, 100))

    found = stitched(desk, [Stretch(30, None, 100_000.0), Stretch(30, None, 100_000.0)], 40)

    assert (found.metrics["total_return"], found.metrics["total_trades"]) == (0.0, 0)
    assert found.undefined["sharpe_ratio"] == found.undefined["psr"] == "zero_variance"


def test_nothing_is_traded_after_everything_was_lost() -> None:
    # short at 10 all-in, and the price goes to 30: the loss is twice the capital
    closes = [10.0, 10.0, 30.0, 30.0, 30.0, 30.0, 60.0, 60.0]
    desk = Desk(between(closes, closes))
    options = {"strategy_id": "scripted", "costs": "zero", "history_bars": 0}
    ruin = traded(desk, 0, 4, parameters={"short": (0,)}, direction="short", **options)
    gain = traded(desk, 4, 8, parameters={"enter": (4,)}, **options)

    found = stitched(desk, [ruin, gain], 0)

    assert found.equity.value[3:].tolist() == [found.equity.value[3]] * 5
    assert found.equity.value[3] < 0 and (found.metrics["total_return"] or 0.0) < -1
    assert found.metrics["annual_return"] == -1 and found.undefined["sharpe_ratio"] == "bankrupt"
    assert found.metrics["total_trades"] == 1


def test_tests_that_are_not_on_the_bars_of_the_span_are_refused() -> None:
    desk = Desk(sample_bars("ibm"))
    request = desk.request(start_date="2001-01-02", end_date="2001-03-30")
    plan, loaded = desk.engine.load(desk.engine.plan(request))
    run = evaluate(plan, loaded)

    with pytest.raises(BacktestError, match="bars changed"):
        stitch(plan, loaded, run, [Stretch(len(loaded.period) - 1, None, 1e5)])
    with pytest.raises(BacktestError, match="bars changed"):
        stitch(plan, loaded, run, [Stretch(3, None, 1e5), Stretch(len(loaded.period) - 3, run, 1e5)])
