"""Trades signals over bars under the contract: decided at a close, filled as `fill` says, costs on both sides.

Strategy, benchmark and the strategy without costs are three columns of one simulation, so all three follow the same
rules from the same bar.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backtesting.types import Bars, Booleans, Costs, Fill, Floats, Signals, Simulation, Trades
from backtesting.vectorbt_kernels import BUY, Account, Columns, trade_long

STRATEGY, BENCHMARK, COSTLESS = 0, 1, 2
FULL_SIZE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms signals are traded; `first_decision` and `period` count bars from the first one loaded."""

    initial_capital: float
    position_size: float
    costs: Costs
    fill: Fill
    first_decision: int
    period: int


def simulate(bars: Bars, signals: Signals, terms: Terms) -> Simulation:
    """Trade the signals decided from `first_decision` on, over the bars from `period` on (W2, T2)."""
    entries = np.column_stack([signals.entries, np.zeros_like(signals.entries), signals.entries])
    exits = np.column_stack([signals.exits, np.zeros_like(signals.exits), signals.exits])
    entries[: terms.first_decision] = exits[: terms.first_decision] = False
    entries[terms.first_decision, BENCHMARK] = True
    entries, exits = (_due(each, terms) for each in (entries, exits))
    period = bars[terms.period :]
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


def _due(decided: Booleans, terms: Terms) -> Booleans:
    """Move decisions to the bar where they fill, and keep the period's bars."""
    due = decided
    if terms.fill != "same_close":
        due = np.zeros_like(decided)
        due[1:] = decided[:-1]
    return due[terms.period :]


def _outcome(account: Account, period: Bars, price: Floats, wanted: Booleans, terms: Terms) -> Simulation:
    orders = account.orders[account.orders["col"] == STRATEGY]
    base, paid = price[orders["idx"]], orders["price"]
    units = account.units[:, STRATEGY]
    held_before = np.concatenate([[0.0], units[:-1]]) > 0
    bought = orders[orders["side"] == BUY]
    return Simulation(
        equity=account.equity[:, STRATEGY],
        benchmark=account.equity[:, BENCHMARK],
        units=units,
        trades=_trades(account.trades[account.trades["col"] == STRATEGY], period),
        traded=float(np.sum(orders["size"] * paid)),
        fees_paid=float(np.sum(orders["fees"])),
        slippage_paid=float(np.sum(np.abs(paid - base) * orders["size"])),
        costless_return=float(account.equity[-1, COSTLESS]) / terms.initial_capital - 1.0,
        clipped_orders=_clipped(bought, account.equity[:, STRATEGY], terms),
        unfilled_orders=int(np.count_nonzero(wanted & ~held_before)) - len(bought),
    )


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
