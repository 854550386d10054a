"""From signal to signal through the bars of one set, and from set to set."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from backtesting import stop_kernel
from backtesting.stop_kernel.layout import kept
from backtesting.sweep_kernel.account import carry_to, enter, leave
from backtesting.sweep_kernel.layout import NOW, Ground, Rooms, Terms, Work, compiled
from backtesting.sweep_kernel.scan import first_defined, holds, next_signal
from backtesting.sweep_kernel.sums import summed
from backtesting.types import Floats

Sets = Callable[[Ground, Rooms, Any, Floats, Any], None]
ENTRY_ABOVE, ENTRY_BELOW, EXIT_ABOVE, EXIT_BELOW = range(4)


@compiled
def next_entry(ground: Ground, rows: Any, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) that enters and does not leave as well (O5), or `stop`."""
    lines, terms = ground.lines, ground.terms
    above, below = lines[rows[ENTRY_ABOVE]], lines[rows[ENTRY_BELOW]]
    found = next_signal(above, below, terms.entry_crosses, bar, stop)
    while found < stop and holds(lines[rows[EXIT_ABOVE]], lines[rows[EXIT_BELOW]], terms.exit_crosses, found):
        found = next_signal(above, below, terms.entry_crosses, found + 1, stop)
    return found


@compiled
def next_exit(ground: Ground, rows: Any, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) that leaves, or `stop`."""
    lines, crosses = ground.lines, ground.terms.exit_crosses
    return next_signal(lines[rows[EXIT_ABOVE]], lines[rows[EXIT_BELOW]], crosses, bar, stop)


@compiled
def trade(ground: Ground, work: Work, rows: Any, size: float, first: int) -> None:
    """Trade one set: look for an entry while flat and for an exit while holding, account for the bars between."""
    course, terms, now, rooms = ground.course, ground.terms, work.now, work.rooms
    stop = len(course.close) - terms.delay
    bar = first
    while bar < stop:
        is_flat = now.units == 0.0
        found = next_entry(ground, rows, bar, stop) if is_flat else next_exit(ground, rows, bar, stop)
        if found < stop:
            fill = found + terms.delay
            carry_to(now, course, rooms, fill)
            if is_flat:
                enter(now, rooms, terms, size, course.price[fill])
            else:
                leave(now, rooms, terms, course.price[fill])
        bar = found + 1
    carry_to(now, course, rooms, len(course.close))


@compiled
def add_up(rooms: Rooms, now: Any, raw: Any) -> None:
    """Leave what is made of the returns, which become squares of their distance from the mean."""
    returns, count = rooms.returns, now.session
    raw.returns, raw.product, raw.largest = count, now.product, now.largest
    raw.summed = summed(returns, 0, count, rooms.stack)
    mean = raw.summed / count
    for at in range(count):
        apart = returns[at] - mean
        returns[at] = apart * apart
    raw.squares = summed(returns, 0, count, rooms.stack)


@compiled
def begin(now: Any, terms: Terms) -> None:
    """Open the account of a set."""
    now.cash = now.booked = now.peak = now.trough = now.before = terms.capital
    now.lowest = now.product = 1.0
    now.units = now.largest = 0.0
    now.begin = terms.history
    now.session = now.trades = now.closed = now.won = now.lost = now.held = 0


@compiled
def one_set(ground: Ground, work: Work, rows: Any, size: float, raw: Any) -> None:
    """Trade one set and leave its sums; a set that can never decide has `first_decision` -1 and nothing else."""
    course, terms, now, rooms = ground.course, ground.terms, work.now, work.rooms
    stop = len(course.close) - terms.delay
    first = first_defined(ground.lines, rows, terms.earliest, stop)
    raw.first_decision = first if first < stop else -1
    if first >= stop:
        return
    begin(now, terms)
    trade(ground, work, rows, size, first)
    raw.final = now.booked + course.close[-1] * now.units
    raw.peak, raw.lowest = now.peak, min(now.lowest, now.trough / now.peak)
    add_up(rooms, now, raw)
    raw.closed, raw.won, raw.held = now.closed, now.won, now.held
    raw.won_money = summed(rooms.won, 0, now.won, rooms.stack)
    raw.lost_money = summed(rooms.lost, 0, now.lost, rooms.stack)
    raw.fees = summed(rooms.fees, 0, now.trades, rooms.stack)


@compiled
def all_sets(ground: Ground, rooms: Rooms, rows: Any, sizes: Floats, raw: Any) -> None:
    """Go through the sets; `rows` (sets, 4) are the lines each compares, `raw` (sets,) takes what comes of them."""
    work = Work(np.zeros(1, NOW)[0], rooms)
    for number in range(len(raw)):
        one_set(ground, work, rows[number], sizes[number], raw[number])


@cache
def machine_code() -> Sets:
    """Return `all_sets` as it is kept on disk, closed over a digest of all that is compiled into it."""
    folders = (Path(__file__).parent, Path(stop_kernel.__file__).parent)
    sources = [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.py"))]
    digest = int.from_bytes(sha256(b"".join(sources)).digest()[:7])

    def sets_of_these_sources(ground: Ground, rooms: Rooms, rows: Any, sizes: Floats, raw: Any) -> None:
        if digest >= 0:
            all_sets(ground, rooms, rows, sizes, raw)

    return kept(sets_of_these_sources)
