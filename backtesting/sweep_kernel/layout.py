"""What the kernel works on: the course of prices, the terms of all sets, room to work in, and what it leaves."""

from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numba import njit

from backtesting.types import Floats, Integers

P = ParamSpec("P")
R = TypeVar("R")
DEEPEST = 256  # two entries for each halving of a count

RAW = np.dtype(
    [
        ("first_decision", "i8"),
        ("final", "f8"),
        ("peak", "f8"),
        ("lowest", "f8"),
        ("returns", "i8"),
        ("summed", "f8"),
        ("squares", "f8"),
        ("largest", "f8"),
        ("product", "f8"),
        ("closed", "i8"),
        ("won", "i8"),
        ("won_money", "f8"),
        ("lost_money", "f8"),
        ("held", "i8"),
        ("fees", "f8"),
    ],
    align=True,
)


class Course(NamedTuple):
    """The loaded bars: fill prices and closes (n,), and the bars (m,) at whose closes returns are taken.

    `ended` counts, for each bar and for the one behind the last, those of `ends` before it, (n + 1,).
    """

    price: Floats
    close: Floats
    ends: Integers
    ended: Integers


class Terms(NamedTuple):
    """What is the same for all sets: capital, rates, and bars by their number among those loaded.

    Whether entry and exit are crossings, and from which bar decisions may come.
    """

    capital: float
    commission: float
    slippage: float
    history: int
    delay: int
    earliest: int
    entry_crosses: bool
    exit_crosses: bool


class Ground(NamedTuple):
    """What all sets share: the course, the terms, and the lines by row, (lines, n)."""

    course: Course
    terms: Terms
    lines: Floats


class Stack(NamedTuple):
    """Room for the sums of halves on the way to a sum: how many values wait to be added up, and sums so far."""

    counts: Integers
    sums: Floats


class Rooms(NamedTuple):
    """Room for the m returns of one set and for fees, profits and losses of its trades; each thread its own."""

    returns: Floats
    fees: Floats
    won: Floats
    lost: Floats
    stack: Stack


class Work(NamedTuple):
    """The account of the set at hand, a record of `NOW`, and the room it works in."""

    now: Any
    rooms: Rooms


def rooms(bars: int, returns: int) -> Rooms:
    """Return room for one set over so many bars, which has one trade in two of them at most, and so many returns."""
    trades = bars // 2 + 1
    stack = Stack(np.empty(DEEPEST, np.int64), np.empty(DEEPEST))
    return Rooms(np.empty(returns), np.empty(trades), np.empty(trades), np.empty(trades), stack)


NOW = np.dtype(
    [
        ("cash", "f8"),  # as the simulation counts it, which sizes the next order
        ("booked", "f8"),  # as vectorbt's accounting adds it up from the orders, which makes the equity
        ("units", "f8"),
        ("entry_price", "f8"),
        ("entry_fees", "f8"),
        ("begin", "i8"),  # the bar since when cash and units stand
        ("session", "i8"),  # as many returns are written
        ("before", "f8"),
        ("product", "f8"),
        ("largest", "f8"),
        ("peak", "f8"),
        ("trough", "f8"),
        ("lowest", "f8"),
        ("trades", "i8"),
        ("closed", "i8"),
        ("won", "i8"),
        ("lost", "i8"),
        ("held", "i8"),
    ],
    align=True,
)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile to machine code that releases the GIL and divides as NumPy does, so that loops become vectors."""
    machine_code: Callable[P, R] = njit(nogil=True, error_model="numpy")(function)
    return machine_code
