"""How large an entry is, what cuts it, and what is dropped (Q1-Q4), by hand calculations."""

from typing import Any

import numpy as np
import pytest

from backtesting.conditions import bars_before, volatility
from backtesting.errors import InvalidInputError
from backtesting.types import NS_PER_DAY, BacktestRequest, Bars, Costs, OrderOptions, Timeframe, validated
from tests.fixtures.in_memory import Desk, between
from tests.fixtures.series import bars_of
from tests.fixtures.trading import FREE, bars_from, traded

# Every open ends in 0 and every close in 1, so that a price tells where in its bar an order was filled.
STAIRS = between([10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61])
FLAT = bars_of(np.full(6, 100.0))


def quantities(bars: Bars = STAIRS, enter: tuple[int, ...] = (0,), **terms: Any) -> list[float]:
    return traded(bars, enter=enter, **terms).trades.quantity.tolist()


def sizing(method: str, **values: float) -> dict[str, Any]:
    return {"sizing": {"method": method, **values}}


# Q1: costs inside the budget


def test_q1_rates_and_fixed_and_unit_costs_fit_into_the_budget() -> None:
    costs = Costs(commission=0.01, slippage=0.0, per_unit=0.2, fixed=3.0)

    outcome = traded(STAIRS, enter=(0,), costs=costs, initial_capital=1000.0)

    # 1000 = q x (20 x 1.01 + 0.2) + 3
    assert outcome.trades.quantity[0] == pytest.approx(997 / 20.4, rel=1e-13)
    assert outcome.trades.fees[0] == pytest.approx(997 / 20.4 * 0.4 + 3, rel=1e-12)
    assert outcome.equity[1] == pytest.approx(997 / 20.4 * 21, rel=1e-12)


def test_q1_where_the_minimum_fee_rules_it_is_what_is_left_out_of_the_budget() -> None:
    costs = Costs(commission=0.01, slippage=0.0, min_fee=50.0)

    outcome = traded(STAIRS, enter=(0,), costs=costs, initial_capital=1000.0)

    assert outcome.trades.quantity[0] == pytest.approx(950 / 20, rel=1e-13)
    assert outcome.trades.fees[0] == 50.0


def test_q1_the_size_follows_the_equity_at_the_deciding_close() -> None:
    # The long is left at 30 and the short entered there, but sized with the 105 of the close before: 5 units of 21.
    outcome = traded(STAIRS, enter=(0,), short=(1,), direction="both", position_size=0.5)

    # Half of 100 buys 2.5 at 20; the close of 21 makes 102.5.
    assert outcome.trades.quantity.tolist() == [2.5, pytest.approx(0.5 * 102.5 / 30, rel=1e-14)]


# Q2, the methods


def test_q2_percent_equity_and_position_size_are_one() -> None:
    assert quantities(**sizing("percent_equity", fraction=0.5)) == quantities(position_size=0.5) == [2.5]


def test_q2_fixed_cash_spends_an_amount() -> None:
    assert quantities(**sizing("fixed_cash", amount=50.0)) == [2.5]


def test_q2_fixed_units_trades_a_quantity() -> None:
    assert quantities(**sizing("fixed_units", units=1.25)) == [1.25]


def test_q2_vol_target_is_the_target_over_the_volatility_of_sixty_sessions() -> None:
    # Closes alternate by +1 % and back: the sixty returns are known, their deviation too.
    close = np.where(np.arange(80) % 2, 101.0, 100.0)
    returns = np.diff(close)[:60] / close[:60]
    sigma = float(np.std(returns, ddof=1)) * 252**0.5

    outcome = traded(bars_of(close), enter=(60,), first_decision=60, **sizing("vol_target", target=0.08))

    assert outcome.trades.quantity[0] == pytest.approx(0.08 / sigma * 100 / 101, rel=1e-12)


def test_q2_vol_target_spends_no_more_than_all() -> None:
    close = np.where(np.arange(80) % 2, 101.0, 100.0)

    assert quantities(bars_of(close), (60,), first_decision=60, **sizing("vol_target", target=5.0)) == [100 / 101]


def test_t3_volatility_within_a_day_knows_the_sessions_before_only() -> None:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 24 * 70)))
    hourly = bars_of(close)
    hourly = Bars(hourly.time[0] + 3_600_000_000_000 * np.arange(len(close)), *hourly.ohlcv)
    changed = close.copy()
    changed[24 * 65 + 5 :] *= 2

    known, other = (
        volatility(Bars(hourly.time, *([each] * 4), hourly.volume), hourly.time // NS_PER_DAY, 365.0)
        for each in (close, changed)
    )

    assert np.isnan(known[: 24 * 61]).all() and np.isfinite(known[24 * 61 :]).all()
    assert (known[: 24 * 66] == other[: 24 * 66])[24 * 61 :].all()
    assert known[24 * 66] != other[24 * 66]


def test_q2_risk_per_trade_loses_that_fraction_of_equity_at_the_stop() -> None:
    bars = bars_from((100,) * 4, (100, 101, 99, 100), (100, 100, 90, 91))

    outcome = traded(
        bars, enter=(0,), stop_loss=0.05, initial_capital=1000.0, **sizing("risk_per_trade", fraction=0.02)
    )

    # 0.02 / 0.05 of 1000 buy 4 units; 5 each are lost.
    assert outcome.trades.quantity.tolist() == [pytest.approx(4.0, rel=1e-14)]
    assert outcome.trades.pnl[0] == pytest.approx(-20.0, rel=1e-13)


def test_q2_risk_per_trade_by_an_atr_stop_loses_that_fraction_too() -> None:
    rows = [(100.0, 102.0, 98.0, 100.0)] * 5 + [(100.0, 100.0, 80.0, 91.0)]
    terms = {"stop_loss": {"atr": 2.0, "period": 3}, "first_decision": 3, "initial_capital": 1000.0}

    outcome = traded(bars_from(*rows), enter=(3,), **terms, **sizing("risk_per_trade", fraction=0.02))

    # 20 at risk, 8 a unit.
    assert outcome.trades.quantity.tolist() == [2.5]
    assert outcome.trades.pnl[0] == pytest.approx(-20.0, rel=1e-13)


def test_q2_kelly_spends_the_cap_until_enough_trades_and_then_what_they_allow() -> None:
    # Trades return +20 %, +20 % and -10 %: W = 2/3, R = 2, Kelly 2/3 - 1/3 / 2 = 1/2; half of that is spent.
    opens = [100.0, 100, 120, 100, 120, 100, 90, 100, 100]
    bars = between(opens, opens)
    method = sizing("kelly", fraction=0.5, cap=0.4, min_trades=3)

    outcome = traded(bars, enter=(0, 2, 4, 6), leave=(1, 3, 5), **method)

    spent = outcome.trades.quantity * outcome.trades.entry_price
    equity = 100 * 1.08 * 1.08 * 0.96
    assert spent.tolist() == [
        pytest.approx(each, rel=1e-12) for each in (40.0, 0.4 * 108, 0.4 * 108 * 1.08, 0.25 * equity)
    ]


def test_q2_kelly_that_is_not_positive_sends_nothing() -> None:
    opens = [100.0, 100, 90, 100, 100]

    outcome = traded(between(opens, opens), enter=(0, 2), leave=(1,), **sizing("kelly", min_trades=1))

    assert len(outcome.trades) == 1
    assert outcome.counters["unfilled_orders"] == 1


# Q3: the cap


def test_q3_an_order_cut_by_cash_is_filled_smaller_and_counted() -> None:
    outcome = traded(STAIRS, enter=(0,), **sizing("fixed_units", units=50.0))

    assert outcome.trades.quantity.tolist() == [5.0]
    assert outcome.counters["clipped_orders"] == 1


def test_q3_below_min_notional_nothing_is_sent_and_it_is_counted() -> None:
    outcome = traded(STAIRS, enter=(0, 2), min_notional=60.0, **sizing("fixed_cash", amount=50.0))

    assert len(outcome.trades) == 0
    assert outcome.counters["unfilled_orders"] == 2


def test_q3_leverage_is_off_unless_asked_for() -> None:
    with pytest.raises(ValueError, match="max_leverage"):
        OrderOptions.model_validate(sizing("percent_equity", fraction=2.0))


def test_q3_with_leverage_exposure_goes_to_its_cap_and_the_borrowed_money_costs() -> None:
    costs = Costs(commission=0.0, slippage=0.0, borrow=0.365)

    outcome = traded(FLAT, enter=(0,), max_leverage=2.0, costs=costs, **sizing("percent_equity", fraction=2.0))

    # 200 buy 2 units, 100 of it borrowed at 0.1 % a day for the four nights from bar 1 to bar 5, interest on interest.
    assert outcome.units.tolist() == [0, 2, 2, 2, 2, 2]
    assert outcome.borrow_paid == pytest.approx(100 * (1.001**4 - 1), rel=1e-12)
    assert outcome.equity[-1] == pytest.approx(100 - outcome.borrow_paid, rel=1e-14)


# Q4, whole lots


@pytest.mark.parametrize("quantity", [0.3, 0.7, 1.1, 0.6, 2.0])
def test_q4_tenths_stay_themselves(quantity: float) -> None:
    assert quantities(lot_size=0.1, initial_capital=1e6, **sizing("fixed_units", units=quantity)) == [quantity]


def test_q4_lots_are_floored() -> None:
    assert quantities(lot_size=1.0, initial_capital=119.0) == [5.0]
    assert quantities(lot_size=10.0, initial_capital=1000.0) == [50.0]


def test_q4_less_than_a_lot_is_not_sent() -> None:
    outcome = traded(STAIRS, enter=(0,), lot_size=10.0)

    assert len(outcome.trades) == 0
    assert outcome.counters["unfilled_orders"] == 1


# What is asked for and refused


def test_sizing_and_position_size_together_are_refused() -> None:
    with pytest.raises(ValueError, match="give one of the two"):
        Desk(STAIRS).request(parameters={"position_size": 0.5}, **sizing("fixed_cash", amount=5.0))


def test_risk_per_trade_without_a_stop_is_refused() -> None:
    with pytest.raises(ValueError, match="add stop_loss or trailing_stop"):
        Desk(STAIRS).request(**sizing("risk_per_trade", fraction=0.01))


def test_a_run_by_units_says_so_and_can_be_repeated_from_its_own_request() -> None:
    desk = Desk(STAIRS)

    run = desk.run("scripted", parameters={"enter": (0,)}, costs="zero", **sizing("fixed_units", units=3.0))
    again = desk.engine.run(run.request.model_validate(run.request.model_dump()))

    assert "position_size" not in run.request.parameters
    assert run.summary is not None and again.summary is not None
    assert run.summary.metrics["final_capital"] == 100_000 + 3 * (61 - 20)
    assert again.summary.metrics == run.summary.metrics


def test_w1_an_atr_or_a_volatility_counts_as_warmup() -> None:
    options = OrderOptions.model_validate({"stop_loss": {"atr": 1.0, "period": 30}, **sizing("vol_target", target=0.1)})

    # Within a day only the sessions before it are known: 61 days of 24 hours.
    assert bars_before(options, FREE, Timeframe.D1) == 60
    assert bars_before(options, FREE, Timeframe.H1) == 61 * 24
    assert bars_before(OrderOptions(stop_loss=0.1), FREE, Timeframe.D1) == 0


def test_w2_nothing_is_decided_before_the_atr_of_a_stop_is_defined() -> None:
    close = 100 + np.arange(40.0)
    bars = bars_from(*zip(close, close + 1, close - 1, close, strict=True))

    trades = Desk(bars).result(stop_loss={"atr": 5.0, "period": 20}, costs="zero").trades

    # The first ATR of 20 bars is that of bar 20.
    assert trades.entry_bar.tolist() == [21]


def test_a_wrong_option_is_named_by_its_path() -> None:
    known = Desk(STAIRS).request().model_dump(exclude={"sizing", "stop_loss"})

    with pytest.raises(InvalidInputError) as caught:
        validated(BacktestRequest, **known, sizing={"method": "kelly", "cap": 9.0}, stop_loss={"atr": -1.0})

    assert {problem.path for problem in caught.value.problems} == {"sizing.cap", "stop_loss.atr"}
