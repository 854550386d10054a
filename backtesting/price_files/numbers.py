"""Numbers as people write them: decimal marks, thousands, currency signs, K and M, and what stands for none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backtesting.errors import shown
from backtesting.price_files.arrow import pa, pc
from backtesting.price_files.errors import UnreadableFileError
from backtesting.types import Floats

NOTHING = (
    "- -- \u2013 \u2014 null NULL Null none None NONE nan NaN NAN -nan -NaN na NA n/a N/A #N/A #NA #VALUE! <NA> NaT nil"
)
MISSING = ("", *NOTHING.split())
EVENT = r"(?i)\b(dividend|stock split|split|capital gain)s?\b|^\d+\s*[:/]\s*\d+ "
SIGN = r"[$€£¥₹₩₽₺฿₿]"
CODE = r"(?:USDT?|EUR|GBP|CHF|JPY|PLN|INR)"
MONEY = rf"^{SIGN}|{SIGN}$|^{CODE}\b|\b{CODE}$"
SIGNED_MONEY = rf"^([+-])\s*{SIGN}"
GAPS = "'\u2019 \u00a0\u202f"
POWERS = (("K", "e3"), ("M", "e6"), ("B", "e9"), ("T", "e12"))
LETTER = "[KMBTkmbt]"
# Groups of two are how India writes lakhs: 12,34,567.00
GROUPED = r"\d{{1,3}}(?:[{gaps}]\d{{2,3}})*[{gaps}]\d{{3}}"
PATTERN = rf"^[+-]?(?:\d+|{GROUPED})?(?:{{mark}}\d*)?(?:[eE][+-]?\d+)?{LETTER}?$"
PATTERNS = {
    ".": PATTERN.format(mark=r"\.", gaps="," + GAPS),
    ",": PATTERN.format(mark=",", gaps=r"\." + GAPS),
}
# What only a decimal mark can be: not before three figures, after a zero or four figures, after a group.
ALONE = rf"^[+-]?0?{{m}}\d|{{m}}\d{{{{1,2}}}}{LETTER}?$|{{m}}\d{{{{4,}}}}|^\d{{{{4,}}}}{{m}}"
DECIMAL = ALONE + r"|{o}\d{{3}}{m}|{o}\d{{3}}{o}"
ONLY = {".": DECIMAL.format(m=r"\.", o=","), ",": DECIMAL.format(m=",", o=r"\.")}
PLAIN = {mark: rf"^[+-]?(?:\d+(?:[{mark}]\d*)?|[{mark}]\d+)(?:[eE][+-]?\d+)?$" for mark in (".", ",")}
NO_NUMBER = "^(" + "|".join(map(re.escape, MISSING)) + ")$"
FIGURES = re.compile(
    rf"[+-]?(?:{SIGN}|{CODE}\b)?\s*[+-]?(?:\d[\d.,'\u2019\s]*|[.,]\d+)(?:[eE][+-]?\d+)?\s*{LETTER}?\s*(?:%|{SIGN}|{CODE})?"
)
FORMULA = re.compile(r"^[=@]|^[+-][^\d.,\s]")


def is_number(cell: str) -> bool:
    """Whether a cell could be a number, whatever its marks and signs."""
    return bool(FIGURES.fullmatch(cell))


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How a file writes numbers; `plain` ones the CSV reader converts itself."""

    mark: str
    plain: bool
    notes: tuple[str, ...]


def number_format(columns: Sequence[pa.Array], hint: str | None, name: str) -> NumberFormat:
    """Decide the decimal mark from cells of the first rows; UnreadableFileError where both readings fit."""
    cells = pa.concat_arrays([_bare(column) for column in columns]).drop_null()
    mark = hint or _mark(cells, name)
    every = pc.match_substring_regex(pa.concat_arrays(list(columns)), f"{PLAIN[mark]}|{NO_NUMBER}")
    plain = bool(pc.all(every, min_count=0).as_py())
    notes = [f"decimal mark: {'comma' if mark == ',' else 'point'}"]
    if not plain:
        notes.append("numbers are written with signs, groups or letters (1,234.50, $12, 1.2M), which are read as such")
    return NumberFormat(mark, plain, tuple(notes))


def _mark(cells: pa.Array, name: str) -> str:
    marks = [mark for mark in (".", ",") if _any(cells, ONLY[mark])]
    if len(marks) > 1:
        raise UnreadableFileError(f"{name}: point and comma both stand before decimals; say decimal_mark '.' or ','")
    if marks:
        return marks[0]
    if _any(cells, ",") and not _any(cells, r"\."):
        example = cells.filter(pc.match_substring(cells, ","))[0].as_py()
        raise UnreadableFileError(
            f"{name}: {shown(example)} may have decimals or thousands behind its comma; say decimal_mark '.' or ','"
        )
    return "."


def _any(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern), min_count=0).as_py())


def _bare(column: pa.Array) -> pa.Array:
    """Return the cells without blanks and currency, null where nothing or a dividend in words stands."""
    cells = pc.utf8_trim_whitespace(column)
    nothing = pc.or_(pc.is_in(cells, value_set=pa.array(MISSING)), pc.match_substring_regex(cells, EVENT))
    cells = pc.if_else(nothing, pa.scalar(None, pa.string()), cells)
    cells = _replaced(cells, SIGNED_MONEY, r"\1")
    return pc.utf8_trim_whitespace(_replaced(cells, MONEY, ""))


def _replaced(cells: pa.Array, pattern: str, by: str) -> pa.Array:
    """Replace what matches; to look first is four times as fast where nothing does."""
    return pc.replace_substring_regex(cells, pattern, by) if _any(cells, pattern) else cells


class BadCellError(ValueError):
    """A cell is no number; `row` counts from 0 in the column handed in."""

    def __init__(self, row: int, cell: object) -> None:
        super().__init__(f"{shown(cell)} is {_fault(cell)}")
        self.row = row


def _fault(cell: object) -> str:
    if isinstance(cell, str) and FORMULA.match(cell.strip()):
        return "a formula, not a number; save the sheet with values instead of formulas"
    return "not a number; a missing one is left empty"


def numbers(column: pa.Array, mark: str) -> Floats:
    """Return the column as float64, NaN where a cell is empty; BadCellError names the first that is no number."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _from_text(column, mark)
    values: Floats = np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    _refuse_infinite(values, column)
    return values


def _from_text(column: pa.Array, mark: str) -> Floats:
    cells = _bare(column)
    wrong = pc.invert(pc.and_(pc.match_substring_regex(cells, PATTERNS[mark]), pc.match_substring_regex(cells, r"\d")))
    if (row := pc.index(wrong, value=True).as_py()) >= 0:
        raise BadCellError(row, column[row].as_py())
    cells = _replaced(cells, f"[{',' if mark == '.' else '.'}{GAPS}]", "")
    cells = cells if mark == "." else pc.replace_substring(cells, ",", ".")
    if _any(cells, f"{LETTER}$"):
        for letter, power in POWERS:
            cells = _replaced(cells, f"(?i){letter}$", power)
    values: Floats = pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False)
    _refuse_infinite(values, column)
    return values


def _refuse_infinite(values: Floats, column: pa.Array) -> None:
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise BadCellError(row, column[row].as_py())
