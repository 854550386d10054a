"""Finds signals in pairs of lines without writing them down; what a crossing is, T9 of the contract says."""

from math import isfinite

from backtesting.sweep_kernel.layout import compiled
from backtesting.types import Floats

STRIDE = 64


@compiled
def last_difference(above: Floats, below: Floats, bar: int) -> float:
    """Return the last difference other than zero before the bar, 0 where there is none."""
    for back in range(bar - 1, -1, -1):
        difference: float = above[back] - below[back]
        if difference != 0:
            return difference
    return 0.0


@compiled
def holds(above: Floats, below: Floats, crosses: bool, bar: int) -> bool:  # noqa: FBT001 - compiled
    """Tell whether one line is above the other at the bar, and, for a crossing, was below it before."""
    return above[bar] - below[bar] > 0 and (not crosses or last_difference(above, below, bar) < 0)


@compiled
def turns(above: Floats, below: Floats, bar: int, stop: int) -> int:
    """Count the bars of [bar, stop) with one line above the other that was not so at the bar before."""
    upper, lower, count = above[bar - 1 : stop], below[bar - 1 : stop], 0
    for at in range(stop - bar):  # from 0, so that no index can be negative and the loop becomes vectors
        count += (upper[at + 1] - lower[at + 1] > 0) & (upper[at] - lower[at] <= 0)
    return count


@compiled
def passes(above: Floats, below: Floats, bar: int, stop: int) -> int:
    """Count the bars of [bar, stop) with one line above the other."""
    upper, lower, count = above[bar:stop], below[bar:stop], 0
    for at in range(stop - bar):
        count += upper[at] - lower[at] > 0
    return count


@compiled
def crossing_in(above: Floats, below: Floats, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) where one line crosses above the other, or `stop`, looking at each."""
    for at in range(bar, stop):
        if holds(above, below, True, at):  # noqa: FBT003 - compiled
            return at
    return stop


@compiled
def above_in(above: Floats, below: Floats, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) where one line is above the other, or `stop`, looking at each."""
    for at in range(bar, stop):
        if above[at] - below[at] > 0:
            return at
    return stop


@compiled
def next_crossing(above: Floats, below: Floats, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) where one line crosses above the other, or `stop`.

    Whole strides without a turn are counted through by vector instructions.
    """
    at = max(bar, 1)
    while at < stop:
        end = min(at + STRIDE, stop)
        found = crossing_in(above, below, at, end) if turns(above, below, at, end) > 0 else end
        if found < end:
            return found
        at = end
    return stop


@compiled
def next_above(above: Floats, below: Floats, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) where one line is above the other, or `stop`."""
    at = bar
    while at < stop:
        end = min(at + STRIDE, stop)
        found = above_in(above, below, at, end) if passes(above, below, at, end) > 0 else end
        if found < end:
            return found
        at = end
    return stop


@compiled
def next_signal(above: Floats, below: Floats, crosses: bool, bar: int, stop: int) -> int:  # noqa: FBT001 - compiled
    """Return the first bar of [bar, stop) that carries the signal, or `stop`."""
    return next_crossing(above, below, bar, stop) if crosses else next_above(above, below, bar, stop)


@compiled
def first_defined(lines: Floats, rows: Floats, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) where all these rows of the lines are finite, or `stop`."""
    for at in range(bar, stop):
        defined = True
        for row in rows:
            defined = defined and isfinite(lines[row, at])
        if defined:
            return at
    return stop
