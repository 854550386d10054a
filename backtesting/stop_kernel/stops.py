"""Stops, targets and trailing stops: where they lie, when they are touched, and what they fill at (S1-S8)."""

from math import isnan

from backtesting.stop_kernel.account import leave, sell_out
from backtesting.stop_kernel.layout import REASON, Book, compiled
from backtesting.types import ExitReason

TOLERANCE = 1e-12  # S2: 100 x 1.1 is 110.00000000000001 in float64
STOPPED, TRAILED, REACHED = REASON[ExitReason.STOP], REASON[ExitReason.TRAILING], REASON[ExitReason.TARGET]


@compiled
def away(base: float, sign: float, distance: float, is_fraction: bool) -> float:  # noqa: FBT001 - compiled
    """Return the level that lies a fraction of the base, or a distance in price, on the side of the sign."""
    return base * (1 + sign * distance) if is_fraction else base + sign * distance


@compiled
def place(book: Book) -> None:
    """Set the levels of a position just opened, from its fill or from the close that decided it (S1)."""
    rules, state, now = book.rules, book.state, book.now
    sign = 1.0 if state.units > 0 else -1.0
    base = book.trades[state.trade].entry_price if rules.base_is_fill else now.decided_close
    state.stop = away(base, -sign, now.stop, rules.stop_is_fraction)
    state.target = away(base, sign, now.target, rules.target_is_fraction)
    state.trail = now.trail
    state.peak = base


@compiled
def is_touched(price: float, level: float, sign: float) -> bool:
    """Tell whether a stop's level is reached from the side of profit (S2, S3); never where there is none."""
    return sign * (price - level) <= TOLERANCE * level


@compiled
def is_reached(book: Book, price: float, level: float, sign: float) -> bool:
    """Tell whether a target fills: traded through, or only touched where that is enough (S8)."""
    beyond = sign * (price - level)
    return beyond >= -TOLERANCE * level if book.rules.limit_touch else beyond > TOLERANCE * level


@compiled
def tighter(sign: float, level: float, other: float) -> float:
    """Return the level nearer to the price; the other one where one is missing."""
    if isnan(level) or (not isnan(other) and sign * (other - level) > 0):
        return other
    return level


@compiled
def trail_under(book: Book, sign: float, peak: float) -> float:
    """Return the trailing stop's level under this peak (S5), NaN where there is none."""
    return away(peak, -sign, book.state.trail, book.rules.trail_is_fraction)


@compiled
def stop_out(book: Book, price: float, level: float) -> None:
    """Leave by the stop or by the trailing stop, whichever set the level; it is a market order (S3)."""
    sell_out(book, price, STOPPED if level == book.state.stop else TRAILED)


@compiled
def at_the_open(book: Book) -> None:
    """Fill at the open what the open has passed: the stop first, then the target (O1)."""
    state, price = book.state, book.now.open
    sign = 1.0 if state.units > 0 else -1.0
    level = tighter(sign, state.stop, trail_under(book, sign, state.peak))
    if is_touched(price, level, sign):
        stop_out(book, price, level)
    elif is_reached(book, price, state.target, sign):
        leave(book, price, 0.0, REACHED)


@compiled
def inside(book: Book) -> None:
    """Fill what the bar's range touches, count a range that leaves the order of events open (O2, S3-S6)."""
    state, now = book.state, book.now
    sign = 1.0 if state.units > 0 else -1.0
    best, worst = (now.high, now.low) if sign > 0 else (now.low, now.high)
    level = tighter(sign, state.stop, trail_under(book, sign, state.peak))
    raised = trail_under(book, sign, best) if sign * (best - state.peak) > 0 else level
    is_stopped, is_target = is_touched(worst, level, sign), is_reached(book, best, state.target, sign)
    if (is_stopped and is_target) or (not is_stopped and is_touched(worst, raised, sign)):
        state.ambiguous += 1
    if is_target and (book.rules.optimistic or not is_stopped):
        leave(book, max(state.target, now.open) if sign > 0 else min(state.target, now.open), 0.0, REACHED)
    elif is_stopped:
        stop_out(book, min(level, now.open) if sign > 0 else max(level, now.open), level)
    book.trades[state.trade].exit_inside = state.units == 0


@compiled
def raise_peak(book: Book) -> None:
    """Let the bar's extreme move the trailing stop for the bars after it (S5)."""
    state, now = book.state, book.now
    state.peak = max(state.peak, now.high) if state.units > 0 else min(state.peak, now.low)
