"""Whole runs on bars in memory: golden figures, the contract's rules, and what is stored when a run fails."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from math import isfinite
from typing import Any, ClassVar

import empyrical
import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.engine import BacktestEngine
from backtesting.errors import (
    BacktestError,
    BadBarsError,
    DatabaseUnavailableError,
    DefectError,
    InvalidDatesError,
    InvalidInputError,
    NoBarsError,
    SimulationError,
    UnknownNameError,
)
from backtesting.metrics import KEYS
from backtesting.strategies import STRATEGIES
from backtesting.strategy import Strategy, StrategyRegistry, StrategyType
from backtesting.types import (
    RUN_ID_PATTERN,
    Asset,
    AssetClass,
    BacktestResult,
    Bars,
    Costs,
    Floats,
    Run,
    RunStatus,
    Signals,
    Timeframe,
)
from tests.fixtures.in_memory import NOW, STOCK, Desk, InMemoryRuns, between, day
from tests.fixtures.series import bars_of, daily, p_bars, sample_bars

GOLDEN_COSTS = Costs(commission=0.001, slippage=0.0005)
FREE = Costs(commission=0.0, slippage=0.0)
# Every open ends in 0 and every close in 1, so that a price tells where in its bar an order was filled.
STAIRS = between([10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61])


def script(enter: tuple[int, ...] = (), leave: tuple[int, ...] = (), **parameters: Any) -> dict[str, Any]:
    """Return the parameters of a strategy that decides on these days."""
    return {"enter": enter, "leave": leave, **parameters}


def scripted(bars: Bars, enter: tuple[int, ...] = (), leave: tuple[int, ...] = (), **options: Any) -> BacktestResult:
    """Return the outcome of these decisions without costs."""
    return Desk(bars).result("scripted", **{"parameters": script(enter, leave), "costs": FREE} | options)


def random_bars(seed: int, count: int) -> Bars:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.03, count)))
    open_ = close * np.exp(random.normal(0, 0.01, count))
    return between(open_, close)


# Golden runs (contract 13.3 and 13.4)


def test_the_golden_run_on_series_p_ends_where_vectorbt_and_a_plain_loop_do() -> None:
    result = Desk(p_bars()).result(
        "sma_crossover",
        parameters={"fast_period": 5, "slow_period": 20, "position_size": 0.95},
        costs=GOLDEN_COSTS,
    )

    assert result.summary.metrics["final_capital"] == pytest.approx(94818.42144834987, rel=1e-13)
    assert result.summary.metrics["max_drawdown"] == pytest.approx(-0.14663386314909388, rel=1e-13)
    assert result.trades.entry_bar.tolist() == [32, 64, 95]
    assert result.trades.exit_bar.tolist() == [48, 80, 111]


@pytest.mark.parametrize(
    ("strategy_id", "expected", "sharpe"),
    [
        (
            "sma_crossover",
            {
                "final_capital": 68080.040937367,
                "total_trades": 36,
                "open_trades": 1,
                "winning_trades": 15,
                "max_drawdown": -0.620670170628,
                # Buy and hold from bar 50, the first tradable one: all of the capital at the same costs.
                "benchmark_return": 228727.849649658 / 100_000 - 1,
            },
            -0.099191180,
        ),
        (
            "rsi",
            {"final_capital": 158452.528254271, "total_trades": 12, "open_trades": 0, "winning_trades": 10},
            0.281903752,
        ),
        ("macd", {"final_capital": 201289.5526753, "total_trades": 121, "winning_trades": 47}, 0.401456705),
    ],
)
def test_the_ibm_sample_gives_the_figures_of_vectorbt_and_a_plain_loop(
    strategy_id: str, expected: Mapping[str, float], sharpe: float
) -> None:
    desk = Desk(sample_bars("ibm"))

    metrics = desk.result(strategy_id, parameters={"position_size": 0.95}, costs=GOLDEN_COSTS).summary.metrics

    assert {key: metrics[key] for key in expected} == pytest.approx(expected, rel=1e-11)
    assert metrics["sharpe_ratio"] == pytest.approx(sharpe, abs=5e-10)


def test_buy_and_hold_from_bar_50_of_ibm_is_the_frozen_figure_at_full_size() -> None:
    # 228727.849649658 is at position_size 1 with both costs; at 0.95 it would be 222291.457.
    bars = sample_bars("ibm").adjusted()
    units = 100_000 / (bars.open[50] * 1.0005 * 1.001)
    start = date.fromisoformat("2000-03-01") + timedelta(days=int((bars.time[50] - bars.time[0]) // 86_400e9))

    result = Desk(sample_bars("ibm")).result("buy_and_hold", start_date=start, costs=GOLDEN_COSTS)

    assert units * bars.close[-1] == pytest.approx(228727.849649658, rel=1e-12)
    assert result.summary.metrics["final_capital"] == pytest.approx(228727.849649658, rel=1e-12)


# Windows in the middle of the data (W1, W2)


def plain_loop(bars: Bars, period: int, enter: Any, leave: Any, size: float) -> list[float]:
    """Return the equity at each close of the period, decisions of the bar before filled at the open."""
    cash, units, equity = 100_000.0, 0.0, []
    for bar in range(period, len(bars)):
        if leave[bar - 1] and units:
            cash, units = cash + units * bars.open[bar] * 0.9995 * 0.999, 0.0
        elif enter[bar - 1] and not units:
            units = cash * size / (bars.open[bar] * 1.0005 * 1.001)
            cash -= cash * size
        equity.append(cash + units * bars.close[bar])
    return equity


@pytest.mark.parametrize(("start", "end"), [("2005-01-03", "2006-12-29"), ("2008-09-02", "2009-03-31")])
def test_w1_a_window_equals_a_plain_loop_over_signals_of_the_whole_file(start: str, end: str) -> None:
    bars = sample_bars("msft").adjusted()
    fast, slow = talib.SMA(bars.close, 5), talib.SMA(bars.close, 20)
    above = fast > slow
    enter, leave = above & ~np.roll(above, 1), ~above & np.roll(above, 1)
    period, after = np.searchsorted(bars.time, [np.datetime64(each, "ns").astype(np.int64) for each in (start, end)])

    result = Desk(sample_bars("msft")).result(
        "sma_crossover",
        parameters={"fast_period": 5, "slow_period": 20, "position_size": 0.8},
        costs=GOLDEN_COSTS,
        start_date=start,
        end_date=end,
    )

    expected = plain_loop(bars[: after + 1], int(period), enter, leave, 0.8)
    assert result.equity.time.tolist() == bars.time[period : after + 1].tolist()
    assert result.equity.value == pytest.approx(expected, rel=1e-12)


def test_w1_more_stored_bars_than_the_history_change_nothing() -> None:
    bars = sample_bars("msft")
    slice_ = bars[1000 - 49 - 2 : 1500]
    first, last = (str(bars.time[bar].astype("datetime64[ns]").astype("datetime64[D]")) for bar in (1000, 1499))

    whole, sliced = (Desk(each).result("sma_crossover", start_date=first, end_date=last) for each in (bars, slice_))

    assert whole.equity.value.tobytes() == sliced.equity.value.tobytes()
    assert whole.summary.metrics == sliced.summary.metrics
    assert whole.summary.provenance == sliced.summary.provenance


def test_w2_the_decision_of_the_last_bar_before_the_period_fills_at_its_first_open() -> None:
    result = scripted(STAIRS, enter=(2,), start_date=day(3))

    assert result.trades.entry_bar.tolist() == [0]
    assert result.trades.entry_price.tolist() == [40.0]
    assert result.equity.value.tolist() == [102_500.0, 127_500.0, 152_500.0]


def test_w2_a_decision_before_the_last_bar_before_the_period_is_not_traded() -> None:
    result = scripted(STAIRS, enter=(1,), start_date=day(3))

    assert len(result.trades) == 0


def test_w2_nothing_trades_before_every_indicator_is_defined_the_benchmark_neither() -> None:
    result = scripted(STAIRS, parameters=script(enter=(0, 1, 2, 3), wait=2))

    # Defined from bar 2, so both buy at 40, the open of bar 3.
    assert result.trades.entry_price.tolist() == [40.0]
    assert result.equity.value.tolist() == [100_000.0] * 3 + [102_500.0, 127_500.0, 152_500.0]
    assert result.benchmark.value.tolist() == result.equity.value.tolist()
    assert result.benchmark.time.tolist() == STAIRS.time.tolist()
    assert result.summary.metrics["benchmark_return"] == pytest.approx(0.525, rel=1e-14)
    assert result.summary.provenance["first_tradable_bar"] == "2020-01-04T00:00:00+00:00"


def test_w2_with_same_close_the_first_bar_of_the_period_decides_and_fills() -> None:
    result = scripted(STAIRS, enter=(2, 3), start_date=day(3), fill="same_close")

    assert result.trades.entry_price.tolist() == [41.0]
    assert result.summary.metrics["benchmark_return"] == pytest.approx(61 / 41 - 1, rel=1e-14)


def test_w3_a_longer_warm_up_is_measured_on_the_same_bars() -> None:
    desk = Desk(STAIRS)

    short, long = (desk.result("scripted", parameters=script(wait=wait), start_date=day(2)) for wait in (0, 3))

    assert short.equity.time.tolist() == long.equity.time.tolist() == STAIRS.time[2:].tolist()


# The end of the period (W5)


def test_w5_an_open_position_is_valued_at_the_last_close_and_stays_open() -> None:
    result = scripted(STAIRS, enter=(0,), end_date=day(3))

    trade = result.trades[0]
    assert (trade.status, trade.exit_date, trade.exit_price, trade.exit_reason) == ("open", None, None, None)
    # 5000 units at 20, worth 41 each at the last close.
    assert result.summary.metrics["final_capital"] == 205_000.0
    assert trade.pnl == pytest.approx(105_000.0, rel=1e-14)
    assert result.summary.metrics["total_trades"] == 0
    assert result.summary.metrics["open_trades"] == 1


@pytest.mark.parametrize(
    ("enter", "leave", "fill", "pending"),
    [
        ((5,), (), "next_open", 1),
        ((0,), (5,), "next_open", 1),
        ((0,), (5,), "next_close", 1),
        ((0, 5), (), "next_open", 0),  # already in
        ((), (5,), "next_open", 0),  # nothing to leave
        ((5,), (5,), "next_open", 0),  # the exit wins, and there is nothing to leave
        ((4,), (), "next_open", 0),  # filled at the last open
        ((5,), (), "same_close", 0),  # filled at once
        ((0,), (4,), "next_open", 0),
        ((0, 5), (4,), "next_open", 1),
        ((4,), (5,), "next_close", 1),
    ],
)
def test_w5_a_signal_at_the_last_close_that_would_have_traded_is_pending(
    enter: tuple[int, ...], leave: tuple[int, ...], fill: str, pending: int
) -> None:
    assert scripted(STAIRS, enter, leave, fill=fill).summary.counters["pending_signal"] == pending


# First return and base (A4), days (D)

# 100 at every price, then up a tenth twice: the fill is at 100.
RISE = between([100, 100, 100, 110], [100, 100, 110, 121])


@pytest.mark.parametrize("start", [0, 1])
def test_a4_the_first_stored_bar_is_the_base_whether_it_is_asked_for_or_not(start: int) -> None:
    metrics = scripted(RISE, enter=(0,), start_date=day(start)).summary.metrics

    # Three returns 0, 1/10, 1/10 over three days.
    assert metrics["annual_return"] == pytest.approx(1.21 ** (252 / 3) - 1, rel=1e-10)
    assert metrics["cagr"] == pytest.approx(1.21 ** (365.25 / 3) - 1, rel=1e-10)
    assert metrics["positive_sessions"] == pytest.approx(2 / 3)
    # s = sqrt(((1/15)^2 + 2 (1/30)^2) / 2) = sqrt(1/300).
    assert metrics["annual_volatility"] == pytest.approx((252 / 300) ** 0.5, rel=1e-12)


def test_a4_with_same_close_the_first_stored_session_counts() -> None:
    metrics = scripted(RISE, enter=(0,), fill="same_close").summary.metrics

    assert metrics["annual_return"] == pytest.approx(1.21 ** (252 / 4) - 1, rel=1e-10)
    assert metrics["positive_sessions"] == 0.5


def test_a4_a_cost_paid_on_the_first_day_is_part_of_its_return() -> None:
    costs = Costs(commission=0.25, slippage=0.0)

    metrics = scripted(RISE, enter=(0,), start_date=day(1), costs=costs).summary.metrics

    # 100 000 buy 800 units at 100 with a quarter of commission: 80 000 at the first close.
    assert metrics["worst_session"] == pytest.approx(-0.2, rel=1e-14)
    assert metrics["max_drawdown"] == pytest.approx(-0.2, rel=1e-14)
    assert metrics["max_drawdown_days"] == 3.0
    assert metrics["total_return"] == pytest.approx(0.8 * 1.21 - 1, rel=1e-14)


def test_all_in_with_a_fee_of_5_percent_loses_a_21st_as_return_and_as_drawdown() -> None:
    metrics = scripted(bars_of(np.full(4, 100.0)), enter=(0,), costs=Costs(commission=0.05, slippage=0)).summary.metrics

    assert metrics["total_return"] == pytest.approx(-1 / 21, rel=1e-14)
    assert metrics["max_drawdown"] == pytest.approx(-1 / 21, rel=1e-14)
    assert metrics["calmar_ratio"] is not None


def test_turnover_counts_half_the_money_traded_a_year_of_mean_equity() -> None:
    metrics = scripted(RISE, enter=(0,), leave=(2,)).summary.metrics

    # 1000 units bought at 100 and sold at 110; equity 100, 100, 110, 110 thousand; three days.
    assert metrics["turnover_annual"] == pytest.approx(210_000 / 2 / 105_000 / (3 / 365.25), rel=1e-12)
    # Held at the closes of bars 1 and 2; all of the equity is in it then.
    assert metrics["exposure_time"] == 0.5
    assert metrics["avg_gross_exposure"] == pytest.approx(0.5)


# Costs and size


def test_c3_costs_left_open_are_those_of_the_asset_class() -> None:
    presets = {
        AssetClass.EQUITY: (0.0001, 0.0002, 0.01),
        AssetClass.ETF: (0.0001, 0.0002, 0.01),
        AssetClass.CRYPTO: (0.001, 0.0005, 0.05),
        AssetClass.FX: (0.0, 0.0001, 0.0),
        AssetClass.UNKNOWN: (0.0001, 0.0002, 0.01),
    }

    for asset_class, (commission, slippage, borrow) in presets.items():
        summary = Desk(STAIRS, Asset("A", "A", asset_class, "USD")).result().summary

        assert summary.provenance["costs"] == {"commission": commission, "slippage": slippage, "borrow": borrow}


def test_c4_costs_are_told_in_money() -> None:
    costs = Costs(commission=0.01, slippage=0.02)

    metrics = scripted(STAIRS, enter=(0,), leave=(3,), costs=costs).summary.metrics

    # Bought at 20 x 1.02, sold at 50 x 0.98, 1 % of each; without costs 20 to 50.
    units = 100_000 / (20.4 * 1.01)
    assert metrics["fees_paid"] == pytest.approx(units * (20.4 + 49.0) * 0.01, rel=1e-13)
    assert metrics["slippage_paid"] == pytest.approx(units * 1.4, rel=1e-12)
    assert metrics["cost_drag"] == pytest.approx(units * 49.0 * 0.99 / 100_000 - 2.5, rel=1e-12)


def test_position_size_changes_the_result() -> None:
    half, whole = (
        scripted(STAIRS, parameters=script(enter=(0,), position_size=size)).summary.metrics["total_return"]
        for size in (0.5, 1.0)
    )

    # From 20 to 61, with half of the capital and with all of it.
    assert (half, whole) == pytest.approx((0.5 * 41 / 20, 41 / 20), rel=1e-14)


def test_the_units_of_prices_and_cash_do_not_matter_to_ratios() -> None:
    prices = sample_bars("aapl").adjusted().ohlcv[:4]
    bars, times_7 = (daily(*(column * k for column in prices)) for k in (1.0, 7.0))

    one = Desk(bars).result("rsi", costs=GOLDEN_COSTS).summary.metrics
    seven = Desk(times_7).result("rsi", costs=GOLDEN_COSTS, initial_capital=700_000.0).summary.metrics

    money = {"final_capital", "avg_win", "avg_loss", "expectancy", "fees_paid", "slippage_paid"}
    assert one["total_trades"]
    for key in KEYS:
        factor = 7.0 if key in money else 1.0
        assert seven[key] == (
            None if one[key] is None else pytest.approx(factor * (one[key] or 0), rel=1e-8, abs=1e-11)
        )


# The benchmark (A6)


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
@pytest.mark.parametrize("start", ["2000-03-01", "2004-02-02"])
def test_a6_buy_and_hold_at_full_size_is_the_benchmark_to_the_bit(fill: str, start: str) -> None:
    metrics = Desk(sample_bars("aapl")).result(fill=fill, start_date=start).summary.metrics

    assert metrics["total_return"] == metrics["benchmark_return"]
    assert metrics["sharpe_ratio"] == metrics["benchmark_sharpe"]
    assert metrics["max_drawdown"] == metrics["benchmark_max_drawdown"]
    assert metrics["excess_return"] == 0
    assert metrics["beta"] == pytest.approx(1.0, rel=1e-12)


def test_a6_the_exposure_matched_benchmark_is_as_long_in_the_market() -> None:
    result = scripted(RISE, enter=(0,), leave=(2,), start_date=day(1))

    # All in at 100, out at 110: exposure 1, 1, 0 at the closes; the benchmark returns 0, 1/10, 1/10.
    assert result.summary.metrics["exposure_matched_return"] == pytest.approx((1 + 2 / 3 * 0.1) ** 2 - 1, rel=1e-12)


# Sessions in a year, rules A1 and A2


def test_a2_daily_stocks_have_252_sessions_a_year_and_crypto_365() -> None:
    stock = Desk(sample_bars("ibm")).result()
    coin = Desk(sample_bars("ibm"), Asset("COIN", "Coin", AssetClass.CRYPTO, "USD")).result(costs="us_equity")
    value = stock.equity.value

    assert stock.summary.provenance["periods_per_year"] == 252
    assert coin.summary.provenance["periods_per_year"] == 365
    sharpe = empyrical.sharpe_ratio(value[1:] / value[:-1] - 1)
    assert stock.summary.metrics["sharpe_ratio"] == pytest.approx(sharpe, rel=1e-12)
    assert coin.summary.metrics["sharpe_ratio"] == pytest.approx(sharpe * (365 / 252) ** 0.5, rel=1e-12)


def test_a1_hourly_bars_of_all_days_are_annualised_by_their_five_sessions() -> None:
    close = random_bars(8, 5 * 24).close
    hours = bars_of(close).time[0] + np.arange(len(close)) * 3_600_000_000_000
    hourly = Bars(hours, close, close, close, close, np.ones(len(close)))
    desk = Desk(hourly, Asset("COIN", "Coin", AssetClass.CRYPTO, "USD"), timeframe=Timeframe.H1)

    summary = desk.result(timeframe="1h", costs="zero").summary

    # Bought at the second hour, so that the first day counts (A4); then from midnight to midnight.
    levels = close[[1, 23, 47, 71, 95, 119]]
    assert summary.provenance["periods_per_year"] == 365
    assert summary.metrics["sharpe_ratio"] == pytest.approx(
        empyrical.sharpe_ratio(levels[1:] / levels[:-1] - 1, annualization=365), rel=1e-10
    )
    assert summary.metrics["avg_gross_exposure"] == pytest.approx(119 / 120)


# Undefined numbers (N1, N2)

UNTRADED = {
    "sharpe_ratio": "zero_variance",
    "sortino_ratio": "no_downside",
    "calmar_ratio": "no_drawdown",
    "omega_ratio": "no_losses",
    "max_drawdown_days": "no_drawdown",
    "skewness": "zero_variance",
    "tail_ratio": "zero_variance",
    "beta": "zero_variance",
    "win_rate": "no_trades",
    "profit_factor": "no_trades",
    "expectancy": "no_trades",
    "sqn": "no_trades",
    "kelly": "no_trades",
    "psr": "zero_variance",
}


def assert_numbers_or_reasons(result: BacktestResult) -> None:
    metrics, undefined = result.summary.metrics, result.summary.undefined
    assert set(metrics) == set(KEYS)
    assert {key for key, value in metrics.items() if value is None} == set(undefined)
    assert all(isfinite(value) for value in metrics.values() if value is not None)


def test_n1_never_trading_gives_flat_equity_and_ratios_without_a_value() -> None:
    result = Desk(sample_bars("ibm")).result("scripted")

    assert set(result.equity.value.tolist()) == {100_000.0}
    assert result.summary.metrics["total_return"] == result.summary.metrics["max_drawdown"] == 0
    assert {key: result.summary.undefined[key] for key in UNTRADED} == UNTRADED
    assert_numbers_or_reasons(result)


def test_n1_only_winners_have_no_profit_factor() -> None:
    result = scripted(STAIRS, enter=(0, 2), leave=(1, 3))

    assert result.summary.metrics["win_rate"] == 1.0
    assert result.summary.metrics["profit_factor"] is None
    assert result.summary.undefined["profit_factor"] == "no_losing_trades"
    assert_numbers_or_reasons(result)


def test_n2_a_constant_return_has_no_variance() -> None:
    price = 100 * 1.001 ** np.arange(42)

    result = scripted(between(price[:-1], price[1:]), enter=(0,), start_date=day(1))

    assert result.summary.metrics["total_return"] == pytest.approx(1.001**40 - 1, rel=1e-12)
    assert result.summary.undefined["sharpe_ratio"] == "zero_variance"
    assert result.summary.undefined["beta"] == "benchmark_zero_variance"


def test_a_fall_of_60_percent_while_long_is_a_loss_of_60_percent_in_one_open_trade() -> None:
    # 100 for the fill, then in steps of 2 down to 40.
    fall = np.concatenate([[100.0, 100.0], np.arange(98.0, 39.0, -2.0)])

    metrics = scripted(bars_of(fall), enter=(0,)).summary.metrics

    assert metrics["total_return"] == pytest.approx(-0.6, rel=1e-12)
    assert metrics["max_drawdown"] == pytest.approx(-0.6, rel=1e-12)
    assert (metrics["total_trades"], metrics["open_trades"]) == (0, 1)
    assert metrics["win_rate_incl_open"] == 0


# Sessions of other calendars (A1), and their days (T4)

EURO = Asset("EURUSD", "Euro", AssetClass.FX, "USD")
COIN = Asset("BTCUSDT", "Bitcoin", AssetClass.CRYPTO, "USDT")
SYDNEY = Asset("BHP.AX", "BHP", AssetClass.EQUITY, "AUD", "XASX")


def market_hours(asset: Asset) -> tuple[Bars, pd.DatetimeIndex]:
    """Return hourly bars while clocks change, and the local time of each whose date is its session.

    Currencies trade from 17:00 in New York, so seven hours later it is the next session's date. Sydney's morning is the
    evening of the day before in UTC.
    """
    zone, ahead = ("America/New_York", 7) if asset is EURO else ("Australia/Sydney", 0)
    hours = pd.date_range("2024-02-04 17:00", "2024-04-19 17:00", freq="h", tz=zone, inclusive="left")
    local = hours.tz_localize(None) + pd.Timedelta(hours=ahead)
    traded = (local.day_of_week < 5) & ((asset is EURO) | ((local.hour >= 10) & (local.hour < 16)))
    close = 1.1 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.002, int(traded.sum()))))
    return Bars(hours[traded].tz_convert("UTC").as_unit("ns").asi8, *bars_of(close).ohlcv), local[traded]


@pytest.mark.parametrize("asset", [EURO, SYDNEY], ids=["currencies", "Sydney"])
def test_a1_sessions_are_days_of_the_exchange_and_ratios_those_of_empyrical(asset: Asset) -> None:
    bars, local = market_hours(asset)
    desk = Desk(bars, asset, Timeframe.H1)

    result = desk.result(timeframe="1h", costs=FREE, start_date=local[0].date(), end_date=local[-1].date())

    ends = pd.Series(result.equity.value).groupby(local.date).last()
    returns = (ends / ends.shift(1, fill_value=100_000.0) - 1).to_numpy()
    periods = 260 if asset is EURO else 252
    metrics = result.summary.metrics
    assert metrics["sharpe_ratio"] == pytest.approx(empyrical.sharpe_ratio(returns, annualization=periods), rel=1e-9)
    assert metrics["worst_session"] == pytest.approx(returns.min(), rel=1e-9)
    by_utc_day = pd.Series(result.equity.value).groupby(bars.time // 86_400_000_000_000).last()
    assert len(by_utc_day) > len(ends)


@pytest.mark.parametrize("asset", [EURO, SYDNEY], ids=["currencies", "Sydney"])
def test_t4_the_first_and_the_last_day_are_whole_days_of_the_exchange(asset: Asset) -> None:
    bars, local = market_hours(asset)
    first, last = date(2024, 3, 5), date(2024, 3, 12)

    loaded = Desk(bars, asset, Timeframe.H1).load(timeframe="1h", start_date=first, end_date=last)

    inside = (local >= pd.Timestamp(first)) & (local < pd.Timestamp(last) + pd.Timedelta(days=1))
    assert loaded.bars.time.tolist() == bars.time[inside].tolist()


def test_t4_the_day_before_the_first_session_is_refused_with_the_days_of_the_exchange() -> None:
    bars, _ = market_hours(EURO)
    desk = Desk(bars, EURO, Timeframe.H1)

    with pytest.raises(InvalidDatesError, match=r"1h bars of EURUSD, 2024-02-05 to 2024-04-19: choose dates within"):
        desk.run(timeframe="1h", start_date=date(2024, 2, 4), end_date=date(2024, 4, 19))


def test_the_whole_period_of_currencies_begins_with_the_session_of_monday() -> None:
    bars, _ = market_hours(EURO)

    whole = Desk(bars, EURO, Timeframe.H1).engine.whole_request("buy_and_hold", "EURUSD", timeframe="1h")

    assert (whole.start_date, whole.end_date) == (date(2024, 2, 5), date(2024, 4, 19))


# The counters of rule P4


def test_p4_a_quiet_run_reports_every_counter_as_zero() -> None:
    quiet = Desk(STAIRS, COIN).result("scripted", parameters=script(enter=(0,), leave=(3,)), costs=FREE)

    assert set(quiet.summary.counters.items()) == {
        ("conflicting_signals", 0),
        ("ignored_signals", 0),
        ("clipped_orders", 0),
        ("unfilled_orders", 0),
        ("ambiguous_bars", 0),
        ("pending_signal", 0),
        ("zero_volume_fills", 0),
        ("missing_bars", 0),
    }


def test_p4_an_entry_and_an_exit_at_one_close_conflict() -> None:
    counters = scripted(STAIRS, enter=(0, 1, 3, 5), leave=(1, 2, 3, 5)).summary.counters

    assert counters["conflicting_signals"] == 3


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
def test_p4_entries_while_holding_are_ignored_signals(fill: str) -> None:
    counters = scripted(STAIRS, enter=(0, 1, 2, 3, 4, 5), leave=(3,), fill=fill).summary.counters

    # Bar 0 enters; 1 and 2 meet the position; 3 asks for both and leaves; 4 enters again; 5 meets that position.
    assert counters["ignored_signals"] == 3
    assert counters["conflicting_signals"] == 1


def test_p4_signals_before_the_first_decision_count_nowhere() -> None:
    result = scripted(STAIRS, parameters=script(enter=(0, 1, 2), leave=(0,), wait=2), start_date=day(1))

    assert result.summary.counters["conflicting_signals"] == 0
    assert result.summary.counters["ignored_signals"] == 0


def test_p4_fills_on_bars_without_volume_are_counted_at_both_ends() -> None:
    idle = Bars(STAIRS.time, *STAIRS.ohlcv[:4], np.array([0.0, 0.0, 5.0, 0.0, 0.0, 0.0]))

    # Fills at bars 1, 2 and 4; bars 1 and 4 are idle.
    assert scripted(idle, enter=(0, 3), leave=(1,)).summary.counters["zero_volume_fills"] == 2


def test_p4_an_order_too_small_to_send_is_unfilled_and_flagged() -> None:
    # A millionth of 0.01 buys less than 1e-8 units at 20 and more.
    asked = script((0, 2), position_size=1e-6)
    summary = scripted(STAIRS, parameters=asked, initial_capital=0.01).summary
    counters = summary.counters

    assert counters["unfilled_orders"] == 2
    assert "unfilled_orders" in [flag.code for flag in summary.flags]
    assert counters["pending_signal"] == counters["ignored_signals"] == 0


# The shortest runs


@pytest.mark.parametrize("strategy", [each for each in STRATEGIES if each().warmup], ids=lambda each: each.id())
def test_fewer_bars_than_the_warm_up_are_refused_with_what_is_needed(strategy: type[Strategy]) -> None:
    warmup = strategy().warmup
    desk = Desk(random_bars(1, warmup + 1))

    with pytest.raises(NoBarsError, match=rf"needs {warmup} bars of warm-up .* only {warmup + 1} bars") as refused:
        desk.run(strategy.id())

    assert refused.value.field == "end_date"
    assert len(Desk(random_bars(1, warmup + 2)).result(strategy.id()).equity.value) == warmup + 2


def test_one_day_with_history_is_filled_at_its_open_and_too_short_for_ratios() -> None:
    result = scripted(STAIRS, enter=(2,), start_date=day(3), end_date=day(3))

    assert result.equity.value.tolist() == [102_500.0]
    assert result.summary.undefined["sharpe_ratio"] == "too_short"
    assert_numbers_or_reasons(result)


def test_one_day_without_history_can_only_be_traded_at_its_close() -> None:
    with pytest.raises(NoBarsError, match="only 1 bars are stored up to 2020-01-01"):
        scripted(STAIRS, enter=(0,), end_date=day(0))

    result = scripted(STAIRS, enter=(0,), end_date=day(0), fill="same_close")

    assert result.trades.entry_price.tolist() == [11.0]
    assert_numbers_or_reasons(result)


def test_an_indicator_that_is_nowhere_defined_is_told_as_such() -> None:
    desk = Desk(bars_of(np.full(100, 20.0)))

    with pytest.raises(NoBarsError, match="indicators of rsi are undefined on all 100 bars"):
        desk.run("rsi")


def test_buy_and_hold_over_two_bars_holds_for_one() -> None:
    result = Desk(STAIRS).result(end_date=day(1), costs="zero")

    assert result.equity.value.tolist() == [100_000.0, 105_000.0]
    assert_numbers_or_reasons(result)


def test_same_close_trades_on_the_first_stored_bar() -> None:
    result = Desk(STAIRS).result(fill="same_close", costs="zero")

    assert result.trades.entry_bar.tolist() == [0]
    assert result.equity.value[0] == pytest.approx(100_000.0, rel=1e-14)
    assert result.summary.metrics["total_return"] == pytest.approx(50 / 11, rel=1e-14)


# No look-ahead through the engine

QUICK: Mapping[str, Mapping[str, Any]] = {
    "sma_crossover": {"slow_period": 30},
    "momentum": {"lookback": 40, "skip": 5},
}


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    strategy=st.sampled_from(STRATEGIES),
    cut=st.integers(60, 118),
    fill=st.sampled_from(["next_open", "next_close", "same_close"]),
    start=st.integers(0, 55),
)
def test_what_comes_later_changes_no_bit_of_earlier_equity(
    seed: int, strategy: type[Strategy], cut: int, fill: str, start: int
) -> None:
    bars, other = random_bars(seed, 120), random_bars(seed + 1, 120)
    asked = {"parameters": QUICK.get(strategy.id(), {}), "fill": fill, "start_date": day(start)}
    mixed = daily(*(joined(here, there, cut) for here, there in zip(bars.ohlcv[:4], other.ohlcv[:4], strict=True)))

    early = Desk(bars).result(strategy.id(), end_date=day(cut - 1), **asked).equity.value
    whole, changed = (Desk(each).result(strategy.id(), **asked).equity.value for each in (bars, mixed))

    assert early.tobytes() == whole[: len(early)].tobytes() == changed[: len(early)].tobytes()


def joined(here: Floats, there: Floats, cut: int) -> Floats:
    return np.concatenate([here[:cut], there[cut:]])


@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), strategy=st.sampled_from(STRATEGIES), size=st.floats(0.01, 1.0))
def test_any_run_adds_up_and_tells_numbers_or_reasons(seed: int, strategy: type[Strategy], size: float) -> None:
    parameters = {**QUICK.get(strategy.id(), {}), "position_size": size}

    result = Desk(random_bars(seed, 150)).result(strategy.id(), parameters=parameters, costs=GOLDEN_COSTS)

    metrics = result.summary.metrics
    assert result.trades.pnl.sum() == pytest.approx((metrics["final_capital"] or 0) - 100_000, abs=1e-6)
    assert len(result.trades) == (metrics["total_trades"] or 0) + (metrics["open_trades"] or 0)
    assert (metrics["cost_drag"] or 0) <= 1e-15
    assert_numbers_or_reasons(result)


# What is stored


class Crashing(Strategy):
    """Divides by zero."""

    title: ClassVar[str] = "Crashing"
    strategy_type: ClassVar[StrategyType] = "benchmark"

    @classmethod
    def id(cls) -> str:
        return "crashing"

    @property
    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars) -> Signals:
        raise ZeroDivisionError(f"{len(bars)} secrets")


def test_a_completed_run_is_stored_with_its_complete_request_and_its_result() -> None:
    desk = Desk(STAIRS)

    run = desk.run("sma_crossover", asset_symbol="test", parameters={"fast_period": 1, "slow_period": 2})

    stored, result = desk.runs.stored[run.id]
    assert re.fullmatch(RUN_ID_PATTERN, run.id)
    assert stored == run
    assert (run.status, run.created_at, run.completed_at, run.error) == (RunStatus.COMPLETED, NOW, NOW, None)
    assert run.request.asset_symbol == STOCK.symbol
    assert run.request.parameters == {"fast_period": 1, "slow_period": 2, "position_size": 1.0}
    assert (run.request.costs, run.request.adjustment) == ("us_equity", "raw")
    assert result is not None
    assert result.summary is run.summary
    assert len(result.equity.value) == 6


def test_a_strategy_that_crashes_leaves_a_failed_run_without_its_secrets() -> None:
    desk = Desk(STAIRS, strategies=[Crashing])

    with pytest.raises(DefectError) as met:
        desk.run("crashing")

    [(run, result)] = desk.runs.stored.values()
    assert met.value.run_id == run.id
    assert isinstance(met.value.__cause__, ZeroDivisionError)
    assert (run.status, run.completed_at) == (RunStatus.FAILED, NOW)
    assert run.error is not None and "defect" in run.error and "secrets" not in run.error
    assert run.summary is None
    assert result is None


class FullDisk(InMemoryRuns):
    """Refuses whatever is stored, as a database out of order does."""

    def add(self, run: Run, result: BacktestResult | None) -> None:  # noqa: ARG002 - the port's signature
        raise DatabaseUnavailableError("the disk is full")


def test_a_result_that_cannot_be_stored_is_an_error_and_no_run() -> None:
    desk = Desk(STAIRS)
    engine = BacktestEngine(StrategyRegistry(STRATEGIES), desk.bars, FullDisk())

    with pytest.raises(DatabaseUnavailableError) as met:
        engine.run(desk.request())

    assert met.value.run_id is None


def test_an_equity_that_no_number_can_hold_fails_the_run() -> None:
    prices = np.array([1e-300, 1e-300, 1e300, 1e300])
    desk = Desk(bars_of(prices))

    with pytest.raises(SimulationError, match="beyond what a number can hold"):
        desk.run()

    [(run, _)] = desk.runs.stored.values()
    assert run.status is RunStatus.FAILED


def test_the_arrays_of_a_result_are_its_own_and_read_only() -> None:
    curve = Desk(STAIRS).result().equity.value

    assert curve.flags.c_contiguous and curve.base is None
    assert not curve.flags.writeable


BROKEN = Bars(STAIRS.time, STAIRS.open, STAIRS.high, STAIRS.low, STAIRS.close, np.full(6, np.nan))


@pytest.mark.parametrize(
    ("bars", "asked", "kind"),
    [
        (STAIRS, {"strategy_id": "sma_crossover"}, NoBarsError),
        (STAIRS[::2], {"start_date": day(1), "end_date": day(1)}, NoBarsError),
        (BROKEN, {}, BadBarsError),
        (STAIRS, {"adjustment": "adjusted"}, BadBarsError),
    ],
)
def test_what_the_bars_refuse_is_stored_as_a_failed_run_and_the_error_names_it(
    bars: Bars, asked: dict[str, Any], kind: type[BacktestError]
) -> None:
    desk = Desk(bars)

    with pytest.raises(kind) as refused:
        desk.run(**asked)

    [(run, result)] = desk.runs.stored.values()
    assert refused.value.run_id == run.id
    assert (run.status, run.error) == (RunStatus.FAILED, str(refused.value))
    assert result is None


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"strategy_id": "sma_crosover"}, UnknownNameError, "did you mean 'sma_crossover'"),
        ({"asset_symbol": "TST"}, UnknownNameError, "asset_symbol: unknown symbol 'TST' - did you mean 'TEST'"),
        ({"parameters": {"position_size": 0}}, InvalidInputError, "parameters.position_size"),
        ({"parameters": {"speed": 1}}, InvalidInputError, "parameters.speed"),
        ({"timeframe": "1m"}, UnknownNameError, "timeframe"),
        ({"end_date": day(6)}, BacktestError, "end_date 2020-01-07"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_leaves_nothing(
    asked: dict[str, Any], kind: type[BacktestError], message: str
) -> None:
    desk = Desk(STAIRS)

    with pytest.raises(kind, match=re.escape(message)) as refused:
        desk.run(**asked)

    assert refused.value.run_id is None
    assert desk.runs.stored == {}
