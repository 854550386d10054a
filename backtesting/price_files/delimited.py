"""Text tables: pyarrow reads the cells a block of lines at a time, we see to the lines that are no rows."""

from __future__ import annotations

import csv as csv_lines
import re
from collections.abc import Iterator, Mapping

import numpy as np

from backtesting.errors import shown
from backtesting.price_files.archives import Source
from backtesting.price_files.arrow import csv, pa
from backtesting.price_files.numbers import EVENT, MISSING
from backtesting.price_files.sniffing import cells_of, form_of, is_comment, is_footer
from backtesting.price_files.tables import Batch, Top, refuse
from backtesting.price_files.text import Block, Text
from backtesting.types import Integers

HEAD_BYTES = 256 << 10
PARSED_BYTES = 2 << 20
MOST_FOOTERS = 100
EVENT_LINE = re.compile(EVENT)


class DelimitedTable:
    """A CSV file or one of its relatives; `mark` is its decimal mark once that is known."""

    place = "line"

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.left_out: list[str] = []
        self._source = source
        self.mark = "."
        self._text = Text(source)
        head = next(self._text.blocks(HEAD_BYTES)).text.decode()
        self._form = form_of(head, self.name)
        self._header = {line for line in head.split("\n")[: self._form.skipped] if not is_comment(line) and line}
        line = np.array([number for number, _ in self._form.rows], np.int64)
        cells = zip(*(cells for _, cells in self._form.rows), strict=True)
        columns = tuple(pa.array(column, pa.string()) for column in cells)
        self.top = Top(self._form.names, self._form.headed, self._form.tickers, line, columns, self._notes())

    @property
    def share_read(self) -> float:
        """The part of the file that has been read."""
        return self._source.share_read

    def _notes(self) -> list[str]:
        encoding = "Windows-1252 or Latin-1" if self._text.has_latin else self._text.encoding.upper()
        return [f"encoding: {encoding}", *self._form.notes]

    def batches(self, types: Mapping[int, pa.DataType]) -> Iterator[Batch]:
        """Yield the rows block by block, text where a block's cells are not of the types asked for."""
        for block in self._text.blocks():
            lines = self._below_top(block)
            lines = self._without_footers(lines) if lines.last else lines
            if lines.text.strip():
                yield self._batch(lines, types)

    def _below_top(self, block: Block) -> Block:
        skip, text = self._form.skipped + 1 - block.first_line, block.text
        if skip <= 0:
            return block
        for _ in range(skip):
            text = text[text.find(b"\n") + 1 :]
        return Block(self._form.skipped + 1, text, block.last)

    def _without_footers(self, block: Block) -> Block:
        """Leave out what ends a file without being a row: totals, remarks, blank lines."""
        text = block.text
        for _ in range(MOST_FOOTERS):
            start = text.rstrip(b"\n").rfind(b"\n") + 1
            line = text[start:].decode()
            if line.strip() and not is_footer(cells_of(line.strip("\n"), self._form.separator)):
                break
            if line.strip():
                self._leave_out(f"line left out at the end: {shown(line.strip())}")
            text = text[:start]
            if not text:
                break
        return Block(block.first_line, text, block.last)

    def _leave_out(self, what: str) -> None:
        if what not in self.left_out:
            self.left_out.append(what)

    def _batch(self, block: Block, types: Mapping[int, pa.DataType]) -> Batch:
        odd: list[str] = []
        try:
            table = self._read(block.text, types, odd)
        except pa.ArrowInvalid:
            odd.append("")
        if odd:
            block = Block(block.first_line, self._mended(block), block.last)
            table = self._read(block.text, dict.fromkeys(types, pa.string()), [])
        columns = {int(name): table.column(name).combine_chunks() for name in table.column_names}
        return Batch(self._lines(block, table.num_rows), columns)

    def _read(self, text: bytes, types: Mapping[int, pa.DataType], odd: list[str]) -> pa.Table:
        """Parse lines; rows with too few or too many cells are put into `odd`."""

        def keep(row: csv.InvalidRow) -> str:
            odd.append(row.text)
            return "skip"

        names = [str(place) for place in range(self._form.width)]
        return csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(column_names=names, block_size=PARSED_BYTES),
            csv.ParseOptions(delimiter=self._form.separator, invalid_row_handler=keep),
            csv.ConvertOptions(
                include_columns=[str(place) for place in types],
                column_types={str(place): kind for place, kind in types.items()},
                null_values=MISSING,
                decimal_point=self.mark,
            ),
        )

    def _lines(self, block: Block, rows: int) -> Integers:
        """Return the line of each row: blank lines are counted, and a row is one line."""
        count = block.text.count(b"\n")
        if rows == count:
            return np.arange(block.first_line, block.first_line + count, dtype=np.int64)
        ends = np.flatnonzero(np.frombuffer(block.text, np.uint8) == ord("\n"))
        full = np.flatnonzero(np.diff(ends, prepend=-1) > 1)
        if len(full) != rows:
            open_quote = next((place for place, line in enumerate(block.text.split(b"\n")) if line.count(b'"') % 2), 0)
            refuse(
                self, block.first_line + open_quote, None, "a quoted cell does not end there; write a row on one line"
            )
        return full + block.first_line

    def _mended(self, block: Block) -> bytes:
        """Return the lines with remarks and repeated headers emptied and dividends in words made rows."""
        lines = block.text.decode().split("\n")
        for place, line in enumerate(lines):
            if not line.strip():
                lines[place] = ""
            elif is_comment(line) or line in self._header:
                self._leave_out("comment lines and repeated headers between the rows are left out")
                lines[place] = ""
            elif (found := self._width(line)) != self._form.width:
                lines[place] = self._padded(line, found, block.first_line + place)
        return "\n".join(lines).encode()

    def _width(self, line: str) -> int:
        """Return the number of cells in a line."""
        if '"' not in line:
            return line.count(self._form.separator) + 1
        return len(next(csv_lines.reader([line], delimiter=self._form.separator)))

    def _padded(self, line: str, found: int, number: int) -> str:
        """Return a dividend or split in words as a full row; anything else is refused."""
        if found > self._form.width or not EVENT_LINE.search(line):
            refuse(self, number, None, f"cells: {found} where the others have {self._form.width}: {shown(line)}")
        self._leave_out("rows with a dividend or split in words are kept without prices")
        return line + self._form.separator * (self._form.width - found)
