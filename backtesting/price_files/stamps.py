"""Dates and times as files write them, and the one reading that fits a whole column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backtesting.errors import shown
from backtesting.price_files.arrow import pa, pc
from backtesting.types import Booleans, Integers

SECOND = 1_000_000_000
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
SEP = r"(?:[T _,]+|,? at )"
TIME = (
    r"(?:{sep}(?P<H>\d{{1,2}}):?(?P<M>\d{{2}})(?::?(?P<S>\d{{2}})(?:[.,](?P<f>\d{{1,9}}))?)?"
    r"(?: ?(?P<p>[AaPp])\.?[Mm]\.?)?)?(?: ?(?P<z>Z|(?:UTC|GMT)?[+-]\d{{2}}(?::?\d{{2}})?|UTC|GMT))?"
)
FULL_TIME, TIGHT_TIME = TIME.format(sep=SEP), TIME.format(sep="[T _]*")


@dataclass(frozen=True, slots=True)
class StampForm:
    """One way to write a date and perhaps a time; parts `a` and `b` are day and month in either order."""

    name: str
    pattern: str

    @property
    def either_order(self) -> bool:
        """Whether day and month can be told apart only by their values."""
        return "?P<a>" in self.pattern


FORMS = (
    StampForm("YYYY-MM-DD", r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})" + FULL_TIME),
    StampForm("YYYYMMDD", r"(?P<y>1[6-9]\d\d|2[01]\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>[0-2]\d|3[01])" + TIGHT_TIME),
    StampForm("DD.MM.YYYY", r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})" + FULL_TIME),
    StampForm("day and month in numbers, YYYY", r"(?P<a>\d{1,2})[/-](?P<b>\d{1,2})[/-](?P<y>\d{4})" + FULL_TIME),
    StampForm(
        "Mon DD, YYYY", r"(?:[A-Za-z]{3,9},? )?(?P<n>[A-Za-z]{3,9})\.? (?P<d>\d{1,2}),? (?P<y>\d{4})" + FULL_TIME
    ),
    StampForm(
        "DD Mon YYYY", r"(?:[A-Za-z]{3,9},? )?(?P<d>\d{1,2})[ -](?P<n>[A-Za-z]{3,9})\.?,?[ -](?P<y>\d{4})" + FULL_TIME
    ),
)
KNOWN_FORMS = (
    "2020-01-31, 2020-01-31 15:30:00, 2020-01-31T15:30:00Z, 20200131, 31.01.2020, 01/31/2020, 31/01/2020, Jan 31, 2020,"
    " 31-Jan-2020 and seconds, ms, us or ns since 1970"
)
ONE_FORM = [(form, re.compile(form.pattern)) for form in FORMS]
PARTS = ("y", "m", "d", "a", "b", "n", "H", "M", "S", "f", "p", "z")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LAST_MONTH, LAST_HOUR, LAST_MINUTE, NOON = 12, 23, 59, 12
FIRST_YEAR, LAST_YEAR = 1678, 2261
EPOCH_PATTERN = re.compile(r"\d{9,19}(\.\d*)?|\d(\.\d+)?[eE]\+?\d{1,2}")
CLOCK_PATTERN = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?|\d{3,6}")
SERIAL_PATTERN = re.compile(r"[1-7]\d{4}(\.\d+)?")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?(?P<z>Z|[+-]\d{2}(?::?\d{2})?)?")
# Below each bound a stamp counts in that unit; every unit then covers 1973 to 5138.
UNITS = ((1e11, SECOND, "seconds"), (1e14, 1_000_000, "milliseconds"), (1e17, 1_000, "microseconds"))
MOST_NANOSECONDS = 9.2e18
EARLIEST, LATEST = (
    np.datetime64(f"{FIRST_YEAR}-01-01", "ns").astype(np.int64),
    np.datetime64(f"{LAST_YEAR + 1}-01-01", "ns").astype(np.int64),
)


class BadStampError(ValueError):
    """A cell is no date or not in the form of those above; `row` counts from 0."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(what)
        self.row = row


def is_stamp(cell: str) -> bool:
    """Whether a cell is a date, a date and time, or a count since 1970."""
    return bool(EPOCH_PATTERN.fullmatch(cell)) or form_of_cell(cell) is not None


def is_clock(cell: str) -> bool:
    """Whether a cell is a time of day."""
    return bool(CLOCK_PATTERN.fullmatch(cell))


def is_serial(cell: str) -> bool:
    """Whether a cell could be the day count of a spreadsheet."""
    return bool(SERIAL_PATTERN.fullmatch(cell))


def form_of_cell(cell: str) -> StampForm | None:
    """Return the form a cell is written in."""
    return next((form for form, pattern in ONE_FORM if pattern.fullmatch(cell)), None)


def is_epoch(cells: Sequence[str]) -> bool:
    """Whether cells count from 1970: 8 figures are a day, 14 a second, and 12 a minute where all are."""
    counts = all(EPOCH_PATTERN.fullmatch(cell) for cell in cells)
    return counts and not all(form_of_cell(cell) and len(cell) in (12, 14) for cell in cells)


def unit_of(value: float) -> str:
    """Return the unit a count since 1970 is in, told by its size."""
    return next((name for bound, _, name in UNITS if abs(value) < bound), "nanoseconds")


def from_epoch(column: pa.Array) -> Integers:
    """Return nanoseconds of counts since 1970, each in the unit its size tells."""
    if pa.types.is_integer(column.type):
        counts: Integers = column.to_numpy(zero_copy_only=False).astype(np.int64)
        size = np.abs(counts)
        scale = np.select([size < bound for bound, _, _ in UNITS], [factor for _, factor, _ in UNITS], 1)
        instants: Integers = counts * scale
        return instants
    values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    size = np.abs(values)
    _refuse(~(size < MOST_NANOSECONDS), column, "is not a count since 1970")
    scale = np.select([size < bound for bound, _, _ in UNITS], [1e6, 1e3, 1.0], 1e-3)
    rounded: Integers = np.round(values * scale).astype(np.int64) * 1000
    return rounded


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Local times in nanoseconds and their offsets from UTC, None where the file says none."""

    local: Integers
    offset: Integers | None
    has_clock: bool


def from_text(column: pa.Array, form: StampForm, *, day_first: bool | None, zoned: bool | None) -> Moments:
    """Read a column of one form; BadStampError names the first cell that is not of it."""
    cells = pc.utf8_trim_whitespace(column)
    found = pc.extract_regex(cells, f"^(?:{form.pattern})$")
    if found.null_count:
        row = pc.index(pc.is_null(found), value=True).as_py()
        raise BadStampError(row, _misfit(column[row].as_py(), form))
    present = [field.name for field in found.type]
    parts = {part: found.field(present.index(part)) for part in PARTS if part in present}
    ordered = {"a": "d", "b": "m"} if day_first else {"a": "m", "b": "d"}
    parts = {ordered.get(part, part): values for part, values in parts.items()}
    days = _days(parts, column)
    clock = _clock(parts, column)
    return Moments(days * 24 * HOUR + clock, _offsets(parts["z"], column, zoned=zoned), bool(_given(parts["H"]).any()))


def _misfit(cell: object, form: StampForm) -> str:
    if cell is None or not str(cell).strip():
        return "has no date"
    if is_stamp(str(cell).strip()):
        return f"{shown(cell)} is not written as {form.name} like the dates above it"
    return f"{shown(cell)} is not a date; expected {form.name}"


def _given(part: pa.Array) -> Booleans:
    given: Booleans = pc.not_equal(part, "").to_numpy(zero_copy_only=False)
    return given


def _integers(part: pa.Array) -> Integers:
    """Return figures as integers, 0 where the part is absent."""
    filled = pc.if_else(pc.equal(part, ""), "0", part)
    values: Integers = pc.cast(filled, pa.int64()).to_numpy()
    return values


def _days(parts: dict[str, pa.Array], column: pa.Array) -> Integers:
    year, day = _integers(parts["y"]), _integers(parts["d"])
    month = _named_months(parts["n"]) if "n" in parts else _integers(parts["m"])
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[D]").astype(np.int64) - first
    wrong = (month < 1) | (month > LAST_MONTH) | (day < 1) | (day > length) | (year < FIRST_YEAR) | (year > LAST_YEAR)
    _refuse(wrong, column, "is not a day of the calendar")
    return first + day - 1


def _named_months(part: pa.Array) -> Integers:
    short = pc.utf8_slice_codeunits(pc.utf8_lower(part), 0, 3)
    places: Integers = pc.fill_null(pc.index_in(short, value_set=pa.array(MONTHS)), -1).to_numpy()
    return places.astype(np.int64) + 1


def _clock(parts: dict[str, pa.Array], column: pa.Array) -> Integers:
    if not _given(parts["H"]).any():
        return np.zeros(len(column), np.int64)
    hour, minute, second = (_integers(parts[part]) for part in "HMS")
    if (noon := _given(parts["p"])).any():
        afternoon = pc.equal(pc.utf8_lower(parts["p"]), "p").to_numpy(zero_copy_only=False)
        _refuse(noon & ((hour < 1) | (hour > NOON)), column, "is not a time of day")
        hour = np.where(noon, hour % NOON + NOON * afternoon, hour)
    _refuse((hour > LAST_HOUR) | (minute > LAST_MINUTE) | (second > LAST_MINUTE), column, "is not a time of day")
    fraction = _integers(pc.utf8_slice_codeunits(pc.utf8_rpad(parts["f"], 9, "0"), 0, 9))
    return hour * HOUR + minute * MINUTE + second * SECOND + fraction


def _offsets(part: pa.Array, column: pa.Array, *, zoned: bool | None) -> Integers | None:
    """Return the offsets, which all rows have or none; `zoned` says what the rows above have."""
    given = _given(part)
    if zoned is False:
        _refuse(given, column, "has an offset from UTC, unlike the rows above it")
    if not (zoned or given.any()):
        return None
    _refuse(~given, column, "has no offset from UTC, unlike others")
    bare = pc.replace_substring_regex(part, "^(UTC|GMT|Z)|:", "")
    figures = pc.utf8_rpad(pc.replace_substring_regex(bare, "[+-]", ""), 4, "0")
    size = (
        _integers(pc.utf8_slice_codeunits(figures, 0, 2)) * HOUR
        + _integers(pc.utf8_slice_codeunits(figures, 2, 4)) * MINUTE
    )
    behind = pc.starts_with(bare, "-").to_numpy(zero_copy_only=False)
    return np.where(behind, -size, size)


def _refuse(wrong: Booleans, column: pa.Array, what: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadStampError(row, f"{shown(column[row].as_py())} {what}")


def orders(column: pa.Array, form: StampForm) -> set[bool]:
    """Return what the values prove: True for the day first, False for the month first, nothing where both fit."""
    found = pc.extract_regex(pc.utf8_trim_whitespace(column), f"^(?:{form.pattern})$").drop_null()
    if not len(found):
        return set()
    first, second = (_integers(found.field(place)) for place in (0, 1))
    return {order for order, figures in ((True, first), (False, second)) if (figures > LAST_MONTH).any()}
