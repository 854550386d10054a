"""Months, years, rolling years and drawdowns of a curve, against pandas, empyrical and hand calculations."""

from datetime import UTC, datetime
from math import sqrt

import empyrical
import numpy as np
import pandas as pd
import pytest

from backtesting.metrics import measure
from backtesting.metrics.curves import deepest_drawdown_of, drawdown_of
from backtesting.metrics.growth import Drawdown, Growth, rolling_sharpe, totals_of, worst_drawdowns, years_of
from backtesting.types import NS_PER_DAY, EquityCurve, Floats
from tests.fixtures.evidence import CAPITAL, FIRST_DAY, days, evidence_of_equity
from tests.fixtures.in_memory import Desk
from tests.fixtures.series import SAMPLE_SYMBOLS, sample_bars
from tests.test_metrics import CURVE

BEFORE = FIRST_DAY - NS_PER_DAY


def real_growth(symbol: str) -> Growth:
    """Return the growth of a capital held in a sample from its first bar on."""
    bars = sample_bars(symbol)
    close = bars.adj_close
    return Growth(EquityCurve(bars.time, CAPITAL * close / close[0]), CAPITAL, None)


def as_series(growth: Growth) -> "pd.Series[float]":
    return pd.Series(growth.curve.value, index=pd.to_datetime(growth.curve.time))


def growth_of(values: list[float] | Floats, every: int = 1, base_time: int | None = BEFORE) -> Growth:
    return Growth(EquityCurve(days(len(values), every), np.array(values, dtype=float)), CAPITAL, base_time)


# Months and years


@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_months_and_years_of_real_prices_are_those_of_pandas(symbol: str) -> None:
    growth = real_growth(symbol)
    curve = as_series(growth)

    years = years_of(growth)

    by_month = curve.resample("ME").last().pct_change()
    by_month.iloc[0] = curve.resample("ME").last().iloc[0] / CAPITAL - 1
    expected = {(when.year, when.month): value for when, value in by_month.items()}
    found = {
        (each.year, number): value
        for each in years
        for number, value in enumerate(each.months, start=1)
        if value is not None
    }
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)
    yearly = empyrical.aggregate_returns(curve.pct_change().dropna(), "yearly")
    assert {each.year: each.total for each in years} == pytest.approx(yearly.to_dict(), rel=1e-10)


def test_the_months_of_a_year_multiply_to_its_total_and_the_years_to_the_total_return() -> None:
    growth = real_growth("ibm")

    years = years_of(growth)

    for each in years:
        months = [1 + month for month in each.months if month is not None]
        assert np.prod(months) - 1 == pytest.approx(each.total, rel=1e-12)
    assert np.prod([1 + each.total for each in years]) == pytest.approx(growth.curve.value[-1] / CAPITAL)


def test_months_without_bars_are_none_and_the_next_one_counts_from_the_last_bar_before() -> None:
    # 2000-01-01, 2000-03-31 and 2000-06-29: +10 %, then -10 %, then nothing.
    (year,) = years_of(growth_of([110_000, 99_000, 99_000], every=90))

    assert year.year == 2000
    assert year.months == pytest.approx((0.1, None, -0.1, None, None, 0.0, *[None] * 6))
    assert year.total == pytest.approx(-0.01)


def test_buy_and_hold_has_its_years_beside_those_of_any_strategy() -> None:
    desk = Desk(sample_bars("msft"))
    held = desk.result("buy_and_hold", costs="us_equity")
    run = desk.run("macd", start_date="2000-03-02", costs="us_equity")

    benchmark = desk.runs.benchmark(run.id)
    assert benchmark is not None
    told = totals_of(Growth.of(run, benchmark))

    own = totals_of(Growth(held.equity, CAPITAL, None))
    assert totals_of(Growth(held.benchmark, CAPITAL, None)) == own
    assert list(told) == list(range(2000, 2014))
    # From 2001 on, both hold the same thing all year.
    assert {year: told[year] for year in list(told)[1:]} == pytest.approx({year: own[year] for year in list(own)[1:]})


# Drawdowns


def test_drawdowns_worked_by_hand_come_the_deepest_first() -> None:
    # The curve of test_metrics.py, two days a bar: under water from bar 0 to 3, and from bar 3 to the end.
    def on(day: int) -> datetime:
        return datetime(2000, 1, day, tzinfo=UTC)

    found = worst_drawdowns(growth_of(CURVE, every=2))

    assert found == (
        Drawdown(on(7), on(9), None, pytest.approx(-0.2), 32.0),
        Drawdown(on(1), on(3), on(7), pytest.approx(-0.1), 6.0),
    )


def test_a_drawdown_from_the_capital_starts_when_the_capital_stood() -> None:
    (found,) = worst_drawdowns(growth_of([90_000, 100_000]))

    assert found.start == datetime(1999, 12, 31, tzinfo=UTC)
    assert (found.depth, found.days) == (pytest.approx(-0.1), 2.0)


def test_without_a_bar_before_a_drawdown_from_the_capital_starts_at_the_first_bar() -> None:
    (found,) = worst_drawdowns(growth_of([100_000, 90_000, 100_000], base_time=None))

    assert (found.start.day, found.trough.day, found.days) == (1, 2, 2.0)


def test_a_curve_that_only_rises_has_no_drawdown() -> None:
    assert worst_drawdowns(growth_of([100_000, 100_001, 100_002])) == ()


@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_the_worst_drawdown_of_real_prices_is_that_of_empyrical_and_the_longest_that_of_the_metrics(
    symbol: str,
) -> None:
    growth = real_growth(symbol)
    curve = as_series(growth)

    found = worst_drawdowns(growth)

    assert found[0].depth == pytest.approx(empyrical.max_drawdown(curve.pct_change().dropna()), rel=1e-10)
    assert found[0].trough == (curve / curve.cummax()).idxmin().tz_localize(UTC)
    values, _ = measure(evidence_of_equity(growth.curve.value, growth.curve.time, base_time=None))
    assert max(each.days for each in found) == values["max_drawdown_days"]
    assert np.mean([each.depth for each in found]) == pytest.approx(values["avg_drawdown"])


# Rolling years


@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_rolling_sharpe_ratios_of_real_prices_are_those_of_empyrical(symbol: str) -> None:
    growth = real_growth(symbol)

    found = rolling_sharpe(growth, 252.0)

    theirs = empyrical.roll_sharpe_ratio(as_series(growth).pct_change().dropna(), window=252)
    assert found is not None
    assert (found.sessions, found.windows) == (252, len(theirs))
    assert (found.lowest, found.median, found.highest, found.last) == pytest.approx(
        (theirs.min(), theirs.median(), theirs.max(), theirs.iloc[-1]), rel=1e-9
    )
    assert found.positive == (theirs > 0).mean()


def test_rolling_sharpe_ratios_are_over_the_risk_free_rate() -> None:
    # +1 %, -1 %, +4 %, three sessions a year: mean .04 / 3, s = .0251661; 2 % a year is .00662271 a session.
    growth = growth_of(CAPITAL * np.cumprod([1.01, 0.99, 1.04]))

    found = rolling_sharpe(growth, 3.0, risk_free=0.02)

    assert found is not None
    assert found.last == pytest.approx((0.04 / 3 - 0.00662271) / 0.0251661 * sqrt(3), rel=1e-5)


def test_less_than_a_year_or_a_flat_one_has_no_rolling_sharpe_ratio() -> None:
    assert rolling_sharpe(growth_of([CAPITAL * 1.01, CAPITAL]), 3.0) is None
    assert rolling_sharpe(growth_of([CAPITAL] * 5), 3.0) is None


def test_a_year_without_a_position_is_left_out_of_the_rolling_ones() -> None:
    found = rolling_sharpe(growth_of([CAPITAL, CAPITAL, CAPITAL * 1.01, CAPITAL * 1.03]), 2.0)

    assert found is not None
    assert found.windows == 2  # of three pairs of sessions, the first does not move


@pytest.mark.parametrize(
    "levels",
    [sample_bars("ibm").close, np.linspace(1.0, 2.0, 50), np.array([1.0, 1.0 - 1e-13, 1.0]), np.array([5.0])],
    ids=["ibm", "rising", "rounding", "one"],
)
def test_the_deepest_drawdown_alone_is_the_lowest_of_all_to_the_last_bit(levels: Floats) -> None:
    assert deepest_drawdown_of(levels) == drawdown_of(levels).min()
