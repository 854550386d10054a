"""How a file's time column is read: its form, its zone, and whether its bars are days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC

import numpy as np

from backtesting.errors import shown
from backtesting.price_files.arrow import pa, pc
from backtesting.price_files.errors import UnreadableFileError
from backtesting.price_files.hints import Hints, known_zone
from backtesting.price_files.stamps import (
    EARLIEST,
    FIRST_YEAR,
    HOUR,
    ISO,
    LAST_YEAR,
    LATEST,
    BadStampError,
    Moments,
    StampForm,
    form_of_cell,
    from_epoch,
    from_text,
    is_epoch,
    orders,
    unit_of,
)
from backtesting.price_files.tables import texts
from backtesting.price_files.zones import Zone
from backtesting.types import NS_PER_DAY, Integers, Timeframe

DAYS = (Timeframe.D1, Timeframe.W1)
SHORTEST_DAY = 20 * HOUR
AFTERNOON = 16 * HOUR
MONDAY_OF_EPOCH, WEEK = 3, 7
FRIDAY, SUNDAY = 4, 6
UTC_ZONE = Zone(UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """The reading of one time column; `typed` is what the CSV reader converts itself, text where it cannot."""

    form: StampForm | None
    day_first: bool | None
    zone: Zone
    daily: bool
    evening: bool
    zoned: bool | None
    typed: pa.DataType
    notes: tuple[str, ...]

    @property
    def undecided(self) -> bool:
        """Whether day and month are still to be told apart."""
        return self.form is not None and self.form.either_order and self.day_first is None

    @property
    def order(self) -> tuple[str, ...]:
        """The note on day and month, where they are told apart only by their values."""
        if self.form is None or not self.form.either_order:
            return ()
        return ("dates: day before month" if self.day_first else "dates: month before day",)

    def times(self, column: pa.Array) -> Integers:
        """Return the starts of bars; BadStampError or LocalTimeError names the row that cannot be read."""
        moments = moments_of(column, self)
        if self.daily:
            self._check_days(moments.local)
            later = NS_PER_DAY - AFTERNOON if self.evening else 0
            times = (moments.local + later) // NS_PER_DAY * NS_PER_DAY
        elif moments.offset is None:
            times = self.zone.to_utc(moments.local)
        else:
            times = moments.local - moments.offset
        wrong = (times < EARLIEST) | (times > LATEST)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise BadStampError(row, f"{shown(column[row].as_py())} is outside {FIRST_YEAR} to {LAST_YEAR}")
        return times

    def _check_days(self, local: Integers) -> None:
        steps = np.abs(np.diff(local))
        wrong = (steps > 0) & (steps < SHORTEST_DAY)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise BadStampError(
                row + 1, f"is {steps[row] // HOUR} hours from the row before, though others are days apart"
            )


def moments_of(column: pa.Array, timing: Timing) -> Moments:
    """Return the local times of a column, in the zone that was asked for where the file knows its instants."""
    moments = _own_moments(column, timing)
    if moments.offset is None or timing.zone is UTC_ZONE:
        return moments
    instants = moments.local - moments.offset
    offset = timing.zone.offset_at(instants)
    return Moments(instants + offset, offset, moments.has_clock)


def _own_moments(column: pa.Array, timing: Timing) -> Moments:
    """Return the local times of a column of any type, and their offsets where it has them."""
    kind = column.type
    if column.null_count:
        raise BadStampError(pc.index(pc.is_null(column), value=True).as_py(), "has no date")
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        local = nanoseconds_of(column)
        if getattr(kind, "tz", None) is None:
            return Moments(local, None, has_clock=not pa.types.is_date(kind))
        own = UTC_ZONE if kind.tz in ("UTC", "+00:00") else Zone(known_zone(kind.tz))
        offset = own.offset_at(local)
        return Moments(local + offset, offset, has_clock=True)
    if timing.form is not None:
        return from_text(pc.cast(column, pa.string()), timing.form, day_first=timing.day_first, zoned=timing.zoned)
    try:
        instants = from_epoch(column if not pa.types.is_string(kind) else _counts(column))
    except pa.ArrowInvalid as error:
        wrong = pc.invert(pc.match_substring_regex(pc.utf8_trim_whitespace(column), r"^\d{9,19}(\.\d*)?$"))
        row = max(pc.index(wrong, value=True).as_py(), 0)
        raise BadStampError(
            row, f"{shown(column[row].as_py())} is not a count since 1970 like those above it"
        ) from error
    return Moments(instants, np.zeros_like(instants), has_clock=True)


def nanoseconds_of(column: pa.Array) -> Integers:
    """Return typed times as nanoseconds since 1970."""
    years = pc.year(column).to_numpy(zero_copy_only=False)
    if (wrong := (years < FIRST_YEAR) | (years > LAST_YEAR)).any():
        raise BadStampError(int(np.flatnonzero(wrong)[0]), f"is outside {FIRST_YEAR} to {LAST_YEAR}")
    exact = pc.cast(column, pa.timestamp("ns", getattr(column.type, "tz", None)))
    values: Integers = pc.cast(exact, pa.int64()).to_numpy()
    return values


def _counts(column: pa.Array) -> pa.Array:
    cells = pc.utf8_trim_whitespace(column)
    whole = pc.all(pc.match_substring_regex(cells, r"^\d{1,18}$|^\d{19}$"), min_count=0).as_py()
    return pc.cast(cells, pa.int64() if whole else pa.float64())


def timing_of(column: pa.Array, hints: Hints, frame: Timeframe | None, name: str) -> Timing:
    """Decide how to read a time column by its first cells; the order of day and month may stay undecided."""
    form = _form(column)
    day_first = _order(column, form, hints.day_first, name)
    zone = Zone(known_zone(hints.zone)) if hints.zone else UTC_ZONE
    timing = Timing(form, day_first, zone, daily=False, evening=False, zoned=None, typed=pa.string(), notes=())
    moments = moments_of(column, timing)
    daily = not moments.has_clock or _are_days(moments.local, hints.timeframe or frame)
    evening = daily and _open_in_the_evening(moments.local)
    timing = replace(timing, daily=daily, evening=evening, zoned=moments.offset is not None)
    timing = replace(timing, notes=tuple(_notes(column, timing, moments, hints)))
    return replace(timing, typed=_typed(column, form, moments, daily=daily))


def _form(column: pa.Array) -> StampForm | None:
    """Return the form of texts and of whole days in figures; None where the type or a count since 1970 says it."""
    if pa.types.is_temporal(column.type):
        return None
    cells = texts(column)
    return None if is_epoch(cells) else next(filter(None, map(form_of_cell, cells)), None)


def _order(column: pa.Array, form: StampForm | None, hint: bool | None, name: str) -> bool | None:  # noqa: FBT001 - None is no hint
    if form is None or not form.either_order:
        return None
    proven = orders(column, form)
    if len(proven) > 1:
        raise UnreadableFileError(
            f"{name}: dates have a first and a second number above 12, so day and month change places; use one order"
        )
    if hint is not None and proven and hint not in proven:
        order = "day" if True in proven else "month"
        raise UnreadableFileError(
            f"{name}: day_first is {hint}, but the dates have the {order} first; leave the hint out"
        )
    return hint if hint is not None else next(iter(proven), None)


def _are_days(local: Integers, frame: Timeframe | None) -> bool:
    """Whether no two bars stand nearer than days, which two at midnight or three at any time of day show."""
    steps = np.abs(np.diff(local))
    steps = steps[steps > 0]
    midnight = bool((local % NS_PER_DAY == 0).all())
    apart = bool((steps >= SHORTEST_DAY).all())
    return apart and (frame in DAYS or len(steps) > 1 or (midnight and len(steps) > 0))


def _open_in_the_evening(local: Integers) -> bool:
    """Whether daily stamps after 16:00 open the next day's bar, as in FX and on CME, and do not close their own day's.

    The next day's stand on Sundays and not on Fridays; Google's closes at 16:00 stand on Fridays and not on Sundays.
    """
    late = local[local % NS_PER_DAY >= AFTERNOON]
    weekdays = set(((late // NS_PER_DAY + MONDAY_OF_EPOCH) % WEEK).tolist())
    return bool(weekdays) and (SUNDAY in weekdays or FRIDAY not in weekdays)


def _typed(column: pa.Array, form: StampForm | None, moments: Moments, *, daily: bool) -> pa.DataType:
    """Return the type the CSV reader may convert to: ISO stamps and whole counts, unless local days are asked."""
    if not pa.types.is_string(column.type):
        return column.type
    cells = texts(column)
    if form is None:
        return pa.int64() if all(cell.isdigit() for cell in cells) else pa.string()
    if not all(map(ISO.fullmatch, cells)) or (daily and moments.offset is not None):
        return pa.string()
    return pa.timestamp("ns", None if moments.offset is None else "UTC")


def _notes(column: pa.Array, timing: Timing, moments: Moments, hints: Hints) -> list[str]:
    cells = texts(column)
    notes = []
    if timing.form is not None:
        notes.append(f"time: written as {timing.form.name}, such as {cells[0]}")
    elif not pa.types.is_temporal(column.type):
        notes.append(f"time: {unit_of(float(cells[0]))} since 1970, told by their size")
    if not moments.has_clock:
        return [*notes, "days: each bar starts at 00:00 UTC of its day"]
    if timing.daily:
        own = timing.zone is UTC_ZONE and moments.offset is not None and moments.offset.any()
        where = "its own zone" if own else timing.zone.name
        rule = ", of the next day where it opens after 16:00" if timing.evening else ""
        return [*notes, f"daily bars: each starts at 00:00 UTC of its day in {where}{rule}"]
    if moments.offset is None:
        given = "as asked" if hints.zone else "for the file names no zone; say zone where that is wrong"
        notes.append(f"zone: {timing.zone.name}, {given}")
    return notes
