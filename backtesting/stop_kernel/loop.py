"""The order of events in one bar (O1-O6), and the loop over the bars."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backtesting.stop_kernel.account import carry, enter, kelly, sell_out
from backtesting.stop_kernel.layout import (
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    KELLY,
    NOW,
    REASON,
    RULES,
    STATE,
    TRADE,
    Book,
    Market,
    Orders,
    compiled,
    files_of,
    kept,
)
from backtesting.stop_kernel.stops import at_the_open, inside, place, raise_peak
from backtesting.types import ExitReason, Floats

MAINTENANCE = 0.25  # H5: of the position's value
SIGNALLED, HELD_ENOUGH = REASON[ExitReason.SIGNAL], REASON[ExitReason.MAX_HOLDING]
CALLED, ENDED = REASON[ExitReason.MARGIN_CALL], REASON[ExitReason.END_OF_DATA]


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What trading came to: equity and holdings at each close (n,), the trades in order of entry, the last state."""

    equity: Floats
    units: Floats
    trades: Any
    state: Any


class Curves(NamedTuple):
    """Equity and holdings at each close."""

    equity: Floats
    units: Floats


def trade(market: Market, orders: Orders, rules: Any) -> Account:
    """Trade the orders over the market's bars; `rules` is a record of `RULES`.

    The columns are handed on read-only and in one piece, so that all calls share one compiled version.
    """
    market, orders = Market(*map(_fixed, market)), Orders(*map(_fixed, orders))
    count = len(market.close)
    equity, units = np.empty(count), np.empty(count)
    most = int(np.count_nonzero(orders.wanted & (ENTER_LONG | ENTER_SHORT)))
    trades, state = np.empty(most + 1, TRADE), np.zeros(1, STATE)
    state["cash"], state["kelly"] = rules["initial_cash"], rules["kelly_cap"]
    state["trade"] = state["bankrupt_bar"] = -1
    book = Book(rules, state[0], np.zeros(1, NOW)[0], trades)
    machine_code()(book, market, orders, Curves(equity, units))
    return Account(equity, units, trades[: int(state["trade"][0]) + 1], state[0])


def _fixed(column: Any) -> Any:
    """Return the column in one piece of memory, read-only."""
    fixed = np.ascontiguousarray(column).view()
    fixed.flags.writeable = False
    return fixed


@compiled
def run(book: Book, market: Market, orders: Orders, curves: Curves) -> None:
    """Go through the bars; nothing is allocated."""
    rules, state, now = book.rules, book.state, book.now
    for bar in range(len(curves.equity)):
        turn_to(book, market, bar)
        if orders.wanted[bar]:
            hand_in(book, orders, curves, bar)
        if state.units != 0 and rules.borrow > 0 and bar > 0:
            carry(book, market.close[bar - 1], market.years[bar])
        if state.liquidate:
            state.liquidate = False
            sell_out(book, now.open, CALLED)
        if state.bankrupt_bar < 0:
            events(book)
            close_of_bar(book)
        curves.equity[bar] = state.cash + state.units * now.close
        curves.units[bar] = state.units


@compiled
def turn_to(book: Book, market: Market, bar: int) -> None:
    """Lay the bar before the account."""
    now = book.now
    now.bar, now.is_last = bar, bar == len(market.close) - 1
    now.open, now.high, now.low, now.close = market.open[bar], market.high[bar], market.low[bar], market.close[bar]
    now.volume, now.spread = market.volume[bar], market.spread[bar]
    now.wanted = 0


@compiled
def hand_in(book: Book, orders: Orders, curves: Curves, bar: int) -> None:
    """Lay before the account what was decided for this bar, and how the account stood at the decision."""
    rules, now = book.rules, book.now
    decided = bar - rules.delay
    now.wanted = orders.wanted[bar]
    now.scale, now.decided_close = orders.scale[bar], orders.decided_close[bar]
    now.stop, now.target, now.trail = orders.stop[bar], orders.target[bar], orders.trail[bar]
    now.held = curves.units[decided] if 0 <= decided < bar else 0.0
    now.worth = curves.equity[decided] if 0 <= decided < bar else rules.initial_cash


@compiled
def events(book: Book) -> None:
    """Exits and entries at the open, orders inside the bar, exits and entries at the close (O1-O3)."""
    rules, state, now = book.rules, book.state, book.now
    if not rules.at_close:
        due_exits(book, now.open)
    if state.units != 0:
        at_the_open(book)
    if not rules.at_close:
        due_entries(book, now.open)
    if state.units != 0:
        inside(book)
    if rules.at_close:
        if rules.delay == 0:
            now.held, now.worth = state.units, state.cash + state.units * now.close
        due_exits(book, now.close)
        due_entries(book, now.close)


@compiled
def due_exits(book: Book, price: float) -> None:
    """Leave by a signal, by an opposite entry, or because the time is up."""
    state, most = book.state, book.rules.max_holding
    if state.units == 0:
        return
    leaving = EXIT_LONG | ENTER_SHORT if state.units > 0 else EXIT_SHORT | ENTER_LONG
    if book.now.wanted & leaving:
        sell_out(book, price, SIGNALLED)
    elif most > 0 and book.now.bar - state.entry_bar >= most:
        sell_out(book, price, HELD_ENOUGH)


@compiled
def due_entries(book: Book, price: float) -> None:
    """Enter, unless the decision met a position in its own direction, or its fill does (O4, O6)."""
    rules, state, now = book.rules, book.state, book.now
    wanted = now.wanted & (ENTER_LONG | ENTER_SHORT)
    if wanted == 0 or (rules.close_at_end and rules.at_close and now.is_last):
        return
    sign = 1.0 if wanted == ENTER_LONG else -1.0
    if sign * now.held > 0:
        return
    if state.units != 0:
        state.ignored += 1
        return
    enter(book, price, sign)
    if state.units != 0:
        state.filled_at_close = rules.at_close
        place(book)


@compiled
def close_of_bar(book: Book) -> None:
    """Move the trail, close what ends here, and see whether the account still stands (O3, H5, H6, W5)."""
    rules, state, now = book.rules, book.state, book.now
    if state.units != 0 and not (state.filled_at_close and state.entry_bar == now.bar):
        raise_peak(book)
    if state.units != 0 and now.is_last and rules.close_at_end:
        sell_out(book, now.close, ENDED)
    if rules.sizing == KELLY:
        state.kelly = kelly(book)
    value = state.cash + state.units * now.close
    if value <= 0:
        state.bankrupt_bar = now.bar
    if state.units != 0 and not now.is_last:
        state.liquidate = value < MAINTENANCE * abs(state.units) * now.close
    elif state.units != 0 and value <= 0:
        sell_out(book, now.close, CALLED)


@cache
def machine_code() -> Callable[[Book, Market, Orders, Curves], None]:
    """Return `run` as it is kept on disk.

    numba notices changes of the file of a kept function alone, and of the values it closes over: so this one closes
    over a digest of everything that is compiled into it.
    """
    parts = [*(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))), *map(str.encode, ExitReason)]
    digest = int.from_bytes(sha256(b"".join(parts)).digest()[:7])

    def run_of_these_sources(book: Book, market: Market, orders: Orders, curves: Curves) -> None:
        if digest >= 0:
            run(book, market, orders, curves)

    return kept(run_of_these_sources)


def warm() -> tuple[Path, ...]:
    """Compile the kernel, or load what was compiled, by trading two bars; return the files that keep it."""
    two = np.array([1.0, 1.0])
    nothing, rules = np.full(2, np.nan), np.zeros(1, RULES)
    rules["initial_cash"], rules["leverage"] = 1.0, 1.0
    market = Market(two, two, two, two, two, np.zeros(2), np.zeros(2))
    trade(market, Orders(np.zeros(2, np.uint8), two, two, nothing, nothing, nothing), rules[0])
    return files_of(machine_code())
