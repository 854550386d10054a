"""Local time and UTC for whole columns, by the offset changes of a time zone."""

from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from backtesting.types import EPOCH, Integers

SECOND = 1_000_000_000
WEEK = 7 * 86_400
FIRST_YEAR, LAST_YEAR = 1900, 2101


class LocalTimeError(ValueError):
    """A local time that does not exist or exists twice; `row` counts from 0."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(what)
        self.row = row


class Zone:
    """A time zone's offsets from UTC, in nanoseconds, and the instants they start at."""

    def __init__(self, zone: ZoneInfo | timezone) -> None:
        self._zone = zone
        self.name = str(zone)

    @cached_property
    def _changes(self) -> tuple[Integers, Integers]:
        """The starts of each offset in UTC, and the offsets."""
        if self._zone is UTC or self.name == "UTC":
            return np.array([np.iinfo(np.int64).min]), np.zeros(1, np.int64)
        years = range(FIRST_YEAR, LAST_YEAR)
        starts, offsets = [np.iinfo(np.int64).min], [self._offset(seconds_of(FIRST_YEAR))]
        for first in range(seconds_of(years[0]), seconds_of(years[-1]), WEEK):
            last = first + WEEK
            while self._offset(last) != offsets[-1]:
                change = self._change(first, last, offsets[-1])
                starts.append(change * SECOND)
                offsets.append(self._offset(change))
        return np.array(starts, np.int64), np.array(offsets, np.int64) * SECOND

    def _change(self, first: int, last: int, before: int) -> int:
        """Return the first second of a week at which the offset is no longer this."""
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (middle, last) if self._offset(middle) == before else (first, middle)
        return last

    def _offset(self, seconds: int) -> int:
        moment = (EPOCH + timedelta(seconds=seconds)).astimezone(self._zone)
        return round((moment.utcoffset() or timedelta()).total_seconds())

    def offset_at(self, utc: Integers) -> Integers:
        """Return the offset in force at each instant."""
        starts, offsets = self._changes
        found: Integers = offsets[np.searchsorted(starts, utc, side="right") - 1]
        return found

    def to_utc(self, local: Integers) -> Integers:
        """Return the instant of each local time; LocalTimeError where there is none, or two."""
        starts, offsets = self._changes
        if len(starts) == 1:
            fixed: Integers = local - offsets[0]
            return fixed
        begins = np.concatenate([starts[:1], starts[1:] + offsets[1:]])
        ends = np.concatenate([starts[1:] + offsets[:-1], [np.iinfo(np.int64).max]])
        last = np.searchsorted(begins, local, side="right") - 1
        before = np.maximum(last - 1, 0)
        in_last, in_before = local < ends[last], (local < ends[before]) & (last > 0)
        self._refuse(~in_last & ~in_before, "does not exist in", "clocks went forward")
        self._refuse(in_last & in_before, "happens twice in", "clocks went back")
        utc: Integers = local - np.where(in_last, offsets[last], offsets[before])
        return utc

    def _refuse(self, wrong: np.ndarray[tuple[int], np.dtype[np.bool_]], what: str, why: str) -> None:
        if wrong.any():
            text = (
                f"{what} {self.name}, where {why}; export the stamps in UTC or with their offset, or say another zone"
            )
            raise LocalTimeError(int(np.flatnonzero(wrong)[0]), text)


def seconds_of(year: int) -> int:
    """Return the seconds from 1970 to the start of a year."""
    return round((datetime(year, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
