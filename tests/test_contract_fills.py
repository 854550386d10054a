"""When decisions fill, when trading begins and ends, and what is counted and flagged (T2, W1-W5, P4, A2, N5)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.errors import NoBarsError
from backtesting.indicators import crossed_above
from backtesting.simulation import OWN_KERNEL, simulate
from backtesting.types import BacktestResult, Bars, Costs, OrderOptions, Signals, Trades
from tests.fixtures.in_memory import Desk, between, day
from tests.fixtures.plain_loop import Bracket, walk
from tests.fixtures.series import daily, p_bars
from tests.fixtures.trading import DEAR, cash_at_closes, terms_of, traded, with_terms

STAIRS = between([10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61])
OWN = {"sizing": {"method": "percent_equity", "fraction": 1.0}, "close_at_end": False, "max_holding": 1000}
modest = settings(derandomize=True, deadline=None, max_examples=150)
any_seed = given(seed=st.integers(0, 2**32 - 1))


def scripted(bars: Bars = STAIRS, **asked: Any) -> BacktestResult:
    script = {name: asked.pop(name) for name in ("enter", "leave", "short", "cover", "wait") if name in asked}
    return Desk(bars).result("scripted", parameters=script, **{"costs": "zero"} | asked)


def flags(result: BacktestResult) -> dict[str, str]:
    return {flag.code: flag.message for flag in result.summary.flags}


# T2: the bar of the fill


@pytest.mark.parametrize(("delay", "bar", "price"), [(1, 1, 20.0), (2, 2, 30.0), (4, 4, 50.0)])
def test_t2_delay_bars_move_the_fill(delay: int, bar: int, price: float) -> None:
    trades = traded(STAIRS, enter=(0,), delay_bars=delay).trades

    assert (trades.entry_bar.tolist(), trades.entry_price.tolist()) == ([bar], [price])


def test_t2_a_delayed_next_close_fills_at_that_close() -> None:
    trades = traded(STAIRS, enter=(0,), leave=(2,), delay_bars=2, fill="next_close").trades

    assert (trades.entry_price.tolist(), trades.exit_price.tolist()) == ([31.0], [51.0])


@pytest.mark.parametrize(
    ("fill", "prices"), [("next_open", (20, 50)), ("next_close", (21, 51)), ("same_close", (11, 41))]
)
def test_t2_our_own_kernel_fills_where_vectorbts_does(fill: str, prices: tuple[int, int]) -> None:
    for options in ({}, OWN):
        trades = traded(STAIRS, enter=(0,), leave=(3,), fill=fill, **options).trades

        assert (trades.entry_price[0], trades.exit_price[0]) == prices


def test_t2_a_trade_says_which_close_decided_it() -> None:
    late, early, same = (
        traded(STAIRS, enter=(1,), **each).trades.decision_time[0]
        for each in ({"delay_bars": 2}, {}, {"fill": "same_close"})
    )

    assert late == early == same == STAIRS.time[1]


def test_t2_same_close_with_a_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="use next_close or drop delay_bars"):
        Desk(STAIRS).request(fill="same_close", delay_bars=2)


def test_t2_filling_at_the_deciding_close_is_flagged() -> None:
    assert "optimistic_fill" in flags(scripted(enter=(0,), fill="same_close"))


def test_t2_more_history_is_loaded_for_a_longer_delay() -> None:
    trades = scripted(enter=(1,), start_date=day(4), delay_bars=3).trades

    assert trades.entry_price.tolist() == [50.0]


def test_o4_with_a_delay_an_entry_that_met_a_position_is_dropped_and_so_is_one_whose_fill_meets_it() -> None:
    outcome = traded(STAIRS, enter=(0, 1, 3), delay_bars=2)

    # Decided at 0, filled at 2; that of 1 finds it at its fill, that of 3 at its decision.
    assert outcome.trades.entry_bar.tolist() == [2]
    assert outcome.counters["ignored_signals"] == 2


@pytest.mark.parametrize(
    ("values", "bars"),
    [([1, 2, 2, 3], [3]), ([3, 2, 3], []), ([2, 3], []), ([1, np.nan, 3], []), ([1, 3, 2, 3, 1, 3], [1, 5])],
)
def test_t9_a_cross_needs_to_come_from_the_other_side(values: list[float], bars: list[int]) -> None:
    # Contract 13.5; of the last, vectorbt says 1, 3 and 5.
    assert np.flatnonzero(crossed_above(np.array(values, dtype=float), 2.0)).tolist() == bars


# W2-W5, start and end


def test_w2_trade_from_moves_the_first_fill_of_strategy_and_benchmark() -> None:
    result = scripted(enter=(0, 2), trade_from=day(3))

    # Bar 2 decides first; 100 000 buy at 40, worth 61 at the end.
    assert result.trades.entry_bar.tolist() == [3]
    assert result.summary.metrics["benchmark_return"] == pytest.approx(61 / 40 - 1, rel=1e-12)
    assert result.summary.provenance["first_tradable_bar"].startswith("2020-01-04")


def test_w2_an_early_trade_from_changes_nothing() -> None:
    assert scripted(enter=(2,), wait=3, trade_from=day(1)).trades.entry_bar.tolist() == []
    assert scripted(enter=(3,), wait=3, trade_from=day(1)).trades.entry_bar.tolist() == [4]


def test_w2_trade_from_after_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match="choose an earlier trade_from"):
        Desk(STAIRS).request(trade_from=day(9))


def test_w4_history_bars_are_loaded_as_asked() -> None:
    asked = {"start_date": day(60), "parameters": {"fast_period": 5, "slow_period": 20}}

    told = [
        Desk(p_bars()).result("sma_crossover", **asked, history_bars=count).summary.provenance["history_bars"]
        for count in (0, 20, 40)
    ]

    assert told == [0, 20, 40]


def test_w4_too_little_history_is_flagged_with_the_number_missing() -> None:
    asked = {"start_date": day(60), "parameters": {"fast_period": 5, "slow_period": 20}}

    short, long = (Desk(p_bars()).result("sma_crossover", **asked, history_bars=count) for count in (9, 40))

    assert "10 bars of warm-up" in flags(short)["warmup_short"]
    assert "warmup_short" not in flags(long)


def test_w3_a_later_first_trade_leaves_the_window_of_the_metrics() -> None:
    result = scripted(enter=(2,), trade_from=day(3))

    assert len(result.equity.value) == 6


def test_w5_an_open_position_is_valued_at_the_last_close_without_exit_costs() -> None:
    outcome = traded(STAIRS, enter=(0,), costs=DEAR, **OWN)

    assert outcome.trades.is_open.tolist() == [True]
    assert outcome.equity[-1] == pytest.approx(100 / (20.4 * 1.01) * 61, rel=1e-13)


def test_w5_close_at_end_pays_them() -> None:
    outcome = traded(STAIRS, enter=(0,), costs=DEAR, close_at_end=True)

    assert outcome.equity[-1] == pytest.approx(100 / (20.4 * 1.01) * 61 * 0.98 * 0.99, rel=1e-13)


def test_w5_signals_at_the_last_closes_are_pending() -> None:
    result = scripted(enter=(5,))
    delayed = scripted(enter=(0,), leave=(4, 5), delay_bars=2)

    assert result.summary.counters["pending_signal"] == 1
    assert "pending_signal" in flags(result)
    assert delayed.summary.counters["pending_signal"] == 2


def test_w2_no_bar_left_to_fill_in_is_refused() -> None:
    with pytest.raises(NoBarsError):
        scripted(wait=5, delay_bars=4)


# P4, P1, A2: counted and told


def test_p4_both_kernels_report_the_same_counters() -> None:
    script = {"enter": (0, 1, 3), "leave": (2, 3)}

    plain, own = (traded(STAIRS, **script, **options).counters for options in ({}, OWN))

    assert plain == own
    assert plain == {
        "conflicting_signals": 1,
        "ignored_signals": 1,
        "pending_signal": 0,
        "clipped_orders": 0,
        "unfilled_orders": 0,
        "ambiguous_bars": 0,
    }


def test_p1_a_result_says_which_kernel_traded_it() -> None:
    plain, own = (scripted(enter=(0,), **options).summary.provenance["engine"] for options in ({}, {"stop_loss": 0.5}))

    assert (plain, own) == ("vectorbt-rust", OWN_KERNEL)


def test_a2_periods_of_ones_own_are_used_and_flagged() -> None:
    result = scripted(p_bars(), enter=(0,), periods_per_year=365.0)

    assert result.summary.provenance["periods_per_year"] == 365.0
    assert "365" in flags(result)["periods_overridden"]


def test_n5_entries_that_were_cut_are_flagged() -> None:
    assert "clipped_orders" in flags(scripted(enter=(0,), sizing={"method": "fixed_units", "units": 1e9}))


# What holds on any bars, decisions and options (13.8)


def any_market(seed: int) -> tuple[Bars, Signals, Any]:
    """Return any bars, any decisions, and any terms that our own kernel trades."""
    random = np.random.default_rng(seed)
    count = int(random.integers(8, 80))
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.04, count)))
    open_ = close * np.exp(random.normal(0, 0.02, count))
    low, high = (pick(open_, close) for pick in (np.minimum, np.maximum))
    low, high = low * (1 - random.uniform(0, 0.03, count)), high * (1 + random.uniform(0, 0.03, count))
    signals = Signals(*(random.random((2, count)) < 0.2), {}, *(random.random((2, count)) < 0.2))
    chosen = {
        "direction": str(random.choice(["long", "short", "both"])),
        "stop_loss": random.choice([None, 0.03]),
        "take_profit": random.choice([None, 0.04]),
        "trailing_stop": random.choice([None, 0.05]),
        "max_holding": random.choice([None, 7]),
        "limit_touch": bool(random.integers(2)),
        "stop_base": str(random.choice(["fill", "signal_close"])),
        "close_at_end": bool(random.integers(2)),
        "delay_bars": int(random.integers(1, 4)),
        "lot_size": float(random.choice([0.0, 0.01])),
    }
    costs = Costs(
        commission=float(random.uniform(0, 0.01)), slippage=float(random.uniform(0, 0.01)), borrow=0.02, fixed=0.5
    )
    terms = terms_of(
        initial_capital=float(random.uniform(1_000, 1e6)),
        costs=costs,
        fill=str(random.choice(["next_open", "next_close"])),
        options=OrderOptions.model_validate(chosen),
    )
    return daily(open_, high, low, close), signals, terms


@modest
@any_seed
def test_cash_and_holdings_make_up_the_equity_under_any_orders(seed: int) -> None:
    bars, signals, terms = any_market(seed)
    free = with_terms(terms, costs=Costs(commission=terms.costs.commission, slippage=terms.costs.slippage, borrow=0.0))

    outcome = simulate(bars, signals, free)

    counted = cash_at_closes(outcome, free) + outcome.units * bars.close
    assert outcome.equity == pytest.approx(counted, rel=1e-9)


@modest
@any_seed
def test_profits_of_all_trades_make_up_the_change_of_equity_under_any_orders(seed: int) -> None:
    bars, signals, terms = any_market(seed)

    outcome = simulate(bars, signals, terms)

    change = outcome.equity[-1] - terms.initial_capital
    assert outcome.trades.pnl.sum() == pytest.approx(change, abs=1e-9 * terms.initial_capital)
    assert (outcome.trades.fees >= 0).all() and (outcome.trades.borrow >= 0).all()
    assert (outcome.trades.mae <= 0).all() and (outcome.trades.mfe >= 0).all()


@modest
@any_seed
def test_no_fill_lies_outside_its_bar_but_for_slippage(seed: int) -> None:
    bars, signals, terms = any_market(seed)
    terms = with_terms(terms, costs=Costs(commission=0.001, slippage=0.0))

    trades = simulate(bars, signals, terms).trades

    for bar, price in ((trades.entry_bar, trades.entry_price), (trades.exit_bar, trades.exit_price)):
        assert (price <= bars.high[bar] * (1 + 1e-9)).all()
        assert (price >= bars.low[bar] * (1 - 1e-9)).all()


@modest
@any_seed
def test_s6_the_pessimistic_result_is_never_better_than_the_optimistic(seed: int) -> None:
    bars, signals, terms = any_market(seed)
    bracket = OrderOptions.model_validate(
        {"stop_loss": 0.02, "take_profit": 0.02, "direction": terms.options.direction}
    )

    outcome = simulate(bars, signals, with_terms(terms, options=bracket))

    assert outcome.equity[-1] / terms.initial_capital - 1 <= outcome.optimistic_return + 1e-12


@modest
@given(seed=st.integers(0, 2**32 - 1), k=st.sampled_from([0.5, 3.0, 1024.0]))
def test_prices_and_cash_times_k_make_k_times_the_equity_under_any_orders(seed: int, k: float) -> None:
    bars, signals, terms = any_market(seed)
    rates = Costs(commission=terms.costs.commission, slippage=terms.costs.slippage, borrow=0.02)
    plain = with_terms(terms, costs=rates, options=terms.options.model_copy(update={"lot_size": 0.0}))

    scaled = simulate(
        daily(*(column * k for column in bars.ohlcv[:4])),
        signals,
        with_terms(plain, initial_capital=plain.initial_capital * k),
    )

    assert scaled.equity == pytest.approx(simulate(bars, signals, plain).equity * k, rel=1e-9)


@modest
@any_seed
def test_later_bars_change_no_bit_of_earlier_equity_under_any_orders(seed: int) -> None:
    bars, signals, terms = any_market(seed)
    terms = with_terms(terms, options=terms.options.model_copy(update={"close_at_end": False}))
    cut = len(bars) * 2 // 3

    whole, early = simulate(bars, signals, terms), simulate(bars[:cut], first(signals, cut), terms)

    assert early.bankrupt_bar is not None or early.equity.tobytes() == whole.equity[:cut].tobytes()


def first(signals: Signals, count: int) -> Signals:
    columns = (signals.entries, signals.exits, signals.short_entries, signals.short_exits)
    entries, exits, short_entries, short_exits = (each[:count] for each in columns if each is not None)
    return Signals(entries, exits, {}, short_entries, short_exits)


@modest
@any_seed
def test_a_position_in_one_direction_mirrors_the_other_on_mirrored_moves(seed: int) -> None:
    random = np.random.default_rng(seed)
    up = 100 + np.cumsum(random.uniform(-1, 1, 40))
    rows = np.array([up, up + 0.5, up - 0.5, up + random.uniform(-0.4, 0.4, 40)])
    mirrored = 200 - rows[[0, 2, 1, 3]]
    options = {"sizing": {"method": "fixed_units", "units": 1.0}, "initial_capital": 1e6, "stop_loss": {"atr": 2.0}}

    long = traded(daily(*rows.copy()), enter=(15, 25), leave=(20,), **options, first_decision=14)
    short = traded(
        daily(*mirrored.copy()), short=(15, 25), cover=(20,), direction="short", **options, first_decision=14
    )

    assert short.equity == pytest.approx(long.equity, rel=1e-12)


# 13.9: what went wrong elsewhere


def test_a_loss_of_sixty_percent_while_holding_is_a_loss_of_sixty_percent() -> None:
    close = np.linspace(100, 40, 120)
    summary = scripted(between(close, close), enter=(0,), max_holding=1000).summary

    assert summary.metrics["total_return"] == pytest.approx(40 / close[1] - 1, rel=1e-12)
    assert summary.metrics["max_drawdown"] == pytest.approx(40 / close[1] - 1, rel=1e-12)
    assert (summary.metrics["total_trades"], summary.metrics["open_trades"]) == (0, 1)


def test_a_fee_on_entry_shows_in_return_and_drawdown_alike() -> None:
    flat = between(np.full(5, 100.0), np.full(5, 100.0))
    costs = Costs(commission=0.05, slippage=0.0, min_fee=1e-9)

    summary = scripted(flat, enter=(0,), costs=costs).summary

    assert summary.metrics["total_return"] == pytest.approx(-1 / 21, rel=1e-12)
    assert summary.metrics["max_drawdown"] == pytest.approx(-1 / 21, rel=1e-12)


# Against a plain loop, and one path against the other


@modest
@any_seed
def test_any_bracket_is_traded_as_a_plain_loop_trades_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    bars, signals, _ = any_market(seed)
    bracket = Bracket(
        stop=random.choice([None, 0.02, 0.05]),
        target=random.choice([None, 0.03, 0.08]),
        trail=random.choice([None, 0.03, 0.06]),
        touch=bool(random.integers(2)),
        base_is_fill=bool(random.integers(2)),
        holding=random.choice([None, 5]),
        optimistic=bool(random.integers(2)),
    )
    costs = Costs(commission=0.001, slippage=float(random.choice([0.0, 0.002])))
    options = {
        "stop_loss": bracket.stop,
        "take_profit": bracket.target,
        "trailing_stop": bracket.trail,
        "limit_touch": bracket.touch,
        "stop_base": "fill" if bracket.base_is_fill else "signal_close",
        "max_holding": bracket.holding,
        "intrabar": "optimistic" if bracket.optimistic else "pessimistic",
    }
    terms = terms_of(initial_capital=10_000.0, costs=costs, options=OrderOptions.model_validate(options))

    trades = simulate(bars, signals, terms).trades

    expected = walk(bars, signals, 10_000.0, costs, bracket)
    assert trades.entry_bar.tolist() == [entry for entry, _, _ in expected]
    assert trades.quantity == pytest.approx([quantity for _, quantity, _ in expected], rel=1e-9)
    for trade, (_, _, left) in zip(trades, expected, strict=True):
        assert trade.exit_reason == (left.reason if left else None)
        assert left is None or trade.exit_price == pytest.approx(left.price, rel=1e-12)
    assert trades.exit_bar[~trades.is_open].tolist() == [left.bar for _, _, left in expected if left]


@modest
@any_seed
def test_both_kernels_come_to_the_same_run(seed: int) -> None:
    bars, signals, terms = any_market(seed)
    rates = Costs(commission=terms.costs.commission, slippage=terms.costs.slippage)
    plain = with_terms(terms, costs=rates, options=OrderOptions(), position_size=0.9)

    ours, theirs = (
        simulate(bars, signals, with_terms(plain, options=options))
        for options in (OrderOptions(max_holding=1000), OrderOptions())
    )

    assert (ours.engine, theirs.engine) == (OWN_KERNEL, "vectorbt-rust")
    assert ours.counters == theirs.counters
    for name in ("equity", "benchmark", "units", "costless_return", "traded", "fees_paid", "slippage_paid"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-12, abs=1e-9)
    for name in Trades.__slots__:
        assert getattr(ours.trades, name) == pytest.approx(getattr(theirs.trades, name), rel=1e-12, abs=1e-9)
