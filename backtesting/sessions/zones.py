"""Zones: how far local time is from UTC at many instants at once, and a market's day in it."""

import bisect
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from backtesting.types import NS_PER_DAY, Integers, instant, nanoseconds

NS_PER_SECOND = 1_000_000_000
SINCE, UNTIL = datetime(1880, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """A market's day: from midnight to midnight of its zone, `early` nanoseconds sooner where it begins the evening."""

    zone: str = "UTC"
    early: int = 0

    def labels(self, time: Integers) -> Integers:
        """Return midnight UTC of the day each instant belongs to."""
        local = time + offsets(self.zone, time) + self.early
        return local - local % NS_PER_DAY

    def start(self, label: Integers) -> Integers:
        """Return the instant each labelled day begins."""
        local = label - self.early
        near = local - offsets(self.zone, local)
        return local - offsets(self.zone, near)


def offsets(zone: str, time: Integers) -> Integers:
    """Return local time less UTC at each instant, in nanoseconds."""
    if zone == "UTC":
        return np.zeros_like(time)
    changes, between = _changes(zone)
    return between[np.searchsorted(changes, time, "right")]


@cache
def _changes(zone: str) -> tuple[Integers, Integers]:
    """Return when the zone's offset changes, and the offsets before, between and after.

    No zone of an exchange keeps an offset for less than a week, so looking once a week misses none.
    """
    clock = ZoneInfo(zone)
    weeks = range(nanoseconds(SINCE), nanoseconds(UNTIL), 7 * NS_PER_DAY)
    found = np.array([_offset(clock, week) for week in weeks], np.int64)
    before = np.flatnonzero(np.diff(found))
    changes = [_change(clock, weeks[each], weeks[each + 1]) for each in before]
    return np.array(changes, np.int64), np.concatenate([found[:1], found[before + 1]])


def _change(clock: ZoneInfo, early: int, late: int) -> int:
    """Return the second between two instants at which the zone's offset becomes the later one's."""
    final = _offset(clock, late)
    seconds = range(early, late + 1, NS_PER_SECOND)
    return seconds[bisect.bisect_left(seconds, 1, key=lambda at: _offset(clock, at) == final)]


def _offset(clock: ZoneInfo, time: int) -> int:
    shift = instant(time).astimezone(clock).utcoffset() or timedelta()
    return shift // timedelta(microseconds=1) * 1000
