"""Trades signals over bars under the contract: decided at a close, filled as `fill` says, costs on both sides.

Strategy, benchmark and the strategy without costs follow the same rules from the same bar. What vectorbt's sizing
expresses exactly runs on its kernels, three columns of one simulation; everything else on our own (`order_trading`).
"""

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from backtesting.conditions import Conditions
from backtesting.decisions import PLAIN, Decisions, Terms, decisions_of, ignored_and_pending
from backtesting.errors import BadBarsError, SimulationError
from backtesting.late import Late
from backtesting.trade_book import CODES, Fills, trades_of
from backtesting.types import (
    Bars,
    ExitReason,
    Floats,
    Integers,
    OrderOptions,
    PercentEquity,
    Signals,
    Simulation,
    Trades,
)
from backtesting.vectorbt_kernels import BUY, Account, Columns, load_kernels, trade_long

if TYPE_CHECKING:
    from backtesting import order_trading
else:
    order_trading = Late("backtesting.order_trading")  # numba: 0.4 s and 100 MB, for few requests

STRATEGY, BENCHMARK, COSTLESS = 0, 1, 2
FULL_SIZE_TOLERANCE = 1e-9
OWN_KERNEL = "backtesting-mcp stop_kernel"
# What vectorbt does as the contract says; the rest of the options has to be as it is by default.
EXPRESSED = frozenset({"sizing", "max_leverage", "stop_base", "intrabar", "limit_touch"})
others_of = attrgetter(*(name for name in OrderOptions.model_fields if name not in EXPRESSED))


def simulate(bars: Bars, signals: Signals, terms: Terms, conditions: Conditions | None = None) -> Simulation:
    """Trade the signals decided from `first_decision` on, over the bars after the history (W2, T2).

    `conditions` are those the options ask for. BadBarsError where stops meet bars of closes alone (S7).
    """
    decisions = decisions_of(signals, terms)
    if is_plain(terms):
        return _plain(bars, decisions, terms)
    if terms.options.has_stops and (bars.high == bars.low).all():
        raise BadBarsError("stops and targets need bars with a high and a low: drop them, or import full bars")
    return _own(bars, decisions, terms, conditions or Conditions())


def is_plain(terms: Terms) -> bool:
    """Tell whether vectorbt's percent sizing expresses the terms exactly."""
    sizing = terms.options.sizing
    return (
        terms.costs.are_rates
        and (sizing is None or (isinstance(sizing, PercentEquity) and sizing.fraction <= 1))
        and others_of(terms.options) == others_of(PLAIN)
    )


def check_simulation() -> None:
    """Buy 100 units at 10 with 1010, costs of 1 % included, and value them at 11; SimulationError if it is not 1100."""
    first, enter, stay = np.zeros(1, np.int64), np.array([[True]]), np.array([[False]])
    columns = Columns(first, enter, stay, size=np.ones(1), fees=np.array([0.01]), slippage=np.zeros(1))
    equity = trade_long(columns, np.array([10.0, 10.0]), np.array([10.0, 11.0]), 1010.0).equity(0)
    if not np.allclose(equity, [1000.0, 1100.0]):
        raise SimulationError(f"the kernels compute an equity of {equity.tolist()} where it is [1000, 1100]")


def _plain(bars: Bars, decisions: Decisions, terms: Terms) -> Simulation:
    """Trade on vectorbt's kernels."""
    sizing = terms.options.sizing
    size = sizing.fraction if isinstance(sizing, PercentEquity) else terms.position_size
    columns = _columns(decisions, terms, size)
    period = bars.span(terms.history, len(bars))
    price = period.open if terms.fill == "next_open" else period.close
    account = trade_long(columns, price, period.close, terms.initial_capital)
    equity, benchmark, units = account.equity(STRATEGY), account.equity(BENCHMARK), account.units(STRATEGY)
    costless = account.final(COSTLESS)
    _require_finite(equity, benchmark, costless)
    trades = trades_of(_fills(account, period, price), bars, terms)
    bought = account.orders[(account.orders["col"] == STRATEGY) & (account.orders["side"] == BUY)]
    due = columns.bars[columns.entries[:, STRATEGY]]
    counters = {
        **_of_signals(decisions, units, terms),
        "clipped_orders": _clipped(bought, equity, terms.initial_capital, size),
        "unfilled_orders": int(np.count_nonzero(_before(units, due, 0.0) <= 0)) - len(bought),
        "ambiguous_bars": 0,
    }
    return Simulation(
        equity=equity,
        benchmark=benchmark,
        units=units,
        trades=trades,
        traded=_traded(trades),
        fees_paid=float(trades.fees.sum()),
        slippage_paid=float(trades.slippage.sum()),
        borrow_paid=0.0,
        costless_return=costless / terms.initial_capital - 1.0,
        optimistic_return=float(equity[-1]) / terms.initial_capital - 1.0,
        counters=counters,
        engine=load_kernels().name,
    )


def _own(bars: Bars, decisions: Decisions, terms: Terms, conditions: Conditions) -> Simulation:
    """Trade on our own kernel."""
    accounts = order_trading.trade_orders(bars, decisions, terms, conditions)
    account, state = accounts.strategy, accounts.strategy.state
    _require_finite(*(each.equity for each in (account, accounts.benchmark, accounts.costless, accounts.optimistic)))
    records = account.trades
    last = float(bars.close[-1])
    for name in ("exit_price", "exit_market_price"):
        records[name][records["is_open"]] = last
    records["exit_bar"][records["is_open"]] = len(account.equity) - 1
    trades = trades_of(Fills(**{name: records[name].copy() for name in Fills.__slots__}), bars, terms)
    of_signals = _of_signals(decisions, account.units, terms)
    bankrupt = int(state["bankrupt_bar"])
    counters = {
        "conflicting_signals": of_signals["conflicting_signals"],
        "ignored_signals": of_signals["ignored_signals"] + int(state["ignored"]),
        "pending_signal": of_signals["pending_signal"] if bankrupt < 0 else 0,
        "clipped_orders": int(state["clipped"]),
        "unfilled_orders": int(state["unfilled"]),
        "ambiguous_bars": int(state["ambiguous"]),
    }
    costless, optimistic = (
        float(each.equity[-1]) / terms.initial_capital - 1.0 for each in (accounts.costless, accounts.optimistic)
    )
    return Simulation(
        equity=_frozen(account.equity),
        benchmark=_frozen(accounts.benchmark.equity),
        units=_frozen(account.units),
        trades=trades,
        traded=_traded(trades),
        fees_paid=float(trades.fees.sum()),
        slippage_paid=float(trades.slippage.sum()),
        borrow_paid=float(trades.borrow.sum()),
        costless_return=costless,
        optimistic_return=optimistic,
        counters=counters,
        engine=OWN_KERNEL,
        bankrupt_bar=bankrupt if bankrupt >= 0 else None,
    )


def _columns(decisions: Decisions, terms: Terms, size: float) -> Columns:
    """Return what is due of strategy, benchmark and costless strategy, side by side."""
    enter, leave = (terms.due(decided, np.False_) for decided in (decisions.enter_long, decisions.exit_long))
    first = terms.first_decision + terms.delay - terms.history
    carries = enter | leave
    carries[first] = True
    bars = np.flatnonzero(carries)
    entries, exits = (np.zeros((len(bars), COSTLESS + 1), dtype=np.bool_) for _ in range(2))
    for column in (STRATEGY, COSTLESS):
        entries[:, column], exits[:, column] = enter[bars], leave[bars]
    entries[:, BENCHMARK] = bars == first
    costs = terms.costs
    return Columns(
        bars=bars,
        entries=entries,
        exits=exits,
        size=np.array([size, 1.0, size]),
        fees=np.array([costs.commission, costs.commission, 0.0]),
        slippage=np.array([costs.slippage, costs.slippage, 0.0]),
    )


def _of_signals(decisions: Decisions, units: Floats, terms: Terms) -> dict[str, int]:
    ignored, pending = ignored_and_pending(decisions, units, terms)
    return {
        "conflicting_signals": decisions.conflicting,
        "ignored_signals": ignored,
        "pending_signal": pending,
    }


def _require_finite(*equity: Floats | float) -> None:
    if not all(np.isfinite(each).all() for each in equity):
        raise SimulationError("equity grew beyond what a number can hold: the prices or the capital cannot be meant")


def _frozen(column: Floats) -> Floats:
    """Return the column for itself: contiguous, read-only, and without the other columns it came with."""
    own = column.copy()
    own.flags.writeable = False
    return own


def _clipped(bought: Any, equity: Floats, initial_capital: float, size: float) -> int:
    """Count the entries that spent less than their budget (Q3)."""
    before = _before(equity, bought["idx"], initial_capital)
    spent = bought["size"] * bought["price"] + bought["fees"]
    return int(np.count_nonzero(spent < size * before * (1 - FULL_SIZE_TOLERANCE)))


def _before(values: Floats, bars: Integers, at_first: float) -> Floats:
    """Return the value at the close before each of the bars."""
    return np.where(bars == 0, at_first, values[bars - 1])


def _traded(trades: Trades) -> float:
    """Return the money over all fills."""
    left = np.where(trades.is_open, 0.0, trades.exit_price)
    return float(np.sum(trades.quantity * (trades.entry_price + left)))


def _fills(account: Account, period: Bars, price: Floats) -> Fills:
    """Turn vectorbt's exit-trade records into fills; the last close stands in for the exit of an open one."""
    records = account.trades[account.trades["col"] == STRATEGY]
    is_open, quantity = records["status"] == 0, records["size"]
    entry, left = records["entry_idx"], records["exit_idx"]
    market = np.where(is_open, period.close[left], price[left])
    paid = np.abs(records["entry_price"] - price[entry]) + np.where(
        is_open, 0.0, np.abs(records["exit_price"] - market)
    )
    nothing, no = np.zeros(len(records)), np.zeros(len(records), dtype=np.bool_)
    return Fills(
        entry_bar=entry,
        exit_bar=left,
        entry_price=records["entry_price"],
        exit_price=records["exit_price"],
        exit_market_price=market,
        quantity=quantity,
        entry_fees=records["entry_fees"],
        exit_fees=records["exit_fees"],
        slippage=paid * quantity,
        borrow=nothing,
        is_short=no,
        is_open=is_open,
        exit_reason=np.where(is_open, -1, CODES[ExitReason.SIGNAL]),
        exit_inside=no,
    )
