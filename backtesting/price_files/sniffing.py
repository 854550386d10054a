"""The form of a text table: separator, lines before the rows, names of the columns, found in its first lines."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from backtesting.errors import shown
from backtesting.price_files.errors import UnreadableFileError
from backtesting.price_files.meanings import PRICES, Meaning, meanings_of, rank, without_levels
from backtesting.price_files.numbers import is_number
from backtesting.price_files.stamps import KNOWN_FORMS, is_serial, is_stamp

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
COMMENTS = ("#", "//")
MOST_COLUMNS = 500
MOST_ROWS = 2000
LEAST_CELLS = 2
TRIED_LINES = 200

Cells = list[str]


@dataclass(frozen=True, slots=True)
class Form:
    """How a text table is laid out; `skipped` lines stand before its first row, `rows` are the first of them."""

    separator: str
    names: tuple[str, ...]
    headed: bool
    tickers: tuple[str, ...]
    skipped: int
    rows: tuple[tuple[int, Cells], ...]
    notes: tuple[str, ...]

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.names)


def is_comment(line: str) -> bool:
    """Whether a line is a remark of whoever wrote the file."""
    return line.lstrip().startswith(COMMENTS)


def cells_of(line: str, separator: str) -> Cells:
    """Return the cells of one line without quotes and outer blanks; none where it cannot be cut."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def looks_like_row(cells: Cells) -> bool:
    """Whether a line is a bar: it has a stamp and at least one number besides."""
    stamps = [place for place, cell in enumerate(cells) if is_stamp(cell)]
    return bool(stamps) and any(is_number(cell) for place, cell in enumerate(cells) if place != stamps[0])


def form_of(text: str, name: str) -> Form:
    """Return the form of the table these first lines begin; UnreadableFileError says what they are instead."""
    lines = text.split("\n")
    separator = _separator(lines)
    table = [(number, cells_of(line, separator)) for number, line in enumerate(lines[: MOST_ROWS + TRIED_LINES], 1)]
    comments = {number for number, line in enumerate(lines, 1) if is_comment(line)}
    if max(len(cells) for _, cells in table) > MOST_COLUMNS:
        raise UnreadableFileError(f"{name}: has more than {MOST_COLUMNS} columns; give the price columns of one symbol")
    rows = [(number, cells) for number, cells in table if number not in comments and looks_like_row(cells)]
    if not rows:
        raise _no_rows(name, lines, table)
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    rows = [(number, cells) for number, cells in rows if len(cells) == width]
    header = Header(table[: rows[0][0] - 1], comments, width)
    header.check(name)
    notes = [f"separator: {SEPARATORS[separator]}", *header.notes]
    return Form(separator, header.names, header.found, header.tickers, rows[0][0] - 1, tuple(rows), tuple(notes))


def _separator(lines: Sequence[str]) -> str:
    """Return the separator that makes most cells stamps, numbers or known names."""

    def sense(separator: str) -> float:
        rows = [cells for line in lines[:TRIED_LINES] if len(cells := cells_of(line, separator)) >= LEAST_CELLS]
        known = [sum(map(_known, cells)) for cells in rows if cells]
        return sum(count * count for count in known)

    return max(SEPARATORS, key=sense)


def _known(cell: str) -> bool:
    return is_stamp(cell) or is_number(cell) or bool(meanings_of(cell))


class Header:
    """The lines above the first row: remarks, junk, and one or several lines of names."""

    def __init__(self, lines: Sequence[tuple[int, Cells]], comments: set[int], width: int) -> None:
        self.width = width
        self.notes: list[str] = []
        spoken = [(number, cells) for number, cells in lines if number not in comments and any(cells)]
        named = [(number, self._fitted(cells)) for number, cells in spoken if self._fits(cells) and _names(cells)]
        named = named or self._remarked(lines, comments) or self._unknown(spoken)
        self.line, best = max(named, key=lambda each: _names(each[1]), default=(0, []))
        self.found = bool(best)
        levels = [cells for number, cells in spoken if self.found and number != self.line and len(cells) > 1]
        self.names, self.tickers = self._merged(best, [self._fitted(cells) for cells in levels if self._fits(cells)])
        self._remark(spoken, comments, lines)

    def _remarked(self, lines: Sequence[tuple[int, Cells]], comments: set[int]) -> list[tuple[int, Cells]]:
        """Return the names in a comment line: `#date,open,high,low,close`."""
        bare = [(number, [cells[0].lstrip("#/ "), *cells[1:]]) for number, cells in lines if number in comments]
        return [(number, cells) for number, cells in bare if self._fits(cells) and _names(cells) > LEAST_CELLS]

    def _unknown(self, spoken: list[tuple[int, Cells]]) -> list[tuple[int, Cells]]:
        """Return the line just above the rows if it can only be names, though of no column we know."""
        return [(number, cells) for number, cells in spoken[-1:] if len(cells) == self.width and all(cells[1:])]

    def _fits(self, cells: Cells) -> bool:
        return len(cells) in (self.width, self.width - 1) or len([cell for cell in cells if cell]) == self.width

    def _fitted(self, cells: Cells) -> Cells:
        """Return exactly as many cells as a row has: rows may end in a separator that the header lacks."""
        return [*cells, *[""] * self.width][: self.width]

    def _merged(self, best: Cells, levels: list[Cells]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names and, of yfinance's several lines, the ticker of each column."""
        if not self.found:
            return tuple(str(place) for place in range(1, self.width + 1)), ("",) * self.width
        plain, prefixes = without_levels(self._fitted(best))
        names, tickers = list(plain), list(prefixes)
        for cells in levels:
            if any(cells[1:]):
                tickers = ["" if place == 0 else cell for place, cell in enumerate(cells)]
            if rank(cells[0], Meaning.TIME) is not None and rank(names[0], Meaning.TIME) is None:
                names[0] = cells[0]
        if levels and rank(names[0], Meaning.TIME) is None:
            names[0] = "Date"
        return tuple(names), tuple(tickers)

    def _remark(self, spoken: list[tuple[int, Cells]], comments: set[int], lines: Sequence[tuple[int, Cells]]) -> None:
        self.notes.append(f"header: line {self.line}" if self.found else "header: none")
        levels = sum(1 for number, cells in spoken if number > self.line and self.found)
        if levels:
            self.notes[-1] += f" and the {levels} below it"
        junk = [(number, cells) for number, cells in spoken if number < self.line or not self.found]
        if junk:
            self.notes.append(f"lines left out at the top: {len(junk)}, from {shown(','.join(junk[0][1]))}")
        if remarks := sum(1 for number, _ in lines if number in comments and number != self.line):
            self.notes.append(f"comment lines left out at the top: {remarks}")

    def check(self, name: str) -> None:
        """Refuse a header that uses one name twice for one column of prices."""
        pairs = Counter(
            (label.lower(), ticker)
            for label, ticker in zip(self.names, self.tickers, strict=True)
            if label and meanings_of(label)
        )
        for (label, _), count in pairs.items():
            if count > 1:
                raise UnreadableFileError(
                    f"{name}: line {self.line} names {label!r} {count} times; name each column once"
                )


def _names(cells: Cells) -> int:
    """Return how many cells are names of columns."""
    return sum(1 for cell in without_levels(cells)[0] if meanings_of(cell))


def _no_rows(name: str, lines: Sequence[str], table: Sequence[tuple[int, Cells]]) -> UnreadableFileError:
    """Return the error that says what stands where the rows should be."""
    headers = [(number, cells) for number, cells in table if _names(cells) >= LEAST_CELLS]
    if not headers:
        first = next((line for line in lines if line.strip()), "")
        return UnreadableFileError(f"{name}: holds no table of prices; it begins {shown(first.strip())}")
    top, names = headers[0]
    below = [(number, cells) for number, cells in table if number > top and any(cells)]
    if not below:
        return UnreadableFileError(
            f"{name}: has a header in line {top} and no row below it; export it again with prices"
        )
    place = next((place for place, label in enumerate(names) if rank(label, Meaning.TIME) is not None), 0)
    number, cells = below[0]
    cell = cells[place] if place < len(cells) else ""
    if is_serial(cell):
        return UnreadableFileError(
            f"{name}: line {number} has {shown(cell)} for a date, a day count of Excel;"
            " format the column as YYYY-MM-DD and save it again"
        )
    if is_stamp(cell):
        return UnreadableFileError(f"{name}: line {number} has no number beside {shown(cell)}; a bar has four prices")
    return UnreadableFileError(
        f"{name}: line {number} has {shown(cell)} where a date is expected; known are {KNOWN_FORMS}"
    )


STRAY = re.compile(r"[^\W\d_]")


def is_footer(cells: Cells) -> bool:
    """Whether a line at the end is a remark, a total or nothing: no stamp, fewer numbers than a bar has, and words."""
    joined = "".join(cells)
    numbers = sum(map(is_number, cells))
    worded = bool(STRAY.search(joined)) or not re.search(r"\d", joined)
    return worded and numbers < len(PRICES) and not any(map(is_stamp, cells))
