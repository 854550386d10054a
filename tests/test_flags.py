"""What speaks against believing a result: each flag raised by bars or requests that deserve it, and by no others."""

from dataclasses import asdict, replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from backtesting.flags import suspected_splits
from backtesting.types import Asset, AssetClass, Bars, Costs, Finding, Severity, Timeframe, instant
from tests.fixtures.in_memory import Desk, between, day, no_record
from tests.fixtures.series import bars_of, sample_bars

FREE = Costs(commission=0.0, slippage=0.0)
CHEAP = Costs(commission=0.001, slippage=0.0)
FLAT = bars_of(np.full(100, 100.0))


def flagged(bars: Bars, asset_class: AssetClass = AssetClass.EQUITY, **asked: Any) -> dict[str, str]:
    """Return the sentence of each flag, by its code."""
    run = Desk(bars, Asset("TEST", "Test", asset_class, "USD")).run(**asked)
    assert run.summary is not None
    return {flag.code: flag.message for flag in run.summary.flags}


def script(enter: tuple[int, ...] = (), leave: tuple[int, ...] = (), wait: int = 0) -> dict[str, Any]:
    return {"strategy_id": "scripted", "parameters": {"enter": enter, "leave": leave, "wait": wait}}


def round_trips(count: int) -> dict[str, Any]:
    """Return the request for this many closed trades, in at even bars and out at odd ones."""
    return script(enter=tuple(range(0, 2 * count, 2)), leave=tuple(range(1, 2 * count, 2)))


# Rule T7, splits in raw prices


@pytest.mark.parametrize(
    ("symbol", "splits"),
    [("aapl", ["2000-06-21", "2005-02-28"]), ("msft", ["2003-02-18"]), ("ibm", [])],
)
def test_t7_the_splits_of_the_samples_are_found_and_the_crash_of_2000_09_29_is_none(
    symbol: str, splits: list[str]
) -> None:
    bars = sample_bars(symbol)

    assert [f"{instant(bars.time[bar]):%Y-%m-%d}" for bar in suspected_splits(bars)] == splits
    assert len(suspected_splits(bars.adjusted())) == 0


def test_t7_raw_prices_with_splits_are_flagged_with_the_days_and_adjusted_ones_are_not() -> None:
    raw = flagged(sample_bars("aapl"), adjustment="raw")

    assert "2000-06-21, 2005-02-28:" in raw["unadjusted_split_suspected"]
    assert "unadjusted_split_suspected" not in flagged(sample_bars("aapl"))
    assert "unadjusted_split_suspected" not in flagged(sample_bars("ibm"), adjustment="raw")


@pytest.mark.parametrize("ratio", [2, 3, 4, 5, 10, 20, 1 / 2, 1 / 3, 1 / 20])
def test_t7_an_overnight_jump_by_a_split_ratio_or_its_inverse_is_suspected(ratio: float) -> None:
    bars = between([100, 100, 100 / ratio * 1.01], [100, 100, 100 / ratio])

    assert suspected_splits(bars).tolist() == [2]


@pytest.mark.parametrize("ratio", [1.5, 1.9, 2.2, 7, 30])
def test_t7_other_jumps_and_moves_within_a_bar_are_no_splits(ratio: float) -> None:
    assert suspected_splits(between([100, 100 / ratio], [100, 100 / ratio])).tolist() == []
    assert suspected_splits(between([100, 100], [100, 50])).tolist() == []


# How orders are filled and charged


def test_t2_fills_at_the_deciding_close_are_flagged_as_optimistic() -> None:
    assert "optimistic_fill" in flagged(FLAT, fill="same_close")
    assert "optimistic_fill" not in flagged(FLAT, fill="next_close")


def test_t6_fills_on_bars_without_volume_are_flagged_with_their_number() -> None:
    idle = Bars(FLAT.time, *FLAT.ohlcv[:4], np.zeros(100))

    assert flagged(idle, **script(enter=(0,), leave=(5,)))["zero_volume_fills"].startswith("2 fills")
    assert "zero_volume_fills" not in flagged(FLAT, **script(enter=(0,), leave=(5,)))


@pytest.mark.parametrize("costs", ["zero", FREE])
def test_c4_zero_costs_are_flagged_however_they_are_asked_for(costs: object) -> None:
    assert "zero_costs" in flagged(FLAT, costs=costs)


def test_c4_costs_left_open_are_never_zero() -> None:
    for asset_class in AssetClass:
        assert "zero_costs" not in flagged(FLAT, asset_class)


def test_c3_costs_of_an_unknown_class_are_flagged_as_assumed_unless_said() -> None:
    assert "costs_assumed" in flagged(FLAT, AssetClass.UNKNOWN)
    assert "costs_assumed" not in flagged(FLAT, AssetClass.UNKNOWN, costs=CHEAP)
    assert "costs_assumed" not in flagged(FLAT)


@pytest.mark.parametrize("asked", [{}, {"costs": "fx"}])
def test_c3_the_costs_of_currencies_say_that_swaps_are_missing(asked: dict[str, Any]) -> None:
    assert "swaps_not_modelled" in flagged(FLAT, AssetClass.FX, **asked)
    assert "swaps_not_modelled" not in flagged(FLAT, **asked | {"costs": "us_equity"})


def test_a2_the_calendar_of_an_unknown_class_is_flagged_as_assumed() -> None:
    assert "inferred from the days" in flagged(FLAT, AssetClass.UNKNOWN, costs=CHEAP)["calendar_assumed"]
    assert "calendar_assumed" not in flagged(FLAT, AssetClass.CRYPTO)


def test_a2_bars_on_weekends_are_flagged_where_the_market_is_closed_then() -> None:
    assert "taken for equity" in flagged(FLAT)["weekend_bars"]
    assert "weekend_bars" not in flagged(FLAT, AssetClass.CRYPTO) | flagged(FLAT, AssetClass.UNKNOWN, costs=CHEAP)
    assert "weekend_bars" not in flagged(sample_bars("ibm"))


def test_t6_where_sessions_are_not_known_missing_bars_are_not_counted_and_the_result_says_so() -> None:
    summary = Desk(FLAT, Asset("TEST", "Test", AssetClass.EQUITY, "USD")).run().summary

    assert summary is not None
    assert summary.counters["missing_bars"] is None
    assert {flag.code: flag.message for flag in summary.flags}["calendar_assumed"] == (
        "the sessions of TEST are not known: missing bars are not counted"
    )


# What is wrong with the bars


def test_t6_missing_bars_of_the_period_are_counted_and_those_before_it_are_not() -> None:
    # The two days gone in July are neighbours, the 4th being a holiday; the two in March are before the period.
    bars = sample_bars("ibm")
    gone = [
        np.datetime64(each, "ns").astype(np.int64) for each in ("2000-03-06", "2000-03-07", "2000-07-03", "2000-07-05")
    ]
    left = np.flatnonzero(~np.isin(bars.time, gone))
    desk = Desk(
        Bars(bars.time[left], *(column[left] for column in bars.ohlcv)),
        Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS"),
    )

    summary = desk.run(start_date=date(2000, 4, 3)).summary
    whole = Desk(bars, Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS")).run().summary

    assert summary is not None and whole is not None
    assert summary.counters["missing_bars"] == 2
    (told,) = [flag.message for flag in summary.flags if flag.code == "missing_bars"]
    assert told.startswith("2 bars that the calendar expects are missing")
    assert "from 2000-07-03 00:00 to 2000-07-05" in told
    assert whole.counters["missing_bars"] == 0
    assert "missing_bars" not in [flag.code for flag in whole.flags]


def found(*findings: Finding) -> dict[str, str]:
    """Return the flags of a run on bars whose import found these."""
    desk = Desk(FLAT, Asset("TEST", "Test", AssetClass.CRYPTO, "USD"))
    report = {"findings": [asdict(each) for each in findings]}
    desk.bars.store(desk.bars.asset("TEST"), Timeframe.D1, [FLAT[:1]], lambda: replace(no_record(), report=report))
    summary = desk.run().summary
    assert summary is not None
    return {flag.code: flag.message for flag in summary.flags}


def warning(code: str, message: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(code, severity, message, 1, (3,))


def test_t7_a_split_suspected_by_the_import_is_said_in_every_result() -> None:
    told = found(warning("unadjusted_split_suspected", "prices jump by a split ratio on 2020-02-03"))

    assert told["unadjusted_split_suspected"].startswith("prices jump by a split ratio on 2020-02-03; profit")
    assert "data_quality" not in told


def test_other_warnings_of_the_import_are_said_in_one_sentence_and_remarks_and_gaps_are_not() -> None:
    told = found(
        warning("gaps", "12 bars missing"),
        warning("repeated_rows", "2 rows repeat another", Severity.REMARK),
        *(warning("outliers", f"{count} bars far from both neighbours") for count in range(1, 6)),
    )

    assert told["data_quality"] == (
        "found when the bars were imported: 1 bars far from both neighbours; 2 bars far from both neighbours; "
        "3 bars far from both neighbours; and 2 more"
    )
    assert "data_quality" not in found(warning("gaps", "12 bars missing"))


# Warm-up


def test_w1_missing_warm_up_is_flagged_with_its_number_and_the_first_possible_fill() -> None:
    told = flagged(FLAT, **script(wait=20), start_date=day(5))

    # Five bars before the period; defined from bar 20, which fills at bar 21, 2020-01-22.
    assert told["warmup_short"].startswith("15 bars of warm-up before 2020-01-06 are not stored")
    assert "2020-01-22" in told["warmup_short"]
    assert "warmup_short" not in flagged(FLAT, **script(wait=20), start_date=day(20))


def test_w1_bars_for_recursive_indicators_to_settle_count_as_warm_up() -> None:
    bars = bars_of(100 + np.sin(np.arange(400.0)))

    # The MACD's 33 and 250 more.
    assert flagged(bars, strategy_id="macd", start_date=day(280))["warmup_short"].startswith("3 bars")
    assert "warmup_short" not in flagged(bars, strategy_id="macd", start_date=day(283))


# N5 and W6, weak evidence


@pytest.mark.parametrize(("trades", "few"), [(29, True), (30, False)])
def test_n5_fewer_than_30_closed_trades_are_few(trades: int, few: bool) -> None:  # noqa: FBT001 - the expectation
    told = flagged(FLAT, **round_trips(trades))

    assert ("few_trades" in told) == few


def test_n5_an_open_trade_is_no_closed_one() -> None:
    assert flagged(FLAT)["few_trades"].startswith("0 closed trades")


@pytest.mark.parametrize(("last", "few"), [(59, True), (60, False)])
def test_n5_fewer_than_60_sessions_are_few(last: int, few: bool) -> None:  # noqa: FBT001 - the expectation
    # The first stored bar is the base, so bar 60 ends the 60th session.
    assert ("few_sessions" in flagged(FLAT, end_date=day(last))) == few


def test_n5_figures_too_good_to_be_true_are_flagged() -> None:
    # Half a percent up a day, but for each tenth, flat: a Sharpe ratio of some 50.
    steps = np.where(np.arange(100) % 10 == 9, 1.0, 1.005)
    rising = bars_of(np.array(100 * np.cumprod(steps)))

    assert flagged(rising)["too_good"].startswith("cagr ")
    assert "too_good" not in flagged(FLAT)
    run = Desk(rising).run()
    assert run.summary is not None
    named = [flag.message.split()[0] for flag in run.summary.flags if flag.code == "too_good"]
    assert named == ["sharpe_ratio", "cagr"]


def test_n5_a_profit_factor_above_5_is_too_good() -> None:
    # From 100 to 106.1 and from 106.1 to 105.1: won 6.1, lost about 1 a hundred.
    bars = bars_of(np.array([100.0, 100, 106.1, 106.1, 105.1, 105.1, 105.1]))

    told = flagged(bars, **script(enter=(0, 2), leave=(1, 3)), costs=FREE)

    assert "too_good" in told


@pytest.mark.parametrize(("last", "flag"), [(104.0, True), (103.0, False)])
def test_w6_open_profit_above_a_quarter_of_all_is_flagged(last: float, flag: bool) -> None:  # noqa: FBT001
    # Units bought at 100 and sold at 110 earn 10 a unit; bought again at 110 x 100/110, they are 1.1 times as many.
    bars = bars_of(np.array([100.0, 100, 110, 100, 100, last, last]))

    told = flagged(bars, **script(enter=(0, 3), leave=(1,)), costs=FREE)

    # Open profit 1.1 x (last - 100), closed 10: a quarter of all is passed at last = 103.03.
    assert ("open_profit" in told) == flag


def test_w6_closed_losses_do_not_make_open_profit_a_larger_share() -> None:
    # All at a size of 1 % of equity: won 20 %, lost 16 %, still open 4 %: a sixth of the profits, half of the net.
    bars = bars_of(np.array([100.0, 100, 120, 100, 84, 100, 104, 104]))
    asked = script(enter=(0, 2, 4), leave=(1, 3))
    asked["parameters"]["position_size"] = 0.01

    assert "open_profit" not in flagged(bars, **asked, costs=FREE)


def test_a_loss_still_open_is_no_open_profit() -> None:
    assert "open_profit" not in flagged(bars_of(np.linspace(100, 50, 50)))
