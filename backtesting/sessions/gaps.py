"""Gaps: the bars a calendar expects between the first and the last of a series, and that are not there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from backtesting.sessions.days import (
    LABELLED_BY_DAY,
    STEP,
    Days,
    days_of,
    exchange_of,
    expected,
    known_days,
    monday_of,
    session_of,
)
from backtesting.types import Asset, Integers, Timeframe, instant

NAMED_SPANS = 3


@dataclass(frozen=True, slots=True)
class Gaps:
    """How many bars are missing, the first spans of them by their first and last start, and what was not checked.

    `unchecked` is the number of bars outside the years the calendar is known for.
    """

    count: int
    spans: tuple[tuple[datetime, datetime], ...] = ()
    unchecked: int = 0


def missing(asset: Asset, timeframe: Timeframe, time: Integers) -> Gaps | None:
    """Count the bars expected between the first and the last of `time`, which is sorted, and not there.

    None where nothing is known of the calendar then. Bars outside the hours traded are not counted either way.
    """
    known = known_days(asset)
    if known is None or (timeframe not in LABELLED_BY_DAY and _halts_unknown(asset)):
        return None
    labels = session_of(asset, timeframe, time)
    inside = slice(*np.searchsorted(labels, [known[0], known[1] + 1]))
    labels, checked = labels[inside], time[inside]
    sessions = expected(asset, int(labels[0]), int(labels[-1])) if len(labels) else None
    if sessions is None or not len(sessions):
        return None
    unchecked = len(time) - len(checked)
    match timeframe:
        case Timeframe.D1:
            return _days(labels, sessions, unchecked)
        case Timeframe.W1:
            return _days(monday_of(labels), np.unique(monday_of(sessions)), unchecked)
    return _bars(checked, STEP[timeframe], days_of(asset, sessions), unchecked)


def _halts_unknown(asset: Asset) -> bool:
    """Tell whether the calendar leaves out the daily halt, as that of the futures exchanges does."""
    exchange = exchange_of(asset)
    return exchange is not None and exchange.around_the_clock


def _days(labels: Integers, sessions: Integers, unchecked: int) -> Gaps:
    slots = np.searchsorted(sessions, labels)
    listed = sessions[np.minimum(slots, len(sessions) - 1)] == labels
    return _between(slots[listed], lambda slot: int(sessions[slot]), unchecked)


def _bars(time: Integers, step: int, days: Days, unchecked: int) -> Gaps:
    """Count bars from the open and on the grid most stamps are on; the grid with fewer gaps is the source's."""
    starts, ends = _hours(days)
    from_open, off_open = _on_grid(time, step, starts, ends, unchecked)
    if not from_open.count:
        return from_open
    phases, counts = np.unique(time % step, return_counts=True)
    by_clock, off_clock = _on_grid(time, step, starts - (starts - phases[np.argmax(counts)]) % step, ends, unchecked)
    return from_open if (from_open.count, off_open) <= (by_clock.count, off_clock) else by_clock


def _on_grid(time: Integers, step: int, starts: Integers, ends: Integers, unchecked: int) -> tuple[Gaps, int]:
    """Find the slots of this step left out in the hours traded, and how many bars do not begin with a slot."""
    slots_in = -(-(ends - starts) // step)
    before = np.cumsum(slots_in) - slots_in
    at = np.searchsorted(starts, time, "right") - 1
    traded = (at >= 0) & (time < ends[at])
    slots, off = np.divmod((time - starts[at])[traded], step)
    slots += before[at[traded]]

    def stamp(slot: int) -> int:
        within = np.searchsorted(before, slot, "right") - 1
        return int(starts[within] + (slot - before[within]) * step)

    return _between(slots, stamp, unchecked), int(np.count_nonzero(off))


def _hours(days: Days) -> tuple[Integers, Integers]:
    """Return the stretches of uninterrupted trading, the two sides of a break apart."""
    starts = np.stack([days.open, days.break_end], axis=1).ravel()
    ends = np.stack([days.break_start, days.close], axis=1).ravel()
    real = ends > starts
    starts, ends = starts[real], ends[real]
    apart = starts[1:] != ends[:-1]
    return starts[np.concatenate([[True], apart])], ends[np.concatenate([apart, [True]])]


def _between(slots: Integers, stamp: Callable[[int], int], unchecked: int) -> Gaps:
    steps = np.diff(slots)
    wide = np.flatnonzero(steps > 1)
    edges = ((int(slots[each]) + 1, int(slots[each + 1]) - 1) for each in wide[:NAMED_SPANS])
    spans = tuple((instant(stamp(first)), instant(stamp(last))) for first, last in edges)
    return Gaps(int((steps[wide] - 1).sum()), spans, unchecked)
