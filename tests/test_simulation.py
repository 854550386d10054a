"""Signals traded over hand-made bars, rule by rule of the contract, and what holds on any bars."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.decisions import Terms
from backtesting.errors import SimulationError
from backtesting.simulation import simulate
from backtesting.types import Bars, Costs, Fill, Signals
from backtesting.vectorbt_kernels import load_kernels
from tests.fixtures.in_memory import between
from tests.fixtures.series import bars_of, daily
from tests.fixtures.trading import DEAR, FREE, cash_at_closes, decisions, terms_of, traded, with_terms

# Every open ends in 0 and every close in 1, so that a price tells where in its bar an order was filled.
STAIRS = between([10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61])

any_market = given(seed=st.integers(0, 2**32 - 1))
modest = settings(derandomize=True, deadline=None, max_examples=60)


def random_market(seed: int) -> tuple[Bars, Signals, Terms]:
    """Return any bars, any decisions and any terms."""
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 60))
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.05, count)))
    open_ = close * np.exp(random.normal(0, 0.02, count))
    low, high = np.minimum(open_, close) * 0.99, np.maximum(open_, close) * 1.01
    entries, exits = random.random((2, count)) < random.uniform(0.05, 0.6, (2, 1))
    fills: list[Fill] = ["next_open", "next_close", "same_close"]
    costs = Costs(commission=float(random.uniform(0, 0.02)), slippage=float(random.uniform(0, 0.02)))
    terms = terms_of(
        initial_capital=float(random.uniform(1_000, 1e6)),
        position_size=float(random.choice([1.0, random.uniform(0.01, 1.0)])),
        costs=costs,
        fill=fills[int(random.integers(3))],
    )
    return daily(open_, high, low, close), Signals(entries, exits), terms


# T2: when orders are filled


def test_t2_a_decision_at_a_close_fills_at_the_next_open() -> None:
    outcome = traded(STAIRS, enter=(0,), leave=(3,))

    assert outcome.trades.entry_bar.tolist() == [1]
    assert outcome.trades.entry_price.tolist() == [20.0]
    assert outcome.trades.exit_bar.tolist() == [4]
    assert outcome.trades.exit_price.tolist() == [50.0]
    # 100 buy 5 units at 20, marked at 21, 31 and 41, sold for 50 each.
    assert outcome.equity.tolist() == [100.0, 105.0, 155.0, 205.0, 250.0, 250.0]
    assert outcome.units.tolist() == [0.0, 5.0, 5.0, 5.0, 0.0, 0.0]


def test_t2_next_close_fills_a_bar_later_at_its_close() -> None:
    outcome = traded(STAIRS, enter=(0,), leave=(3,), fill="next_close", initial_capital=210.0)

    assert outcome.trades.entry_price.tolist() == [21.0]
    assert outcome.trades.exit_price.tolist() == [51.0]
    # 10 units at 21: marked at 31 and 41, sold at 51.
    assert outcome.equity.tolist() == [210.0, 210.0, 310.0, 410.0, 510.0, 510.0]


def test_t2_same_close_fills_at_the_deciding_close() -> None:
    outcome = traded(STAIRS, enter=(0,), leave=(3,), fill="same_close", initial_capital=110.0)

    assert outcome.trades.entry_bar.tolist() == [0]
    assert outcome.trades.entry_price.tolist() == [11.0]
    assert outcome.trades.exit_price.tolist() == [41.0]
    assert outcome.equity.tolist() == [110.0, 210.0, 310.0, 410.0, 410.0, 410.0]


# O5 and O6: signals that meet a position or each other


def test_o5_the_exit_wins_over_an_entry_at_the_same_close() -> None:
    outcome = traded(STAIRS, enter=(0, 2), leave=(2,))

    assert outcome.trades.exit_bar.tolist() == [3]
    assert len(outcome.trades) == 1


def test_o5_an_entry_and_an_exit_at_the_same_close_do_nothing_when_flat() -> None:
    outcome = traded(STAIRS, enter=(1,), leave=(1,))

    assert len(outcome.trades) == 0
    assert outcome.equity.tolist() == [100.0] * 6


def test_o6_an_entry_while_holding_is_ignored() -> None:
    once = traded(STAIRS, enter=(0,), position_size=0.5)
    often = traded(STAIRS, enter=(0, 1, 2), position_size=0.5)

    assert len(often.trades) == 1
    assert often.equity.tobytes() == once.equity.tobytes()


def test_o6_an_exit_while_flat_is_ignored() -> None:
    outcome = traded(STAIRS, leave=(0, 1))

    assert outcome.equity.tolist() == [100.0] * 6


def test_o4_an_entry_at_the_close_of_the_exits_bar_fills_at_the_next_open() -> None:
    outcome = traded(STAIRS, enter=(0, 2), leave=(1,))

    assert outcome.trades.entry_bar.tolist() == [1, 3]
    assert outcome.trades.exit_bar.tolist()[0] == 2


# C1 and Q1: costs and size


def test_c1_slippage_worsens_and_commission_charges_both_fills() -> None:
    outcome = traded(STAIRS, enter=(0,), leave=(3,), costs=DEAR)

    # Bought at 20 x 1.02, sold at 50 x 0.98; 1 % of each notional; all of the 100 spent, commission included.
    units = 100 / (20.4 * 1.01)
    assert outcome.trades.entry_price[0] == pytest.approx(20.4, rel=1e-15)
    assert outcome.trades.exit_price[0] == pytest.approx(49.0, rel=1e-15)
    assert outcome.trades.quantity[0] == pytest.approx(units, rel=1e-14)
    assert outcome.equity[-1] == pytest.approx(units * 49.0 * 0.99, rel=1e-14)
    assert outcome.fees_paid == pytest.approx(units * (20.4 + 49.0) * 0.01, rel=1e-14)
    assert outcome.trades.fees[0] == pytest.approx(outcome.fees_paid, rel=1e-14)
    assert outcome.slippage_paid == pytest.approx(units * (0.4 + 1.0), rel=1e-13)
    assert outcome.traded == pytest.approx(units * (20.4 + 49.0), rel=1e-14)
    assert outcome.trades.pnl[0] == pytest.approx(units * 49.0 * 0.99 - 100, rel=1e-13)
    assert outcome.trades.returns[0] == pytest.approx((units * 49.0 * 0.99 - 100) / (20.4 * units), rel=1e-13)


def test_c1_costless_return_is_of_the_same_signals_without_costs() -> None:
    outcome = traded(STAIRS, enter=(0,), leave=(3,), costs=DEAR, position_size=0.5)

    # Half of the capital from 20 to 50: 0.5 x 1.5.
    assert outcome.costless_return == pytest.approx(0.75, rel=1e-14)


def test_q1_the_budget_is_a_fraction_of_equity_with_costs_inside() -> None:
    outcome = traded(STAIRS, enter=(0, 3), leave=(1,), costs=DEAR, position_size=0.5)

    # 50 of the 100 are spent at 20.4; sold at 30 x 0.98 less 1 %; then half of the equity is spent at 50 x 1.02.
    first = 50 / (20.4 * 1.01)
    equity = 50 + first * 29.4 * 0.99
    second = 0.5 * equity / (51.0 * 1.01)
    assert outcome.trades.quantity == pytest.approx([first, second], rel=1e-14)
    assert outcome.equity[-1] == pytest.approx(0.5 * equity + second * 61, rel=1e-14)


@modest
@any_market
def test_q1_a_full_size_entry_never_overdraws(seed: int) -> None:
    bars, signals, terms = random_market(seed)
    terms = with_terms(terms, position_size=1.0)

    outcome = simulate(bars, signals, terms)

    cash = outcome.equity - outcome.units * bars.close
    assert cash.min() >= -1e-9 * terms.initial_capital
    assert outcome.counters["clipped_orders"] == outcome.counters["unfilled_orders"] == 0


def test_q3_an_order_below_the_smallest_quantity_is_dropped_and_counted() -> None:
    # 1e-7 buy 5e-9 units at 20; vectorbt's smallest order is 1e-8.
    outcome = traded(STAIRS, enter=(0, 2), initial_capital=1e-7)

    assert len(outcome.trades) == 0
    assert outcome.counters["unfilled_orders"] == 2


# W2 and W5: start and end


def test_w2_decisions_before_the_first_are_dropped() -> None:
    outcome = traded(STAIRS, enter=(0, 3), first_decision=2)

    assert outcome.trades.entry_bar.tolist() == [4]


def test_w2_the_last_bar_before_the_period_decides_the_fill_at_its_first_open() -> None:
    outcome = traded(STAIRS, enter=(2,), first_decision=2, history=3, initial_capital=40.0)

    assert outcome.trades.entry_bar.tolist() == [0]
    assert outcome.trades.entry_time.tolist() == [STAIRS.time[3]]
    # 1 unit at 40, the open of bar 3.
    assert outcome.equity.tolist() == [41.0, 51.0, 61.0]


def test_w2_the_benchmark_waits_for_the_first_tradable_bar_too() -> None:
    outcome = traded(STAIRS, first_decision=2)

    # Bought at 40, the open of bar 3: 2.5 units.
    assert outcome.benchmark.tolist() == [100.0, 100.0, 100.0, 102.5, 127.5, 152.5]


@modest
@any_market
def test_a6_entering_at_the_first_chance_at_full_size_is_the_benchmark_to_the_bit(seed: int) -> None:
    bars, _, terms = random_market(seed)

    outcome = simulate(bars, decisions(len(bars), enter=tuple(range(len(bars)))), with_terms(terms, position_size=1.0))

    assert outcome.equity.tobytes() == outcome.benchmark.tobytes()


def test_w5_an_open_position_is_valued_at_the_last_close_without_exit_cost() -> None:
    outcome = traded(STAIRS, enter=(3,), costs=DEAR)

    units = 100 / (50 * 1.02 * 1.01)
    assert outcome.trades.is_open.tolist() == [True]
    assert outcome.equity[-1] == pytest.approx(units * 61, rel=1e-14)
    assert outcome.trades.pnl[0] == pytest.approx(units * 61 - 100, rel=1e-14)
    assert outcome.fees_paid == pytest.approx(units * 51.0 * 0.01, rel=1e-14)


def test_w5_a_decision_at_the_last_close_is_never_filled() -> None:
    assert len(traded(STAIRS, enter=(5,)).trades) == 0
    assert traded(STAIRS, enter=(0,), leave=(5,)).trades.is_open.tolist() == [True]


# Properties (contract 13.8)


@modest
@any_market
def test_cash_and_position_make_up_the_equity(seed: int) -> None:
    bars, signals, terms = random_market(seed)

    outcome = simulate(bars, signals, terms)

    counted = cash_at_closes(outcome, terms) + outcome.units * bars.close
    assert outcome.equity == pytest.approx(counted, rel=1e-9)


@modest
@any_market
def test_profits_of_all_trades_make_up_the_change_of_equity(seed: int) -> None:
    bars, signals, terms = random_market(seed)

    outcome = simulate(bars, signals, terms)

    change = outcome.equity[-1] - terms.initial_capital
    assert outcome.trades.pnl.sum() == pytest.approx(change, abs=1e-9 * terms.initial_capital)
    assert outcome.trades.fees.sum() == pytest.approx(outcome.fees_paid, abs=1e-9)
    assert (outcome.trades.fees >= 0).all()
    assert outcome.slippage_paid >= 0


@modest
@any_market
def test_buy_and_hold_without_costs_earns_the_ratio_of_prices(seed: int) -> None:
    bars, signals, terms = random_market(seed)

    outcome = simulate(bars, signals, with_terms(terms, costs=FREE, fill="next_open"))

    grown = terms.initial_capital * bars.close[-1] / bars.open[1]
    assert outcome.benchmark[-1] == pytest.approx(grown, rel=1e-12)


@modest
@any_market
def test_higher_fees_never_raise_the_final_equity_of_the_same_signals(seed: int) -> None:
    bars, signals, terms = random_market(seed)
    rates = terms.costs

    outcomes = [
        simulate(bars, signals, with_terms(terms, costs=Costs(commission=rate, slippage=rates.slippage)))
        for rate in (0.0, rates.commission, rates.commission * 2, 0.2)
    ]

    final = np.array([outcome.equity[-1] for outcome in outcomes])
    assert (np.diff(final) <= 1e-12 * final[0]).all()


@modest
@given(seed=st.integers(0, 2**32 - 1), k=st.sampled_from([0.5, 3.0, 7.7, 1024.0]))
def test_prices_and_cash_times_k_make_k_times_the_profit(seed: int, k: float) -> None:
    bars, signals, terms = random_market(seed)
    prices = (column * k for column in bars.ohlcv[:4])

    scaled = simulate(daily(*prices), signals, with_terms(terms, initial_capital=terms.initial_capital * k))
    plain = simulate(bars, signals, terms)

    assert scaled.trades.pnl == pytest.approx(plain.trades.pnl * k, rel=1e-9, abs=1e-9 * terms.initial_capital * k)
    assert scaled.trades.returns == pytest.approx(plain.trades.returns, rel=1e-9, abs=1e-12)
    assert scaled.equity == pytest.approx(plain.equity * k, rel=1e-9)


@modest
@any_market
def test_never_trading_keeps_the_capital_to_the_bit(seed: int) -> None:
    bars, _, terms = random_market(seed)

    outcome = simulate(bars, decisions(len(bars)), terms)

    assert set(outcome.equity.tolist()) == {terms.initial_capital}
    assert outcome.fees_paid == outcome.slippage_paid == outcome.traded == 0


@modest
@any_market
def test_later_bars_and_decisions_change_no_bit_of_earlier_equity(seed: int) -> None:
    bars, signals, terms = random_market(seed)
    cut = max(2, len(bars) * 2 // 3)

    early = simulate(bars[:cut], Signals(signals.entries[:cut], signals.exits[:cut]), terms)
    whole = simulate(bars, signals, terms)

    assert early.equity.tobytes() == whole.equity[:cut].tobytes()
    assert early.benchmark.tobytes() == whole.benchmark[:cut].tobytes()


# When the kernel stops


def test_a_panic_of_the_kernel_becomes_an_error_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    if load_kernels().name != "vectorbt-rust":
        pytest.skip("only the Rust kernels panic")
    monkeypatch.delattr(sys.modules["vectorbt.portfolio.enums"], "order_dt")

    with pytest.raises(SimulationError, match="kernel stopped") as stopped:
        traded(bars_of(np.array([1.0, 2.0])), enter=(0,))

    assert type(stopped.value.__cause__).__name__ == "PanicException"


def test_an_error_of_the_kernel_that_is_no_panic_passes_through() -> None:
    with pytest.raises(ValueError, match="price"):
        traded(bars_of(np.array([1.0, -2.0, 3.0])), enter=(0,))
