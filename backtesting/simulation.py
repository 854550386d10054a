"""Trades signals over bars under the contract: decided at a close, filled as `fill` says, costs on both sides.

Strategy, benchmark and the strategy without costs are three columns of one simulation, so all three follow the same
rules from the same bar.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backtesting.errors import SimulationError
from backtesting.types import Bars, Booleans, Costs, Fill, Floats, Signals, Simulation, Trades
from backtesting.vectorbt_kernels import BUY, Account, Columns, trade_long

STRATEGY, BENCHMARK, COSTLESS = 0, 1, 2
FULL_SIZE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms signals are traded; `history` bars come before the period, `first_decision` counts from there."""

    initial_capital: float
    position_size: float
    costs: Costs
    fill: Fill
    first_decision: int
    history: int


def simulate(bars: Bars, signals: Signals, terms: Terms) -> Simulation:
    """Trade the signals decided from `first_decision` on, over the bars after the history (W2, T2)."""
    entries = np.column_stack([signals.entries, np.zeros_like(signals.entries), signals.entries])
    exits = np.column_stack([signals.exits, np.zeros_like(signals.exits), signals.exits])
    entries[: terms.first_decision] = exits[: terms.first_decision] = False
    entries[terms.first_decision, BENCHMARK] = True
    entries, exits = (_due(each, terms) for each in (entries, exits))
    period = bars[terms.history :]
    price = period.open if terms.fill == "next_open" else period.close
    columns = Columns(
        entries=entries,
        exits=exits,
        size=np.array([terms.position_size, 1.0, terms.position_size]),
        fees=np.array([terms.costs.commission, terms.costs.commission, 0.0]),
        slippage=np.array([terms.costs.slippage, terms.costs.slippage, 0.0]),
    )
    account = trade_long(columns, price, period.close, terms.initial_capital)
    return _outcome(account, period, price, entries[:, STRATEGY] & ~exits[:, STRATEGY], terms)


def check_simulation() -> None:
    """Buy 100 units at 10 with 1010, costs of 1 % included, and value them at 11; SimulationError if it is not 1100."""
    enter, stay = np.array([[True], [False]]), np.zeros((2, 1), dtype=bool)
    columns = Columns(enter, stay, size=np.ones(1), fees=np.array([0.01]), slippage=np.zeros(1))
    equity = trade_long(columns, np.array([10.0, 10.0]), np.array([10.0, 11.0]), 1010.0).equity[:, 0]
    if not np.allclose(equity, [1000.0, 1100.0]):
        raise SimulationError(f"the kernels compute an equity of {equity.tolist()} where it is [1000, 1100]")


def _due(decided: Booleans, terms: Terms) -> Booleans:
    """Move decisions to the bar where they fill, and keep the period's bars."""
    due = decided
    if terms.fill != "same_close":
        due = np.zeros_like(decided)
        due[1:] = decided[:-1]
    return due[terms.history :]


def _outcome(account: Account, period: Bars, price: Floats, wanted: Booleans, terms: Terms) -> Simulation:
    if not np.isfinite(account.equity).all():
        raise SimulationError("equity grew beyond what a number can hold: the prices or the capital cannot be meant")
    orders = account.orders[account.orders["col"] == STRATEGY]
    base, paid = price[orders["idx"]], orders["price"]
    units, equity, benchmark = map(_frozen, (account.units[:, STRATEGY], *account.equity.T[: BENCHMARK + 1]))
    held_before = np.concatenate([[0.0], units[:-1]]) > 0
    bought = orders[orders["side"] == BUY]
    return Simulation(
        equity=equity,
        benchmark=benchmark,
        units=units,
        trades=_trades(account.trades[account.trades["col"] == STRATEGY], period),
        traded=float(np.sum(orders["size"] * paid)),
        fees_paid=float(np.sum(orders["fees"])),
        slippage_paid=float(np.sum(np.abs(paid - base) * orders["size"])),
        costless_return=float(account.equity[-1, COSTLESS]) / terms.initial_capital - 1.0,
        clipped_orders=_clipped(bought, equity, terms),
        unfilled_orders=int(np.count_nonzero(wanted & ~held_before)) - len(bought),
    )


def _frozen(column: Floats) -> Floats:
    """Return the column for itself: contiguous, read-only, and without the other columns it came with."""
    own = column.copy()
    own.flags.writeable = False
    return own


def _clipped(bought: Any, equity: Floats, terms: Terms) -> int:
    """Count the entries that spent less than their budget (Q3)."""
    before = np.concatenate([[terms.initial_capital], equity[:-1]])[bought["idx"]]
    spent = bought["size"] * bought["price"] + bought["fees"]
    return int(np.count_nonzero(spent < terms.position_size * before * (1 - FULL_SIZE_TOLERANCE)))


def _trades(records: Any, period: Bars) -> Trades:
    """Turn vectorbt's exit-trade records into columns."""
    return Trades(
        entry_bar=records["entry_idx"],
        exit_bar=records["exit_idx"],
        entry_time=period.time[records["entry_idx"]],
        exit_time=period.time[records["exit_idx"]],
        entry_price=records["entry_price"],
        exit_price=records["exit_price"],
        quantity=records["size"],
        fees=records["entry_fees"] + records["exit_fees"],
        pnl=records["pnl"],
        returns=records["return"],
        is_open=records["status"] == 0,
    )
