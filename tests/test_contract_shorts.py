"""Shorts, both directions, borrow, margin and bankruptcy (H1-H6, C5), by hand calculations."""

from typing import Any

import numpy as np
import pytest

from backtesting.errors import InvalidInputError
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import NS_PER_DAY, Asset, AssetClass, BacktestResult, Bars, Costs, Simulation
from tests.fixtures.in_memory import Desk, between
from tests.fixtures.series import sample_bars
from tests.fixtures.trading import bars_from, traded

IBM = Asset("IBM", "IBM", AssetClass.EQUITY, "USD")
STAIRS = between([10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61])
DOWN = between([60, 50, 40, 30, 20, 10], [51, 41, 31, 21, 11, 9])
TEN = {"sizing": {"method": "fixed_units", "units": 10.0}, "initial_capital": 1000.0}
EVENTS = {"enter", "leave", "short", "cover"}


def short(bars: Bars, enter: tuple[int, ...] = (0,), **terms: Any) -> Simulation:
    return traded(bars, short=enter, **{"direction": "short"} | terms)


def run(bars: Bars, **asked: Any) -> BacktestResult:
    """Return the result of scripted decisions on these bars."""
    script = {name: value for name, value in asked.items() if name in EVENTS}
    options = {name: value for name, value in asked.items() if name not in EVENTS}
    return Desk(bars).result("scripted", parameters=script, **{"costs": "zero"} | options)


# H1: only on request


def test_h1_short_signals_count_only_where_shorts_are_asked_for() -> None:
    long, both = (traded(STAIRS, short=(0,), direction=direction) for direction in ("long", "both"))

    assert len(long.trades) == 0
    assert both.trades.is_short.tolist() == [True]


def test_h1_in_direction_short_long_signals_do_not_count() -> None:
    outcome = traded(STAIRS, enter=(0,), short=(2,), direction="short")

    assert outcome.trades.entry_bar.tolist() == [3]
    assert outcome.trades.is_short.tolist() == [True]


def test_h1_a_strategy_without_a_rule_for_shorts_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="use 'long'"):
        Desk(STAIRS).run("buy_and_hold", direction="short")


@pytest.mark.parametrize("strategy", ["sma_crossover", "macd", "rsi"])
def test_h1_a_registered_strategy_enters_short_where_it_leaves_long_and_back(strategy: str) -> None:
    signals = StrategyRegistry(STRATEGIES).configure(strategy, {})[0].signals(sample_bars("ibm").adjusted())

    assert signals.entries.any() and signals.exits.any()
    assert signals.short_entries is not None and signals.short_entries.tolist() == signals.exits.tolist()
    assert signals.short_exits is not None and signals.short_exits.tolist() == signals.entries.tolist()


@pytest.mark.parametrize("strategy", [each.id() for each in STRATEGIES if each.id() != "buy_and_hold"])
def test_h1_every_registered_strategy_can_be_traded_both_ways(strategy: str) -> None:
    trades = Desk(sample_bars("ibm"), IBM).result(strategy, direction="both", stop_loss=0.2).trades

    assert trades.is_short.any() and not trades.is_short.all()


# H2 and H3: collateral


def test_h2_a_short_of_full_size_is_worth_the_equity() -> None:
    outcome = short(DOWN)

    # 100 at 50: 2 units sold; each point down earns 2.
    assert outcome.units.tolist() == [0, -2, -2, -2, -2, -2]
    assert outcome.equity.tolist() == [100.0, 118.0, 138.0, 158.0, 178.0, 182.0]


def test_h2_a_larger_short_is_cut_to_the_equity_and_counted() -> None:
    outcome = short(DOWN, sizing={"method": "fixed_units", "units": 10.0})

    assert outcome.trades.quantity.tolist() == [2.0]
    assert outcome.counters["clipped_orders"] == 1


def test_h3_the_proceeds_of_a_short_buy_nothing() -> None:
    # Short 2 at 50 and worth 138 at the close of 31 that reverses: 138 are spent at 30, not 238.
    outcome = traded(DOWN, enter=(2,), short=(0,), direction="both")

    assert outcome.trades.quantity[1] == pytest.approx(138 / 30, rel=1e-13)
    assert outcome.trades.is_short.tolist() == [True, False]


def test_h2_costs_of_a_short_are_inside_the_budget() -> None:
    outcome = short(DOWN, cover=(2,), costs=Costs(commission=0.01, slippage=0.02))

    # Sold at 50 x 0.98, covered at 30 x 1.02, 1 % of each.
    units = 100 / (49 * 1.01)
    assert outcome.trades.quantity[0] == pytest.approx(units, rel=1e-13)
    assert outcome.trades.pnl[0] == pytest.approx(units * (49 - 30.6) - units * 0.01 * (49 + 30.6), rel=1e-13)
    assert outcome.equity[-1] == pytest.approx(100 + outcome.trades.pnl[0], rel=1e-13)


# O5 and O6 in both directions


def test_o6_an_opposite_entry_closes_and_opens_at_one_price_with_two_costs() -> None:
    outcome = traded(STAIRS, enter=(0,), short=(2,), direction="both", costs=Costs(commission=0.01, slippage=0.0))

    assert outcome.trades.exit_bar.tolist() == [3, 5]
    assert outcome.trades.exit_price[0] == outcome.trades.entry_price[1] == 40.0
    assert (outcome.trades.fees > 0).all()
    assert outcome.trades[0].exit_reason == "signal"


def test_o6_a_short_entry_while_short_is_ignored_and_counted() -> None:
    outcome = short(DOWN, (0, 1, 2))

    assert len(outcome.trades) == 1
    assert outcome.counters["ignored_signals"] == 2


def test_o5_opposite_entries_at_one_close_cancel_out_and_are_counted() -> None:
    outcome = traded(STAIRS, enter=(0,), short=(0,), direction="both")

    assert len(outcome.trades) == 0
    assert outcome.counters["conflicting_signals"] == 1


def test_o5_leaving_a_short_beats_entering_one_at_the_same_close() -> None:
    outcome = short(DOWN, (0, 2), cover=(2,))

    assert outcome.trades.exit_bar.tolist() == [3]
    assert outcome.counters["conflicting_signals"] == 1


# C5, what borrowing costs


def test_h4_a_short_pays_borrow_on_its_value_at_the_previous_close_by_days_of_365() -> None:
    costs = Costs(commission=0.0, slippage=0.0, borrow=0.365)

    outcome = short(DOWN, cover=(3,), costs=costs)

    # Two units: nothing on the day of the entry, then 0.1 % a night of 82, 62 and 42, the last before the exit's open.
    assert outcome.borrow_paid == pytest.approx(0.001 * (82 + 62 + 42), rel=1e-12)
    assert outcome.trades.borrow.tolist() == [pytest.approx(0.186, rel=1e-12)]
    assert outcome.trades.pnl[0] == pytest.approx(60 - 0.186, rel=1e-12)


def test_c5_longs_pay_no_borrow() -> None:
    outcome = traded(STAIRS, enter=(0,), stop_loss=0.9, costs=Costs(commission=0.0, slippage=0.0, borrow=0.3))

    assert outcome.borrow_paid == 0


def test_c5_a_weekend_counts_three_days() -> None:
    flat = bars_from((100,) * 4, (100,) * 4, (100,) * 4)
    monday = np.array([0, 0, 2 * NS_PER_DAY])

    outcome = short(Bars(flat.time + monday, *flat.ohlcv), costs=Costs(commission=0.0, slippage=0.0, borrow=0.365))

    assert outcome.borrow_paid == pytest.approx(100 * 0.001 * 3, rel=1e-12)


# H5, the maintenance margin


def test_h5_below_a_quarter_of_the_shorts_value_the_position_is_closed_at_the_next_open() -> None:
    bars = bars_from((100,) * 4, (100, 100, 100, 100), (100, 165, 100, 165), (166, 170, 160, 165), (165,) * 4)

    outcome = short(bars, **TEN)

    # At 165 equity is 350, a quarter of 1650 is 412.5; left at 166: 340 stay.
    assert outcome.trades.exit_bar.tolist() == [3]
    assert outcome.trades.exit_price.tolist() == [166.0]
    assert outcome.trades[0].exit_reason == "margin_call"
    assert outcome.equity.tolist() == [1000.0, 1000.0, 350.0, 340.0, 340.0]
    assert outcome.bankrupt_bar is None


def test_h5_above_it_the_position_stays() -> None:
    bars = bars_from((100,) * 4, (100,) * 4, (100, 160, 100, 160), (160,) * 4)

    # At 160 equity is 400 and a quarter of 1600 is 400.
    assert short(bars, **TEN).trades.is_open.tolist() == [True]


# H6, nothing left


CRASH = bars_from((100,) * 4, (100,) * 4, (100, 300, 100, 300), (310, 320, 300, 320), (320,) * 4, (100,) * 4)


def test_h6_without_equity_everything_is_closed_at_the_next_open_and_trading_ends() -> None:
    outcome = traded(CRASH, enter=(3,), short=(0,), direction="both", **TEN)

    # 10 short at 100 with 1000: at 300 equity is -1000, left at 310: -1100 for good; the entry of bar 3 is not made.
    assert outcome.bankrupt_bar == 2
    assert outcome.equity.tolist() == [1000.0, 1000.0, -1000.0, -1100.0, -1100.0, -1100.0]
    assert outcome.trades[0].exit_reason == "margin_call"
    assert len(outcome.trades) == 1


def test_h6_at_the_last_close_it_is_closed_there() -> None:
    outcome = short(CRASH[:3], **TEN)

    assert outcome.trades.exit_price.tolist() == [300.0]
    assert outcome.units[-1] == 0


def test_h6_growth_a_year_is_minus_1_and_ratios_have_no_value() -> None:
    summary = run(CRASH, short=(0,), direction="short", initial_capital=1000.0).summary

    # The benchmark is flat at 100 until the rise to 320 and back to 100.
    assert summary.metrics["total_return"] == pytest.approx(-2.1, rel=1e-12)
    assert summary.metrics["max_drawdown"] == pytest.approx(-2.1, rel=1e-12)
    assert (summary.metrics["cagr"], summary.metrics["annual_return"]) == (-1, -1)
    for key in ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "omega_ratio", "profit_factor", "psr"):
        assert (summary.metrics[key], summary.undefined[key]) == (None, "bankrupt")
    assert summary.metrics["benchmark_sharpe"] is not None
    assert summary.provenance["bankrupt"] == "2020-01-03"
    assert any(flag.code == "bankrupt" and "2020-01-03" in flag.message for flag in summary.flags)


def test_h6_a_bankrupt_account_has_no_pending_signal() -> None:
    assert short(CRASH, (0, 5), **TEN).counters["pending_signal"] == 0
