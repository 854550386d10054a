"""Finds signals in pairs of lines without writing them down; what a crossing is, T9 of the contract says."""

from math import isfinite

from backtesting.sweep_kernel.layout import compiled
from backtesting.types import Floats


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
    if not above[bar] - below[bar] > 0:
        return False
    return not crosses or last_difference(above, below, bar) < 0


@compiled
def next_crossing(above: Floats, below: Floats, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) where one line crosses above the other, or `stop`."""
    before = last_difference(above, below, bar)
    for at in range(bar, stop):
        difference = above[at] - below[at]
        if difference != 0:
            if difference > 0 and before < 0:
                return at
            before = difference
    return stop


@compiled
def next_above(above: Floats, below: Floats, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) where one line is above the other, or `stop`."""
    for at in range(bar, stop):
        if above[at] - below[at] > 0:
            return at
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
