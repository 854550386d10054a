"""Plain orders, all long: the same float operations in the same order as vectorbt's simulation and accounting.

The simulation's cash sizes orders; the cash added up from the orders makes the equity, and the two may differ by bits.
"""

from typing import Any

from backtesting.stop_kernel.account import CLOSE, SMALLEST_ORDER, add, is_close
from backtesting.sweep_kernel.layout import Course, Rooms, Terms, compiled


@compiled
def enter(now: Any, rooms: Rooms, terms: Terms, size: float, price: float) -> bool:
    """Spend a fraction of the equity, costs included, and tell whether the order was large enough to fill (Q1-Q3)."""
    cash = 0.0 if is_close(now.cash, 0.0) else now.cash
    budget = min(cash, size * now.cash)
    fill = price * (1 + terms.slippage)
    spent = budget / (1 + terms.commission)
    quantity = spent / fill
    if quantity < SMALLEST_ORDER * (1 - CLOSE):
        return False
    fee = budget - spent
    now.cash = add(cash, -budget)
    now.booked = add(now.booked, add(0.0, -quantity * fill - fee))
    now.units = quantity
    now.entry_price, now.entry_fees = quantity * fill / quantity, fee
    rooms.fees[now.trades] = fee
    now.trades += 1
    return True


@compiled
def leave(now: Any, rooms: Rooms, terms: Terms, price: float) -> None:
    """Sell all, and keep the trade's fees and its profit among the winners or the losers."""
    fill = price * (1 - terms.slippage)
    quantity = now.units
    fee = fill * quantity * terms.commission
    now.cash = now.cash + add(quantity * fill, -fee)
    now.booked = add(now.booked, add(0.0, quantity * fill - fee))
    now.units = 0.0
    fees = now.entry_fees + fee
    rooms.fees[now.trades - 1] = fees
    profit = (fill - now.entry_price) * quantity - fees
    now.closed += 1
    if profit > 0:
        rooms.won[now.won] = profit
        now.won += 1
    elif profit < 0:
        rooms.lost[now.lost] = profit
        now.lost += 1


@compiled
def carry_to(now: Any, course: Course, rooms: Rooms, stop: int) -> None:
    """Account for the bars up to `stop` at which cash and units stood still: equity, drawdown, returns of sessions."""
    if stop == now.begin:
        return
    if now.units == 0.0:
        level(now, now.booked)
        rest(now, course, rooms, stop)
    else:
        ride(now, course, stop)
        earn(now, course, rooms, stop)
        now.held += stop - now.begin
    now.begin = stop


@compiled
def rest(now: Any, course: Course, rooms: Rooms, stop: int) -> None:
    """Write the returns of sessions that end flat: the first may differ from the level before, the others are 0."""
    until = course.ended[stop]
    if until == now.session:
        return
    rooms.returns[now.session] = step(now, now.booked)
    rooms.returns[now.session + 1 : until] = 0.0
    now.session = until


@compiled
def earn(now: Any, course: Course, rooms: Rooms, stop: int) -> None:
    """Write the returns of sessions that end with a position."""
    until = course.ended[stop]
    returns, ends = rooms.returns[now.session : until], course.ends[now.session : until]
    cash, units, before, product, largest = now.booked, now.units, now.before, now.product, now.largest
    for session in range(len(ends)):
        after = cash + course.close[ends[session]] * units
        change = after / before - 1.0 if before > 0 else 0.0
        product *= 1.0 + change
        largest = max(largest, abs(change))
        returns[session] = change
        before = after
    now.before, now.product, now.largest, now.session = before, product, largest, until


@compiled
def step(now: Any, after: float) -> float:
    """Return the change to the next level as a fraction, 0 where nothing is left to lose, and multiply it in."""
    change: float = after / now.before - 1.0 if now.before > 0 else 0.0
    now.product *= 1.0 + change
    now.largest = max(now.largest, abs(change))
    now.before = after
    return change


@compiled
def level(now: Any, equity: float) -> None:
    """Let the equity raise the peak or deepen the trough."""
    if equity > now.peak:
        now.lowest = min(now.lowest, now.trough / now.peak)
        now.peak = now.trough = equity
    elif equity < now.trough:
        now.trough = equity


@compiled
def ride(now: Any, course: Course, stop: int) -> None:
    """Follow the equity of a position; the lowest level under a peak is the deepest drawdown from it."""
    cash, units, peak, trough, lowest = now.booked, now.units, now.peak, now.trough, now.lowest
    for close in course.close[now.begin : stop]:
        equity = cash + close * units
        if equity > peak:
            lowest = min(lowest, trough / peak)
            peak = trough = equity
        elif equity < trough:
            trough = equity
    now.peak, now.trough, now.lowest = peak, trough, lowest
