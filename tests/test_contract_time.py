"""What a bar may know, missing bars, equal terms, and in which units figures are told (T1, T6, W4, A5, N3)."""

from datetime import date
from typing import Any

import empyrical
import numpy as np
import pytest

from backtesting.types import NS_PER_DAY, Asset, AssetClass, BacktestResult, Bars
from tests.fixtures.in_memory import FIRST_INSTANT, Desk, between, day
from tests.fixtures.series import sample_bars

COIN = Asset("COIN", "Coin", AssetClass.CRYPTO, "USD")
DAYS = np.array([0, 1, 2, 5, 6])  # the 4th and the 5th of January are missing
GAP = Bars(FIRST_INSTANT + DAYS * NS_PER_DAY, *between([100, 100, 110, 90, 90], [100, 110, 105, 95, 90]).ohlcv)


def run(enter: tuple[int, ...], leave: tuple[int, ...] = (), **options: Any) -> BacktestResult:
    """Return the result of decisions on the days of the gap, without costs."""
    return Desk(GAP, COIN).result("scripted", parameters={"enter": enter, "leave": leave}, costs="zero", **options)


# T1: nothing of a bar is known before its end


def changed_from(bars: Bars, first: int) -> Bars:
    """Return the bars with all that comes after the open of bar `first` ten times as high."""
    open_, rest = bars.open.copy(), [column.copy() for column in bars.ohlcv[1:]]
    open_[first + 1 :] *= 10
    for column in rest:
        column[first:] *= 10
    rest[1][first] = open_[first]  # its low
    return Bars(bars.time, open_, *rest)


def fills(result: BacktestResult, before: int) -> list[tuple[int, float, float]]:
    """Return bar, price and quantity of what filled before this bar."""
    trades = result.trades
    entries = zip(trades.entry_bar.tolist(), trades.entry_price.tolist(), trades.quantity.tolist(), strict=True)
    closed = ~trades.is_open
    exits = zip(*(each[closed].tolist() for each in (trades.exit_bar, trades.exit_price, trades.quantity)), strict=True)
    return sorted(each for each in (*entries, *exits) if each[0] < before)


@pytest.mark.parametrize(("fill", "own"), [("next_open", 1), ("next_close", 0), ("same_close", 0)])
@pytest.mark.parametrize("options", [{}, {"lot_size": 1.0}], ids=["vectorbt", "ours"])
def test_t1_a_bar_changes_no_fill_at_its_open_or_before_it(fill: str, own: int, options: dict[str, Any]) -> None:
    bars = sample_bars("ibm").adjusted()[:300]
    asked = {"parameters": {"entry_period": 5, "exit_period": 5}, "fill": fill, **options}
    whole = Desk(bars).result("donchian_breakout", **asked)
    assert len(whole.trades) >= 9

    for bar in {*whole.trades.entry_bar.tolist(), *whole.trades.exit_bar.tolist()}:
        changed = Desk(changed_from(bars, bar)).result("donchian_breakout", **asked)

        assert fills(changed, bar + own) == fills(whole, bar + own)


# T6: a missing bar is no bar


def test_t6_an_order_waits_for_the_next_bar_over_a_gap() -> None:
    result = run(enter=(2,))

    assert (result.trades[0].entry_date.date(), result.trades[0].entry_price) == (day(5), 90.0)
    assert result.summary.counters["missing_bars"] == 2


def test_t6_a_decision_on_a_day_without_a_bar_is_none_and_the_position_keeps_its_last_price() -> None:
    result = run(enter=(0,), leave=(3, 4))

    # 1000 units at 100: 105 000 at the last close before the gap, 95 000 at the first one after it, nothing between.
    assert result.equity.value.tolist() == [100_000.0, 110_000.0, 105_000.0, 95_000.0, 90_000.0]
    assert result.trades.is_open.tolist() == [True]


# A5: the risk-free rate of a session


def test_a5_a_runs_sharpe_ratio_is_over_the_252nd_root_of_a_years_risk_free_return() -> None:
    result = Desk(sample_bars("ibm")).result(start_date=date(2002, 1, 2), risk_free=0.02)
    levels = np.concatenate([[100_000.0], result.equity.value])

    expected = empyrical.sharpe_ratio(levels[1:] / levels[:-1] - 1, risk_free=1.02 ** (1 / 252) - 1)

    assert result.summary.metrics["sharpe_ratio"] == pytest.approx(expected, rel=1e-10)


def test_a5_where_a_year_has_one_session_its_rate_is_the_years() -> None:
    result = run(enter=(0,), risk_free=0.02, periods_per_year=1.0)

    # Bought at 100: 1/10, -5/110, -10/105 and -5/95 after the base of bar 0 (A4).
    r = np.array([1.0, 1.1, 1.05, 0.95, 0.9])
    r = r[1:] / r[:-1] - 1
    assert result.summary.metrics["sharpe_ratio"] == pytest.approx((r.mean() - 0.02) / r.std(ddof=1), rel=1e-10)


# N3: fractions, signs, money, bars and days


def test_n3_a_tenth_lost_is_told_as_a_fraction_in_money_in_bars_and_in_days() -> None:
    result = run(enter=(0,), leave=(2,))
    metrics = result.summary.metrics

    # 1000 units bought at 100 on the 2nd and sold at 90 on the 6th: two bars or four days later; 110 before.
    assert (metrics["total_return"], metrics["worst_trade"]) == pytest.approx((-0.1, -0.1), rel=1e-12)
    assert metrics["max_drawdown"] == pytest.approx(90 / 110 - 1, rel=1e-12)
    assert metrics["avg_loss"] == pytest.approx(-10_000.0, rel=1e-12)
    assert (metrics["avg_holding_bars"], metrics["avg_holding_days"]) == (2, 4)
    assert metrics["win_rate"] == 0


def test_n3_only_the_column_of_percent_is_in_percent() -> None:
    trades = run(enter=(0,), leave=(2,)).trades

    assert (trades[0].pnl_percent, trades.returns[0]) == pytest.approx((-10.0, -0.1), rel=1e-12)


# W4: sets of parameters compared on equal terms


@pytest.mark.parametrize("options", [{}, {"stop_loss": 0.2}], ids=["vectorbt", "ours"])
def test_w4_with_one_trade_from_and_history_sets_start_together_and_their_echoed_requests_repeat_them(
    options: dict[str, Any],
) -> None:
    desk = Desk(sample_bars("ibm"))
    shared = {"start_date": "2002-01-02", "end_date": "2006-12-29", "trade_from": "2002-03-01", "history_bars": 52}
    sets = [{"fast_period": 5, "slow_period": 10}, {"fast_period": 20, "slow_period": 50}]

    runs = [desk.run("sma_crossover", parameters=each, **shared, **options) for each in sets]
    again = [desk.engine.run(run.request) for run in runs]

    provenance = [run.summary.provenance for run in runs if run.summary]
    assert [each["first_tradable_bar"][:10] for each in provenance] == ["2002-03-01", "2002-03-01"]
    assert [each["history_bars"] for each in provenance] == [52, 52]
    assert [run.summary and run.summary.metrics for run in again] == [
        run.summary and run.summary.metrics for run in runs
    ]
