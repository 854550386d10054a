"""The lines that a sweep compares: each computed once, as long as there is room to keep it."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backtesting.parameter_grid import Column, ParameterGrid
from backtesting.rules import Line, Rule
from backtesting.types import Bars, Floats, Integers

ROOM = 64_000_000  # bytes of lines kept
LEAST, MOST_LINES = 4, 4096
MOST_SETS, MOST_CELLS = 16_384, 200_000_000  # half a second of work, after which a sweep can be told to end
Key = tuple[Line, tuple[Any, ...]]


class LineBank:
    """Lines of one series of bars, the least recently used given up for new ones; of one sweep, so of one thread."""

    def __init__(self, bars: Bars, room: int = ROOM) -> None:
        self._bars = bars
        self._most = min(max(room // (8 * len(bars)), LEAST), MOST_LINES)
        self._sets = max(min(MOST_SETS, MOST_CELLS // len(bars)), 1)
        self.lines: Floats = np.empty((self._most, len(bars)))  # takes memory only where it is written
        self._places: OrderedDict[Key, int] = OrderedDict()
        self._last: tuple[Any, Any] = (None, None)
        self.computed = 0

    def chunks(self, rule: Rule, grid: ParameterGrid) -> Iterator[tuple[slice, Integers]]:
        """Yield spans of sets, and for each the rows of `lines` its sets compare, (sets, 4), valid until the next.

        A span is as long as its lines have room together, and never so long that it takes memory or time to speak of.
        """
        tables = {line: _Table(line, grid) for line in rule.lines}
        first = 0
        while first < len(grid):
            span = self._fitting(list(tables.values()), first, min(first + self._sets, len(grid)))
            rows = {line: self._rows(table, span) for line, table in self._placed(tables, span)}
            yield span, np.stack([rows[line] for line in rule.lines], axis=1)
            first = span.stop

    def _fitting(self, tables: "Sequence[_Table]", first: int, stop: int) -> slice:
        """Return the longest span from `first` towards `stop` whose lines have room together, found by halving."""
        fits, probe = first + 1, stop
        while fits < stop:
            if sum(table.distinct(slice(first, probe)) for table in tables) <= self._most:
                fits = probe
            else:
                stop = probe - 1
            probe = (fits + stop + 1) // 2
        return slice(first, fits)

    def _placed(self, tables: "dict[Line, _Table]", span: slice) -> "list[tuple[Line, _Table]]":
        """Have every line that these sets compare in its place; those in use already are given up last."""
        needed = [key for table in tables.values() for key in table.keys(span)]
        for key in needed:
            if key in self._places:
                self._places.move_to_end(key)
        for key in needed:
            if key not in self._places:
                self._place(key)
        return list(tables.items())

    def _rows(self, table: "_Table", span: slice) -> Integers:
        return table.rows(span, [self._places[key] for key in table.keys(span)])

    def _place(self, key: Key) -> None:
        """Compute a line into a free row, or into that of the line not used for longest."""
        row = len(self._places)
        if row == self._most:
            _, row = self._places.popitem(last=False)
        line, values = key
        self.lines[row] = line.values(self._outcome(line, values))
        self._places[key] = row
        self.computed += 1

    def _outcome(self, line: Line, values: tuple[Any, ...]) -> Any:
        """Return all lines of an indicator, kept until another is asked for."""
        asked = (line.indicator, line.columns, values)
        if self._last[0] != asked:
            self._last = (asked, line.computed(self._bars, values))
        return self._last[1]


class _Table:
    """The parameters of one line over all sets: which are distinct, and which of them each set has."""

    def __init__(self, line: Line, grid: ParameterGrid) -> None:
        self._line = replace(line, parameters=())  # under whichever names its values go
        self._codes = np.zeros(len(grid), np.int64)
        self._values: list[list[Any]] = []
        for name in line.parameters:
            distinct, codes = _coded(grid.column(name))
            self._codes = self._codes * len(distinct) + codes
            self._values.append(distinct)
        self._looked_up: tuple[slice | None, Integers, Integers] = (None, self._codes, self._codes)

    def distinct(self, span: slice) -> int:
        """Count the distinct lines of these sets."""
        return len(self._unique(span)[0])

    def keys(self, span: slice) -> list[Key]:
        """Return the distinct lines of these sets, in the order of their codes."""
        return [(self._line, self._decoded(code)) for code in self._unique(span)[0].tolist()]

    def rows(self, span: slice, places: list[int]) -> Integers:
        """Return for each of these sets the place of its line."""
        rows: Integers = np.array(places, np.int64)[self._unique(span)[1]]
        return rows

    def _unique(self, span: slice) -> tuple[Integers, Integers]:
        """Return the distinct codes of these sets, and which of them each set has; the last answer is kept."""
        if self._looked_up[0] != span:
            self._looked_up = (span, *np.unique(self._codes[span], return_inverse=True))
        return self._looked_up[1:]

    def _decoded(self, code: int) -> tuple[Any, ...]:
        values: list[Any] = []
        for distinct in reversed(self._values):
            code, which = divmod(code, len(distinct))
            values.append(distinct[which])
        return tuple(reversed(values))


def _coded(column: Column) -> tuple[list[Any], Integers]:
    """Return the distinct values of a column, and for each row the number of its own."""
    if column.strides == (0,):
        return column[:1].tolist(), np.zeros(len(column), np.int64)
    distinct, codes = np.unique(column, return_inverse=True)
    return distinct.tolist(), codes
