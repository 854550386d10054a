"""What fills cost: every form of commission and slippage, presets, and zero only by request (C1-C4), by hand."""

from typing import Any

import numpy as np
import pytest

from backtesting.types import BacktestResult, Bars, Costs, Simulation
from tests.fixtures.in_memory import Desk, between
from tests.fixtures.trading import bars_from, traded

STAIRS = between([10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61])
UNITS = {"sizing": {"method": "fixed_units", "units": 4.0}, "initial_capital": 1000.0}


def round_trip(bars: Bars = STAIRS, **rates: Any) -> Simulation:
    """Buy 4 units at 20 and sell them at 50, before costs."""
    costs = Costs.model_validate({"commission": 0.0, "slippage": 0.0, **rates})
    return traded(bars, enter=(0,), leave=(3,), costs=costs, **UNITS)


def asked(**options: Any) -> BacktestResult:
    return Desk(STAIRS).result("scripted", parameters={"enter": (0,), "leave": (3,)}, **options)


# C1 and C2: commission


@pytest.mark.parametrize(
    ("rates", "entry_fee", "exit_fee"),
    [
        ({"commission": 0.01}, 0.8, 2.0),
        ({"per_unit": 0.5}, 2.0, 2.0),
        ({"fixed": 3.0}, 3.0, 3.0),
        ({"commission": 0.01, "per_unit": 0.5, "fixed": 3.0}, 5.8, 7.0),
        ({"commission": 0.01, "min_fee": 1.5}, 1.5, 2.0),
    ],
)
def test_c2_commission_is_rate_and_unit_and_fixed_costs_but_at_least_the_minimum(
    rates: dict[str, float], entry_fee: float, exit_fee: float
) -> None:
    outcome = round_trip(**rates)

    assert outcome.trades.fees[0] == pytest.approx(entry_fee + exit_fee, rel=1e-13)
    assert outcome.equity[-1] == pytest.approx(1000 + 4 * 30 - entry_fee - exit_fee, rel=1e-13)


# C1 and C2: slippage


def test_c1_slippage_worsens_the_entry_and_the_exit() -> None:
    outcome = round_trip(slippage=0.01)

    assert outcome.trades.entry_price[0] == pytest.approx(20.2, rel=1e-14)
    assert outcome.trades.exit_price[0] == pytest.approx(49.5, rel=1e-14)
    assert outcome.slippage_paid == pytest.approx(4 * (0.2 + 0.5), rel=1e-12)


def test_c2_half_a_spread_is_paid_in_price() -> None:
    outcome = round_trip(half_spread=0.25)

    assert outcome.trades.entry_price[0] == pytest.approx(20.25, rel=1e-14)
    assert outcome.trades.exit_price[0] == pytest.approx(49.75, rel=1e-14)


def test_c2_slippage_by_atr_is_that_of_the_bar_before_the_fill() -> None:
    rows = [(100.0, 102.0, 98.0, 100.0)] * 4 + [(100.0, 150.0, 50.0, 100.0), (100.0, 101.0, 99.0, 100.0)]
    costs = Costs.model_validate({"commission": 0.0, "slippage": 0.0, "slippage_atr": {"atr": 0.25, "period": 2}})

    outcome = traded(bars_from(*rows), enter=(3,), leave=(4,), costs=costs, first_decision=3, **UNITS)

    # ATR 4 before the entry; the range of 100 makes it (4 + 100) / 2 before the exit.
    assert outcome.trades.entry_price[0] == pytest.approx(101.0, rel=1e-14)
    assert outcome.trades.exit_price[0] == pytest.approx(87.0, rel=1e-14)


@pytest.mark.parametrize(("volume", "share"), [(400.0, 0.01), (16.0, 0.25), (1.0, 1.0), (0.0, 1.0)])
def test_c2_slippage_grows_with_the_root_of_the_share_of_the_bars_volume(volume: float, share: float) -> None:
    bars = Bars(STAIRS.time, *STAIRS.ohlcv[:4], np.full(6, volume))

    outcome = round_trip(bars, participation=0.1)

    assert outcome.trades.entry_price[0] == pytest.approx(20 * (1 + 0.1 * share**0.5), rel=1e-13)
    assert outcome.trades.exit_price[0] == pytest.approx(50 * (1 - 0.1 * share**0.5), rel=1e-13)


def test_c2_an_order_sized_by_money_fits_the_budget_at_the_price_it_makes() -> None:
    bars = Bars(STAIRS.time, *STAIRS.ohlcv[:4], np.full(6, 100.0))
    costs = Costs(commission=0.01, slippage=0.001, participation=0.2)

    trade = traded(bars, enter=(0,), costs=costs, initial_capital=1000.0).trades[0]

    assert trade.entry_price == pytest.approx(20 * (1.001 + 0.2 * (trade.quantity / 100) ** 0.5), rel=1e-12)
    assert trade.quantity * trade.entry_price * 1.01 == pytest.approx(1000.0, rel=1e-12)


def test_c2_the_forms_of_slippage_add_up() -> None:
    outcome = round_trip(slippage=0.01, half_spread=0.2)

    assert outcome.trades.entry_price[0] == pytest.approx(20 + 0.2 + 0.2, rel=1e-14)


def test_c2_no_slippage_takes_more_than_95_percent_of_a_price() -> None:
    outcome = round_trip(half_spread=49.9)

    assert outcome.trades.exit_price[0] == pytest.approx(50 * 0.05, rel=1e-12)


# C3 and C4: presets, overrides, zero


def test_c3_fees_and_slippage_override_their_part_of_a_preset() -> None:
    told = asked(fees=0.005).summary.provenance["costs"]

    assert told == {"commission": 0.005, "slippage": 0.0002, "borrow": 0.01}


def test_c3_costs_without_a_borrow_rate_take_that_of_the_class() -> None:
    told = asked(costs={"commission": 0.001, "slippage": 0.0}).summary.provenance["costs"]

    assert told["borrow"] == 0.01


def test_c4_zero_costs_are_flagged_however_they_were_asked_for() -> None:
    free = [asked(costs="zero"), asked(fees=0.0, slippage=0.0)]

    assert [any(flag.code == "zero_costs" for flag in each.summary.flags) for each in free] == [True, True]


def test_c4_costs_of_another_kind_are_not_zero() -> None:
    costs = {"commission": 0.0, "slippage": 0.0, "fixed": 1.0}

    assert not any(flag.code == "zero_costs" for flag in asked(costs=costs).summary.flags)


def test_c4_every_cost_is_told_in_money_and_all_of_them_as_a_drag_on_the_return() -> None:
    costs = {"commission": 0.0, "slippage": 0.0, "fixed": 30.0, "half_spread": 0.5}
    units = {"method": "fixed_units", "units": 1000.0}

    metrics = asked(costs=costs, sizing=units).summary.metrics

    # Two fills: 30 and 500 each, of 100 000.
    assert (metrics["fees_paid"], metrics["slippage_paid"], metrics["borrow_paid"]) == (60.0, 1000.0, 0.0)
    assert metrics["cost_drag"] == pytest.approx(-0.0106, rel=1e-10)


def test_a6_buy_and_hold_pays_the_same_costs() -> None:
    metrics = asked(costs={"commission": 0.0, "slippage": 0.0, "fixed": 100.0, "half_spread": 1.0}).summary.metrics

    # 99 900 buy at 21 and are worth 61 at the end.
    assert metrics["benchmark_return"] == pytest.approx(99_900 / 21 * 61 / 100_000 - 1, rel=1e-12)


def test_a6_the_strategy_buy_and_hold_at_full_size_is_the_benchmark() -> None:
    metrics = Desk(STAIRS).result(costs={"commission": 0.001, "slippage": 0.001, "fixed": 9.0}).summary.metrics

    assert metrics["total_return"] == metrics["benchmark_return"]
    assert metrics["excess_return"] == 0
