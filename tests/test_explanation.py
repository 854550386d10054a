"""Why a trade was made: each fact worked out by hand from the bars of the test."""

from typing import Any, ClassVar

import numpy as np
import pytest

from backtesting.errors import BacktestError
from backtesting.explanation import explain
from backtesting.reporting.audit import explanation_lines
from backtesting.strategy import Strategy, StrategyType
from backtesting.types import Bars, Costs, Explanation, Signals, Timeframe, nanoseconds
from tests.fixtures.in_memory import STOCK, Desk, day, no_record
from tests.fixtures.series import p_bars, sample_bars
from tests.fixtures.trading import bars_from

COSTS = Costs(commission=0.01, slippage=0.02, fixed=3.0)
# open, high, low, close
BARS = bars_from(
    [100, 101, 99, 100],
    [100, 102, 98, 101],
    [102, 106, 101, 105],
    [105, 112, 104, 110],
    [109, 110, 90, 95],
    [95, 96, 94, 95],
)


def explained(desk: Desk, number: int = 0, strategy: str = "scripted", **options: Any) -> Explanation:
    return explain(desk.engine, desk.runs, desk.run(strategy, **options).id, number)


def script(enter: tuple[int, ...], leave: tuple[int, ...] = ()) -> dict[str, Any]:
    return {"enter": enter, "leave": leave}


def told(found: Explanation) -> str:
    return "\n".join(explanation_lines(found))


def test_both_sides_are_told_with_their_bar_and_their_share_of_the_costs() -> None:
    sizing = {"method": "fixed_units", "units": 10}

    found = explained(Desk(BARS), parameters=script((0,), (2,)), costs=COSTS, sizing=sizing)

    assert found.entry_decision is not None and found.exit_decision is not None
    assert (found.entry_decision.date.date(), found.exit_decision.date.date()) == (day(0), day(2))
    assert found.entry is not None and found.exit is not None
    # bought at 100 x 1.02, sold at 105 x 0.98; 10 units, 1 % and 3 of commission
    assert (found.entry.date.date(), found.entry.price, found.entry.bar) == (day(1), 102.0, (100, 102, 98, 101))
    assert (found.exit.date.date(), found.exit.bar) == (day(3), (105, 112, 104, 110))
    assert found.exit.price == pytest.approx(102.9)
    assert (found.entry.fees, found.entry.slippage) == pytest.approx((0.01 * 1020 + 3, 20.0))
    assert (found.exit.fees, found.exit.slippage) == pytest.approx((0.01 * 1029 + 3, 21.0))
    assert found.entry.fees + found.exit.fees == found.trade.fees
    assert (found.bars_held, found.levels) == (2, {})


def test_a_trade_is_told_by_the_indicators_of_the_deciding_bar_and_the_one_before() -> None:
    bars = p_bars()

    found = explained(Desk(bars), strategy="sma_crossover", parameters={"fast_period": 3, "slow_period": 8})

    assert found.entry_decision is not None and found.entry is not None
    decided = int(np.searchsorted(bars.time, nanoseconds(found.entry_decision.date)))
    fast, slow = (found.entry_decision.indicators[name] for name in ("sma_fast", "sma_slow"))
    means = [[bars.close[end - n : end].mean() for end in (decided, decided + 1)] for n in (3, 8)]
    assert (fast, slow) == (pytest.approx(tuple(means[0])), pytest.approx(tuple(means[1])))
    assert fast[0] <= slow[0] and fast[1] > slow[1], "which is the crossing"
    assert found.entry_decision.indicators["close"] == (bars.close[decided - 1], bars.close[decided])
    assert found.entry.bar[0] == bars.open[decided + 1]
    assert "the long entry rule is met" in told(found) and found.rule.startswith("Enters when")


def test_an_exit_by_a_stop_names_its_level_and_no_decision() -> None:
    found = explained(Desk(BARS), parameters=script((0,)), costs="zero", stop_loss=0.05, take_profit=0.5)

    assert found.trade.exit_reason == "stop" and found.exit_decision is None
    assert found.levels == pytest.approx({"stop": 95.0, "target": 150.0})  # 5 % under, 50 % over an entry at 100
    assert found.exit is not None and found.exit.price == pytest.approx(95.0)
    assert "exit: the price reached the stop" in told(found) and "levels in that bar: stop 95, target 150" in told(
        found
    )


def test_a_trailing_stop_hangs_from_the_high_of_the_bars_before_its_last() -> None:
    found = explained(Desk(BARS), parameters=script((0,)), costs="zero", trailing_stop=0.1)

    assert found.trade.exit_reason == "trailing"
    assert found.levels == pytest.approx({"trailing stop": 112 * 0.9})  # the bar of the exit reached 110 alone
    assert found.exit is not None and found.exit.price == pytest.approx(100.8)


def test_a_distance_in_ranges_is_measured_at_the_deciding_bar() -> None:
    desk = Desk(BARS)

    found = explained(
        desk, parameters=script((1,)), costs="zero", stop_loss={"atr": 2, "period": 1}, stop_base="signal_close"
    )

    # the true range of bar 1 is 102 - 98 = 4, its close 101: the stop lies at 101 - 2 x 4
    assert found.levels == pytest.approx({"stop": 93.0})
    assert found.trade.exit_reason == "stop" and found.exit is not None and found.exit.price == pytest.approx(93.0)


def test_an_open_trade_has_no_exit_and_levels_for_the_bar_to_come() -> None:
    found = explained(Desk(BARS[:4]), parameters=script((0,)), costs="zero", trailing_stop=0.2)

    assert (found.exit, found.exit_decision, found.trade.exit_reason) == (None, None, None)
    assert found.levels == pytest.approx({"trailing stop": 112 * 0.8})
    assert "levels for the next bar" in told(found) and "still open" in told(found)


class Flip(Strategy):
    """Buys on the first day and sells short on the third."""

    title: ClassVar[str] = "Flip"
    strategy_type: ClassVar[StrategyType] = "benchmark"

    @property
    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars) -> Signals:
        at, never = np.arange(len(bars)), np.zeros(len(bars), np.bool_)
        return Signals(at == 0, never, short_entries=at == 2, short_exits=never)


def test_an_opposite_entry_closes_and_a_short_is_sold_below_the_open() -> None:
    desk = Desk(BARS, strategies=[Flip])
    run = desk.run(Flip.id(), direction="both", costs=COSTS)

    long, short = (explain(desk.engine, desk.runs, run.id, number) for number in (0, 1))

    assert long.exit_decision is not None and long.exit_decision.date.date() == day(2)
    assert long.exit_decision.condition == "the short entry rule, which closes first, is met"
    assert short.entry_decision is not None and short.entry_decision.condition == "the short entry rule is met"
    assert short.entry is not None and short.entry.price == pytest.approx(105 * 0.98)
    assert short.entry.slippage == pytest.approx(105 * 0.02 * short.trade.quantity)


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
def test_every_fill_lies_in_the_bar_it_is_told_with_and_after_its_decision(fill: str) -> None:
    desk = Desk(sample_bars("ibm"))
    run = desk.run("rsi", fill=fill, costs="zero", stop_loss=0.1)
    assert run.summary is not None

    for number in range(run.summary.trades):
        found = explain(desk.engine, desk.runs, run.id, number)
        for side in filter(None, (found.entry, found.exit)):
            assert side.bar[2] - 1e-9 <= side.price <= side.bar[1] + 1e-9
            assert (side.fees, side.slippage) == pytest.approx((0, 0), abs=1e-6)
        assert found.entry_decision is not None and found.entry is not None
        assert found.entry_decision.date == found.trade.decision_date
        assert (found.entry_decision.date < found.entry.date) is (fill != "same_close")
        if found.trade.exit_reason == "stop":
            assert found.exit is not None and found.exit.price <= found.levels["stop"] * (1 + 1e-12)


def test_changed_bars_leave_the_stored_trade_alone_and_say_what_changed() -> None:
    desk = Desk(BARS)
    run = desk.run("scripted", parameters=script((0,), (2,)), costs="zero")
    twice = Bars(BARS.time.copy(), *(2 * column for column in BARS.ohlcv))
    desk.bars.store(STOCK, Timeframe.D1, [twice], no_record)

    found = explain(desk.engine, desk.runs, run.id, 0)

    assert (found.entry_decision, found.entry, found.exit, found.bars_held) == (None, None, None, None)
    assert found.trade.entry_price == 100.0
    assert [each.what for each in found.changes] == ["data"]
    assert "so this is told from the stored trade alone: data: " in told(found)


@pytest.mark.parametrize(
    ("enter", "number", "words"),
    [((0,), 1, "its trades are 0 alone"), ((0,), -1, "no trade -1"), ((), 0, "made no trades")],
)
def test_a_number_out_of_range_is_told_what_would_be_right(enter: tuple[int, ...], number: int, words: str) -> None:
    with pytest.raises(BacktestError, match=words):
        explained(Desk(BARS), number, parameters=script(enter))


def test_a_failed_run_has_no_trades_to_explain() -> None:
    desk = Desk(BARS)
    with pytest.raises(BacktestError) as failure:
        desk.run("sma_crossover")
    assert failure.value.run_id is not None

    with pytest.raises(BacktestError, match="failed and has no trades: sma_crossover needs 49 bars"):
        explain(desk.engine, desk.runs, failure.value.run_id, 0)
