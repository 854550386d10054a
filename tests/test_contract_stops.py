"""Stops, targets, trailing stops and time stops on hand-made bars, and the order of events in a bar (O1-O3, S1-S9).

Bar 0 is flat at 100, an entry decided there fills at the open of bar 1, at 100, with 10 units, free of costs unless
something else is said. Most expected fills are those of contract 13.5, confirmed there by a plain loop.
"""

from typing import Any

import numpy as np
import pytest

from backtesting.conditions import conditions_of
from backtesting.errors import BadBarsError
from backtesting.types import Costs, OrderOptions, Simulation
from tests.fixtures.in_memory import Desk
from tests.fixtures.series import bars_of, daily, p_bars, p_close
from tests.fixtures.trading import FREE, bars_from, traded

FLAT = (100.0, 100.0, 100.0, 100.0)
QUIET = (100.0, 102.0, 99.0, 100.0)
TEN = {"sizing": {"method": "fixed_units", "units": 10.0}, "initial_capital": 1000.0}
SMA = {"fast_period": 5, "slow_period": 20}


def long_over(*rows: tuple[float, float, float, float], leave: tuple[int, ...] = (), **terms: Any) -> Simulation:
    return traded(bars_from(FLAT, *rows), enter=(0,), leave=leave, **TEN | terms)


def short_over(*rows: tuple[float, float, float, float], **terms: Any) -> Simulation:
    return traded(bars_from(FLAT, *rows), short=(0,), **TEN | {"direction": "short"} | terms)


def the_exit(outcome: Simulation) -> tuple[int, float, str | None]:
    """Return bar, price and reason of the first trade's exit."""
    trade = outcome.trades[0]
    return int(outcome.trades.exit_bar[0]), float(outcome.trades.exit_price[0]), trade.exit_reason


# S3 and S4: what they fill at


def test_s3_a_stop_fills_at_its_level() -> None:
    outcome = long_over(QUIET, (99, 100, 94, 97), stop_loss=0.05)

    assert the_exit(outcome) == (2, 95.0, "stop")
    assert outcome.equity.tolist() == [1000.0, 1000.0, 950.0]


def test_s3_a_stop_that_is_gapped_through_fills_at_the_open() -> None:
    assert the_exit(long_over(QUIET, (90, 91, 89, 90), stop_loss=0.05)) == (2, 90.0, "stop")


def test_s3_a_stop_is_a_market_order_and_pays_slippage() -> None:
    outcome = long_over(QUIET, (100, 100, 90, 95), stop_loss=0.05, costs=Costs(commission=0.0, slippage=0.01))

    # Base 100 x 1.01 = 101, level 101 x 0.95 = 95.95, fill 95.95 x 0.99.
    assert the_exit(outcome) == (2, pytest.approx(94.9905, rel=1e-14), "stop")


def test_s4_a_target_is_a_limit_order_without_slippage() -> None:
    outcome = long_over(QUIET, (100, 120, 100, 110), take_profit=0.1, costs=Costs(commission=0.0, slippage=0.01))

    # Base 101, level 101 x 1.1; the only slippage is that of the entry: the 1000 / 101 units that 1000 buy, at 1 each.
    assert the_exit(outcome) == (2, pytest.approx(111.1, rel=1e-14), "target")
    assert outcome.slippage_paid == pytest.approx(1000 / 101, rel=1e-12)


def test_s4_a_target_that_is_gapped_over_fills_at_the_open_which_is_better() -> None:
    assert the_exit(long_over(QUIET, (115, 116, 90, 100), take_profit=0.1)) == (2, 115.0, "target")


def test_s4_a_target_pays_commission() -> None:
    outcome = long_over(QUIET, (100, 120, 100, 110), take_profit=0.1, costs=Costs(commission=0.01, slippage=0.0))

    # 1000 buy 1000 / 1.01 / 100 units; sold at 110.
    units = 1000 / 1.01 / 100
    assert outcome.trades.fees[0] == pytest.approx(units * 100 * 0.01 + units * 110 * 0.01, rel=1e-12)


# O1-O3: the order of events


def test_o2_the_entry_bar_counts() -> None:
    assert the_exit(long_over((100, 102, 88, 95), QUIET, stop_loss=0.05)) == (1, 95.0, "stop")


def test_o1_a_scheduled_exit_at_the_open_beats_a_stop_of_the_same_bar() -> None:
    assert the_exit(long_over(QUIET, (98, 99, 80, 85), leave=(1,), stop_loss=0.05)) == (2, 98.0, "signal")


def test_o1_a_scheduled_exit_beats_a_stop_at_the_same_open() -> None:
    assert the_exit(long_over(QUIET, (90, 91, 80, 85), leave=(1,), stop_loss=0.05)) == (2, 90.0, "signal")


def test_o1_an_open_beyond_the_target_comes_before_a_low_beyond_the_stop() -> None:
    outcome = long_over(QUIET, (115, 116, 90, 100), stop_loss=0.05, take_profit=0.1)

    assert the_exit(outcome) == (2, 115.0, "target")
    assert outcome.counters["ambiguous_bars"] == 0


def test_o3_a_position_filled_at_a_close_is_first_exposed_in_the_next_bar() -> None:
    entered = (100.0, 100.0, 80.0, 100.0)
    outcome = traded(bars_from(FLAT, entered, (100, 100, 94, 96)), enter=(0,), fill="next_close", stop_loss=0.05, **TEN)

    assert the_exit(outcome) == (2, 95.0, "stop")


def test_o3_a_scheduled_exit_at_the_close_comes_after_a_stop_inside_the_bar() -> None:
    bars = bars_from(FLAT, FLAT, (100, 100, 94, 99))
    outcome = traded(bars, enter=(0,), leave=(1,), fill="next_close", stop_loss=0.05, **TEN)

    assert the_exit(outcome) == (2, 95.0, "stop")


def test_o4_a_signal_at_the_close_of_the_stops_bar_enters_at_the_next_open() -> None:
    bars = bars_from(FLAT, QUIET, (100, 100, 94, 96), (97, 98, 97, 98))
    outcome = traded(bars, enter=(0, 2), stop_loss=0.05, **TEN)

    assert outcome.trades.entry_bar.tolist() == [1, 3]
    assert outcome.trades.entry_price.tolist() == [100.0, 97.0]


def test_o4_a_signal_that_met_a_position_is_dropped_even_if_a_stop_has_ended_it_by_its_fill() -> None:
    bars = bars_from(FLAT, QUIET, (90, 91, 89, 90), QUIET)
    outcome = traded(bars, enter=(0, 1), stop_loss=0.05, **TEN)

    # The second entry, decided at the close of bar 1 while holding, would fill at the open the stop leaves at.
    assert len(outcome.trades) == 1
    assert outcome.counters["ignored_signals"] == 1


# S1, S2, S8: where levels lie and when they count


def test_s1_levels_come_from_the_fill_slippage_included() -> None:
    outcome = long_over((104, 104, 103, 104), (100, 100, 98, 99), stop_loss=0.05)

    assert the_exit(outcome) == (2, pytest.approx(104 * 0.95, rel=1e-14), "stop")


def test_s1_with_signal_close_levels_come_from_the_close_that_decided() -> None:
    outcome = long_over((104, 104, 103, 104), (100, 100, 94, 99), stop_loss=0.05, stop_base="signal_close")

    assert the_exit(outcome) == (2, 95.0, "stop")


def test_s1_a_bracket_whose_target_the_entry_has_passed_is_left_at_that_open() -> None:
    outcome = long_over((115, 116, 114, 115), take_profit=0.1, stop_base="signal_close")

    assert the_exit(outcome) == (1, 115.0, "target")


def test_s1_an_atr_stop_uses_the_atr_of_the_deciding_bar() -> None:
    rows = [(100.0, 102.0, 98.0, 100.0)] * 4 + [(100.0, 110.0, 90.0, 100.0), (100.0, 100.0, 85.0, 95.0)]
    outcome = traded(bars_from(*rows), enter=(3,), stop_loss={"atr": 2.0, "period": 3}, **TEN, first_decision=3)

    # Every true range up to the decision is 4: the level is 100 - 2 x 4, whatever the range of 20 afterwards.
    assert the_exit(outcome) == (4, 92.0, "stop")


def test_s2_a_level_that_float64_puts_above_the_price_is_reached() -> None:
    assert 100 * 1.1 > 110

    outcome = long_over(QUIET, (100, 110, 100, 105), take_profit=0.1, limit_touch=True)

    assert the_exit(outcome) == (2, 100 * 1.1, "target")


def test_s8_a_target_that_is_only_touched_does_not_fill() -> None:
    assert long_over(QUIET, (100, 110, 100, 105), take_profit=0.1).trades.is_open.tolist() == [True]


def test_s8_a_target_that_is_traded_through_fills() -> None:
    assert the_exit(long_over(QUIET, (100, 110.01, 100, 105), take_profit=0.1)) == (2, 100 * 1.1, "target")


def test_t8_the_atr_that_stops_are_measured_by_is_talibs() -> None:
    i = np.arange(120)
    close, high = p_close(), p_close() + 1 + 0.5 * np.sin(i)
    bars = daily(close, high, close - 1 - 0.5 * np.cos(i), close)

    known = conditions_of(bars, bars.time, OrderOptions.model_validate({"stop_loss": {"atr": 2.0}}), FREE, 252.0)

    # Contract 13.1
    assert known.true_range[14][[14, 119]] == pytest.approx([4.115572798491163, 4.044067068445232], rel=1e-13)
    assert np.isnan(known.true_range[14][:14]).all() and np.isfinite(known.true_range[14][14:]).all()


# S5, trailing stops


def test_s5_a_trailing_stop_follows_the_peak_of_earlier_bars() -> None:
    outcome = long_over((100, 110, 100, 109), (109, 120, 108.5, 118), (118, 118, 107, 108), trailing_stop=0.1)

    assert the_exit(outcome) == (3, 108.0, "trailing")


def test_s5_a_bars_own_high_does_not_raise_the_level_it_is_tested_against() -> None:
    outcome = long_over((100, 130, 112, 115), (115, 116, 114, 115), trailing_stop=0.1)

    # The peak of 130 sets 117 for bar 2, whose open of 115 has passed it.
    assert the_exit(outcome) == (2, 115.0, "trailing")


def test_s5_with_a_stop_the_tighter_level_holds() -> None:
    outcome = long_over(QUIET, (100, 100, 90, 92), trailing_stop=0.08, stop_loss=0.05)
    later = long_over((100, 120, 100, 119), (119, 119, 100, 101), trailing_stop=0.08, stop_loss=0.05)

    assert the_exit(outcome) == (2, 95.0, "stop")
    assert the_exit(later) == (2, pytest.approx(120 * 0.92, rel=1e-14), "trailing")


def test_s5_an_atr_trail_lies_a_distance_below_the_peak() -> None:
    rows = [(100.0, 102.0, 98.0, 100.0)] * 4 + [(100.0, 108.0, 100.0, 107.0), (107.0, 107.0, 90.0, 95.0)]
    outcome = traded(bars_from(*rows), enter=(3,), trailing_stop={"atr": 1.5, "period": 3}, **TEN, first_decision=3)

    # ATR 4 at the decision; peak 108: level 108 - 6.
    assert the_exit(outcome) == (5, 102.0, "trailing")


# S6, ambiguous bars


def test_s6_where_both_lie_in_a_bar_the_stop_counts_and_the_bar_is_counted() -> None:
    outcome = long_over(QUIET, (100, 112, 94, 100), stop_loss=0.05, take_profit=0.1)

    assert the_exit(outcome) == (2, 95.0, "stop")
    assert outcome.counters["ambiguous_bars"] == 1


def test_s6_the_optimistic_return_stands_beside_the_pessimistic_one() -> None:
    outcome = long_over(QUIET, (100, 112, 94, 100), stop_loss=0.05, take_profit=0.1)

    # 10 units: 5 lost each, or 10 won each, of 1000.
    assert outcome.equity[-1] == 950.0
    assert outcome.optimistic_return == pytest.approx(0.1, rel=1e-12)


def test_s6_optimistic_takes_the_target() -> None:
    outcome = long_over(QUIET, (100, 112, 94, 100), stop_loss=0.05, take_profit=0.1, intrabar="optimistic")

    assert the_exit(outcome) == (2, 100 * 1.1, "target")
    assert outcome.counters["ambiguous_bars"] == 1


def test_s6_a_bar_whose_own_high_would_have_raised_the_trail_into_its_range_is_ambiguous() -> None:
    outcome = long_over((100, 130, 112, 125), QUIET, trailing_stop=0.1)

    assert outcome.counters["ambiguous_bars"] == 1


def test_s6_without_ambiguous_bars_both_returns_are_one() -> None:
    outcome = long_over(QUIET, (99, 100, 94, 97), stop_loss=0.05, take_profit=0.1)

    assert outcome.optimistic_return == outcome.equity[-1] / 1000 - 1


def test_s6_a_run_says_how_many_bars_and_what_else_it_could_have_been() -> None:
    bars = bars_from(FLAT, QUIET, (100, 112, 94, 100))
    options = {"stop_loss": 0.05, "take_profit": 0.1, "costs": "zero"}

    summary = Desk(bars).result("scripted", parameters={"enter": (0,)}, **options).summary

    assert summary.counters["ambiguous_bars"] == 1
    assert summary.metrics["total_return"] == pytest.approx(-0.05, rel=1e-12)
    assert summary.metrics["total_return_optimistic"] == pytest.approx(0.1, rel=1e-12)
    assert next(flag.message for flag in summary.flags if flag.code == "ambiguous_bars").endswith(
        "total return is 10.00%"
    )


# S7: what they need


def test_s7_a_series_of_closes_alone_refuses_stops() -> None:
    with pytest.raises(BadBarsError, match="high and a low"):
        traded(bars_of(np.array([100.0, 101.0, 99.0])), enter=(0,), stop_loss=0.05)


# S9: reasons, and time stops


def test_s9_max_holding_leaves_after_so_many_bars() -> None:
    outcome = long_over(QUIET, QUIET, (101, 102, 99, 100), QUIET, max_holding=2)

    assert the_exit(outcome) == (3, 101.0, "max_holding")


def test_s9_a_signal_due_at_the_same_bar_is_the_reason() -> None:
    assert the_exit(long_over(QUIET, QUIET, QUIET, leave=(2,), max_holding=2))[2] == "signal"


def test_s9_close_at_end_closes_with_costs_at_the_last_close() -> None:
    outcome = long_over(QUIET, (100, 106, 99, 105), close_at_end=True, costs=Costs(commission=0.0, slippage=0.01))

    assert the_exit(outcome) == (2, pytest.approx(105 * 0.99, rel=1e-14), "end_of_data")
    assert outcome.units[-1] == 0


def test_s9_an_open_trade_has_no_reason() -> None:
    outcome = long_over(QUIET, QUIET, stop_loss=0.5)

    assert outcome.trades[0].exit_reason is None
    assert outcome.trades.is_open.tolist() == [True]


# Shorts mirror


def test_s3_a_shorts_stop_lies_above_and_fills_at_the_open_when_gapped() -> None:
    assert the_exit(short_over(QUIET, (101, 106, 100, 105), stop_loss=0.05)) == (2, 105.0, "stop")
    assert the_exit(short_over(QUIET, (110, 111, 109, 110), stop_loss=0.05)) == (2, 110.0, "stop")


def test_s4_a_shorts_target_lies_below() -> None:
    assert the_exit(short_over(QUIET, (99, 100, 89, 95), take_profit=0.1)) == (2, 90.0, "target")


def test_s5_a_shorts_trail_follows_the_lows() -> None:
    outcome = short_over((100, 101, 80, 82), (82, 90, 81, 89), trailing_stop=0.1)

    assert the_exit(outcome) == (2, pytest.approx(88.0, rel=1e-14), "trailing")


# 13.3: golden runs on series P


def golden(**options: Any) -> Any:
    costs = Costs(commission=0.001, slippage=0.0)
    sizing = {"method": "fixed_units", "units": 100.0}
    return Desk(p_bars()).result("sma_crossover", parameters=SMA, costs=costs, sizing=sizing, **options)


def test_golden_run_of_100_units_without_stops() -> None:
    result = golden()

    # vectorbt Rust = Numba = backtesting.py = a plain loop
    assert result.summary.metrics["final_capital"] == pytest.approx(99459.1407769027, rel=1e-13)
    assert result.trades.entry_bar.tolist() == [32, 64, 95]
    assert result.trades.exit_bar.tolist() == [48, 80, 111]


def test_golden_run_with_a_bracket_from_the_signals_close() -> None:
    result = golden(stop_loss=0.03, take_profit=0.05, stop_base="signal_close", limit_touch=True)

    # backtesting.py = a plain loop
    assert result.summary.metrics["final_capital"] == pytest.approx(100723.2995362909, rel=1e-13)
    told = [
        (int(bar), float(price), trade.exit_reason)
        for bar, price, trade in zip(result.trades.exit_bar, result.trades.exit_price, result.trades, strict=True)
    ]
    assert told == [
        (32, pytest.approx(99.58790622017713, rel=1e-13), "stop"),
        (67, pytest.approx(109.54875647014397, rel=1e-13), "target"),
        (97, pytest.approx(110.70284457273502, rel=1e-13), "target"),
    ]


def test_golden_run_with_a_bracket_from_the_fill() -> None:
    result = golden(stop_loss=0.03, take_profit=0.05, limit_touch=True)

    # a plain loop
    assert result.summary.metrics["final_capital"] == pytest.approx(101495.91867544843, rel=1e-13)


# MAE and MFE


def test_mae_and_mfe_are_the_extremes_between_entry_and_exit() -> None:
    trade = long_over((100, 103, 97, 101), (101, 108, 99, 104), (104, 120, 90, 100), leave=(2,)).trades[0]

    # Bars 1 and 2 whole, of bar 3 only the exit at its open.
    assert trade.mae == pytest.approx(-0.03, rel=1e-12)
    assert trade.mfe == pytest.approx(0.08, rel=1e-12)


def test_mae_of_a_stop_is_its_fill_and_the_rest_of_its_bar_does_not_count() -> None:
    trade = long_over((100, 103, 97, 101), (101, 150, 80, 100), stop_loss=0.05, intrabar="pessimistic").trades[0]

    assert trade.mae == pytest.approx(-0.05, rel=1e-12)
    assert trade.mfe == pytest.approx(0.03, rel=1e-12)


def test_mae_and_mfe_of_a_short_are_mirrored() -> None:
    trade = short_over((100, 103, 97, 101), (101, 102, 92, 93)).trades[0]

    assert trade.mae == pytest.approx(-0.03, rel=1e-12)
    assert trade.mfe == pytest.approx(0.08, rel=1e-12)


def test_mae_of_a_position_entered_at_a_close_leaves_its_bar_out() -> None:
    bars = bars_from(FLAT, (100, 200, 50, 100), (100, 104, 98, 100))
    trade = traded(bars, enter=(0,), fill="next_close", **TEN).trades[0]

    assert (trade.mae, trade.mfe) == (pytest.approx(-0.02, rel=1e-12), pytest.approx(0.04, rel=1e-12))


# What is refused


def test_a_stop_of_all_of_the_price_is_refused() -> None:
    with pytest.raises(ValueError, match="stop_loss"):
        Desk(p_bars()).request(stop_loss=1.0)


def test_decisions_without_stops_need_no_high_and_low() -> None:
    assert len(traded(bars_of(np.array([100.0, 101.0, 99.0])), enter=(0,)).trades) == 1
