"""A run told in text, and a long curve told in few points."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.errors import NoBarsError
from backtesting.lookahead import LookAheadReport
from backtesting.metrics.growth import Drawdown, RollingSharpe, Year
from backtesting.reporting.curve import downsample
from backtesting.reporting.periods import drawdown_lines, rolling_line, year_lines
from backtesting.reporting.text import (
    definition_lines,
    headline,
    metric_lines,
    parameter_lines,
    report,
    strategy_lines,
    table,
    terms,
    trade_lines,
    value,
)
from backtesting.reporting.validation import look_ahead_line, valid_line
from backtesting.strategies.buy_and_hold import BuyAndHold
from backtesting.strategies.macd import MacdCrossover
from backtesting.strategies.sma_crossover import SmaCrossover
from backtesting.strategy import StrategyRegistry
from backtesting.strategy_check import check_config
from backtesting.types import Asset, AssetClass, Costs, EquityCurve, Run
from tests.fixtures.in_memory import Desk, between
from tests.fixtures.series import sample_bars
from tests.fixtures.trading import bars_from

IBM = Asset("IBM", "IBM", AssetClass.EQUITY, "USD")
GOLDEN_COSTS = Costs(commission=0.001, slippage=0.0005)
STAIRS = between([10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61])


def golden_run() -> Run:
    desk = Desk(sample_bars("ibm"), IBM)
    return desk.run("sma_crossover", parameters={"position_size": 0.95}, costs=GOLDEN_COSTS)


def curve_of(values: list[float]) -> EquityCurve:
    return EquityCurve(np.arange(len(values), dtype=np.int64) * 7, np.array(values, dtype=float))


# The report


def test_a_report_tells_the_golden_figures_rounded_beside_the_benchmark() -> None:
    run = golden_run()

    told = report(run).splitlines()

    # Contract 13.4: 68080.040937, -.6206701706, -.0991911803; buy and hold 228727.849649; 36 closed, 15 won.
    rows = [line.split() for line in told]
    assert ["final", "capital", "68,080.04", "228,727.85"] in rows
    assert ["total", "return", "-31.92%", "128.73%"] in rows
    assert ["Sharpe", "ratio", "-0.0992"] in [row[:3] for row in rows]
    assert ["max", "drawdown", "-62.07%"] in [row[:3] for row in rows]
    assert any(line.startswith("trades: 36 closed, 1 open; won 41.67%, profit factor 0.") for line in told)


def test_a_report_begins_with_what_was_tested_and_on_which_terms() -> None:
    run = golden_run()

    first, second = report(run).splitlines()[:2]

    assert first == (
        f"{run.id} completed: sma_crossover(fast_period=20, slow_period=50) on IBM 1d, 2000-03-01 to 2013-03-01"
    )
    assert second == (
        "95% of equity per entry, decided at a close, filled at the next open; "
        "commission 0.1000%, slippage 0.0500% per fill; adjusted prices; cash earns nothing"
    )


def test_a_report_ends_with_the_verdict_and_the_points_it_rests_on() -> None:
    told = report(golden_run()).partition("\n\nBelieve it? ")[2].splitlines()

    # The figures of the comparison above; 80.43 % is that of the same time in the market at other costs.
    assert told[0] == "It made no money: -31.92% after costs, where buy and hold made 128.73%."
    assert len(told) == 2
    assert told[1].startswith("- serious, only_time_in_the_market: buy and hold with the same time in the market made ")
    assert told[1].endswith(". Test it on other symbols and periods, falling ones among them.")


def test_every_flag_is_told_once_by_itself_or_by_the_point_that_judges_it() -> None:
    run = Desk(sample_bars("aapl")).run("rsi", costs="zero", adjustment="raw", fill="same_close")

    told = report(run)

    assert run.summary is not None
    assert [told.count(flag.message) for flag in run.summary.flags] == [1] * len(run.summary.flags)
    assert {"unadjusted_split_suspected", "zero_costs", "optimistic_fill"} <= {flag.code for flag in run.summary.flags}
    notes = told.partition("\n\nKnow this:\n")[2].partition("\n\n")[0].splitlines()
    assert [note.split(":")[0] for note in notes] == ["- calendar_assumed", "- warmup_short"]


def test_without_flags_and_review_there_is_nothing_to_add_to_the_figures() -> None:
    run = golden_run()
    assert run.summary is not None

    told = report(replace(run, summary=replace(run.summary, flags=(), diagnostics=None)))

    assert "Know this" not in told and "Believe it" not in told


# Months, years and drawdowns


def test_years_are_told_in_percent_beside_buy_and_hold() -> None:
    year = Year(2004, (0.012, None, -0.1, *[0.0] * 9), -0.0892)

    heading, row = year_lines([year, replace(year, year=2005)], {2004: 0.05})[:2]

    assert heading.split()[:3] == ["percent", "jan", "feb"]
    assert heading.endswith("year  buy and hold")
    assert row.split() == ["2004", "1.2", "-", "-10.0", *["0.0"] * 9, "-8.9", "5.0"]


def test_a_year_whose_benchmark_is_not_known_says_so() -> None:
    assert year_lines([Year(2004, (0.0,) * 12, 0.0)], {})[1].split()[-1] == "-"


def test_a_rolling_year_is_told_on_one_line() -> None:
    rolling = RollingSharpe(252, 1000, lowest=-1.234, median=0.5, highest=2.0, last=1.0, positive=0.75)

    assert rolling_line(rolling) == (
        "Sharpe ratio of a rolling year of 252 sessions: -1.23 to 2.00, median 0.50, last 1.00, positive in 75%"
    )
    assert rolling_line(None) == "Sharpe ratio of a rolling year: none (no year that moves)"


def test_drawdowns_are_told_from_the_peak_to_the_recovery() -> None:
    peak, trough = (datetime(2008, month, 1, tzinfo=UTC) for month in (1, 11))

    lines = drawdown_lines([Drawdown(peak, trough, None, -0.5, 1234.0), Drawdown(peak, trough, trough, -0.25, 305.0)])

    assert [line.split() for line in lines] == [
        ["depth", "peak", "trough", "recovery", "days"],
        ["-50.00%", "2008-01-01", "2008-11-01", "not", "yet", "1,234"],
        ["-25.00%", "2008-01-01", "2008-11-01", "2008-11-01", "305"],
    ]
    assert drawdown_lines([]) == ["no drawdown"]


def test_a_definition_has_its_unit_and_the_letters_are_told() -> None:
    lines = definition_lines(["sharpe_ratio", "avg_win"]).splitlines()

    assert lines[:2] == [
        "sharpe_ratio, ratio: mean(r - rf) / s(r - rf) x sqrt(p) (Sharpe 1994)",
        "avg_win, money: Mean profit of winning trades",
    ]
    assert "rf: risk-free" in lines[2]


def test_a_metric_without_a_value_is_told_with_its_reason() -> None:
    told = report(Desk(STAIRS).run("scripted"))

    assert "won none (no_trades), profit factor none (no_trades)" in told
    assert "nan" not in told.lower()
    assert "inf" not in told.lower()


@pytest.mark.parametrize(
    ("size", "told"), [(1.0, "100%"), (0.95, "95%"), (0.07, "7%"), (0.005, "0.5%"), (0.333, "33.3%")]
)
def test_the_size_of_entries_is_told_unrounded(size: float, told: str) -> None:
    assert terms(Desk(STAIRS).run(parameters={"position_size": size})).startswith(f"{told} of equity")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sizing": {"method": "percent_equity", "fraction": 0.5}}, "50% of equity per entry, decided"),
        ({"sizing": {"method": "percent_equity", "fraction": 2.0}, "max_leverage": 2.0}, "200% of equity per entry"),
        ({"sizing": {"method": "fixed_cash", "amount": 5000.0}}, "5,000 of money per entry"),
        ({"sizing": {"method": "fixed_units", "units": 3.0}}, "3 units per entry"),
        ({"sizing": {"method": "kelly"}}, "0.5 x Kelly, at most 100% of equity per entry"),
        (
            {"sizing": {"method": "risk_per_trade", "fraction": 0.01}, "stop_loss": 0.05},
            "1% of equity at risk per entry",
        ),
        ({"stop_loss": 0.05, "take_profit": {"atr": 2.0, "period": 3}}, "; stop 5%; target 2 x ATR(3);"),
        (
            {"direction": "both", "max_holding": 4, "delay_bars": 2},
            "; long and short; at most 4 bars; 2 bars after the",
        ),
        ({"close_at_end": True, "trailing_stop": 0.1}, "; trailing stop 10%; closed at the end;"),
        ({"costs": {"commission": 0.0, "slippage": 0.0, "fixed": 2.0}}, "slippage 0.0000%, fixed 2 per fill"),
    ],
)
def test_terms_tell_sizes_protections_and_every_cost(options: dict[str, Any], told: str) -> None:
    rows = [(100.0, 101.0, 99.0, 100.0)] * 8

    assert told in terms(Desk(bars_from(*rows)).run("scripted", parameters={"enter": (4,)}, **options))


def test_a_trade_that_no_signal_ended_says_what_did() -> None:
    bars = bars_from((100,) * 4, (100, 101, 99, 100), (100, 100, 90, 91))

    result = Desk(bars).result("scripted", parameters={"enter": (0,)}, stop_loss=0.05, costs="zero")

    assert "at 95.0000 (stop);" in trade_lines(result.trades)[0]


def test_a_failed_run_is_told_with_its_reason() -> None:
    desk = Desk(STAIRS)
    with pytest.raises(NoBarsError):
        desk.run("sma_crossover")

    [(run, _)] = desk.runs.stored.values()

    assert report(run) == f"{headline(run)}\nReason: {run.error}"
    assert report(run).startswith(f"{run.id} failed: sma_crossover(")


# Single numbers (N4), trades, strategies


@pytest.mark.parametrize(
    ("key", "number", "told"),
    [
        ("final_capital", 1234567.891, "1,234,567.89"),
        ("avg_loss", -0.005, "-0.01"),
        ("sharpe_ratio", 1.23456789, "1.2346"),
        ("max_drawdown", -0.123456, "-12.35%"),
        ("total_trades", 36, "36"),
        ("max_drawdown_days", 12.04, "12.0 days"),
        ("avg_holding_bars", 3.25, "3.2 bars"),
        ("min_track_record", 1234.56, "1,234.6 sessions"),
        ("sqn", None, "none (why)"),
    ],
)
def test_n4_money_has_2_digits_ratios_4_and_fractions_are_percent(key: str, number: float | None, told: str) -> None:
    assert value(key, number, "why") == told


def test_metrics_are_listed_one_a_line_and_those_that_have_none_by_reason() -> None:
    figures = {"sqn": None, "total_trades": 3, "kelly": None, "beta": None}
    lines = metric_lines(figures, {"sqn": "no_trades", "kelly": "no_trades", "beta": "too_short"})

    assert lines == "total_trades 3\nnone (no_trades): sqn, kelly\nnone (too_short): beta"


def test_trades_are_told_with_days_prices_and_profit() -> None:
    desk = Desk(STAIRS)
    asked = {"enter": (0, 3), "leave": (1,), "position_size": 1.0}
    result = desk.result("scripted", parameters=asked, costs="zero")

    lines = trade_lines(result.trades)

    # 5000 units from 20 to 30; the 150 000 buy 3000 at 50, worth 61 at the end.
    assert lines == [
        "#0 long 5000.0000: 2020-01-02 at 20.0000 -> 2020-01-03 at 30.0000; +50,000.00 (+50.00%)",
        "#1 long 3000.0000: 2020-01-05 at 50.0000 -> still open; +33,000.00 (+22.00%)",
    ]


def test_a_report_with_few_points_names_the_others() -> None:
    run = golden_run()
    assert run.summary is not None and run.summary.diagnostics
    (point, *_) = run.summary.diagnostics
    twice = replace(run, summary=replace(run.summary, diagnostics=(point, replace(point, code="luck"))))

    assert report(twice, 2) == report(twice)
    told = report(twice, 1).splitlines()
    assert told[-2] == report(twice).splitlines()[-2]
    assert told[-1] == "- and luck: section='review' tells them"


def test_strategies_are_listed_on_a_line_each_with_their_defaults() -> None:
    lines = strategy_lines([SmaCrossover.describe(), BuyAndHold.describe()]).splitlines()

    assert lines[0].startswith("sma_crossover (trend_following): Enters when")
    assert lines[0].endswith("(fast_period=20, slow_period=50)")
    assert lines[1] == "buy_and_hold (benchmark): Enters at the first chance and never leaves."
    assert "position_size" in lines[-1]


def test_a_strategy_is_told_with_the_range_and_meaning_of_its_parameters() -> None:
    lines = parameter_lines(SmaCrossover.describe()).splitlines()

    assert lines[0].startswith("sma_crossover (trend_following): Enters when")
    assert "  fast_period=20 (1 to 5000): Bars in the fast average" in lines
    assert "position_size" in lines[-1]


def test_a_valid_configuration_is_told_with_the_bars_it_needs() -> None:
    registry = StrategyRegistry([MacdCrossover, BuyAndHold])

    macd, held = (
        valid_line(check_config(registry, {"strategy_id": each, "parameters": {}})) for each in registry.ids()
    )

    assert macd.startswith('valid: {"fast": 12, "slow": 26, "signal": 9, "position_size": 1.0}; needs 33 bars')
    assert macd.endswith("and 250 more to settle")
    assert held.endswith("needs 0 bars of warm-up")


def test_a_check_for_look_ahead_is_told_with_every_indicator_and_without_any() -> None:
    report = LookAheadReport(500, 60, 19, {"fast": 1.234e-9, "slow": None}, 0.05, -0.0125)

    line, short = look_ahead_line(report), look_ahead_line(replace(report, drift={}))

    assert "nothing at 60 cuts of a random walk of 500 bars; there its signals earn 5.00% without costs, -1.25%" in line
    assert "defined from bar 19 on" in line
    assert line.endswith("by this fraction: fast 1.2e-09, slow undefined")
    assert short.endswith("-1.25% a bar later")


def test_a_table_has_its_first_column_left_and_the_others_right() -> None:
    assert table([("", "a"), ("long name", "1,234")]) == ["               a", "long name  1,234"]


# The curve


def test_a_short_curve_stays_as_it_is() -> None:
    curve = curve_of([1, 2, 3])

    assert downsample(curve, 3) is curve


@settings(derandomize=True, deadline=None, max_examples=50)
@given(values=st.lists(st.floats(1, 1e6), min_size=4, max_size=300), points=st.integers(3, 60))
def test_few_points_are_the_curves_own_from_its_first_to_its_last(values: list[float], points: int) -> None:
    curve = curve_of(values)

    few = downsample(curve, points)

    kept = few.time // 7
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= points
    assert few.value.tolist() == curve.value[kept].tolist()


def test_the_deepest_point_of_a_curve_survives() -> None:
    values = [100.0] * 200
    values[77] = 10.0

    assert 10.0 in downsample(curve_of(values), 10).value
