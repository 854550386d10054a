"""A table of cells as it stands in a file, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from backtesting.price_files.arrow import pa, pc
from backtesting.price_files.errors import UnreadableFileError
from backtesting.types import Integers

TRIED_CELLS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of a table: where they stand, and the cells of the columns asked for."""

    line: Integers
    columns: Mapping[int, pa.Array]


@dataclass(slots=True, eq=False)
class Top:
    """What the first rows of a table show; columns without a header are named by their number."""

    names: tuple[str, ...]
    headed: bool
    tickers: tuple[str, ...]
    line: Integers
    columns: tuple[pa.Array, ...]
    notes: list[str] = field(default_factory=list)

    def label(self, column: int) -> str:
        """Return what messages call a column."""
        return repr(self.names[column]) if self.headed and self.names[column] else f"{column + 1}"


class Table(Protocol):
    """A table of one file; `place` is what its rows are counted in.

    `left_out` and `share_read`, from 0 to 1, grow while batches are read.
    """

    name: str
    place: str
    top: Top
    left_out: list[str]

    @property
    def share_read(self) -> float:
        """The part of the file that has been read."""
        ...

    def batches(self, types: Mapping[int, pa.DataType]) -> Iterator[Batch]:
        """Yield these columns, in these types where the format has none of its own."""


def texts(column: pa.Array) -> list[str]:
    """Return the first cells that are not empty, as text."""
    cells = pc.cast(column[:TRIED_CELLS], pa.string()).drop_null().to_pylist()
    return [cell.strip() for cell in cells if cell.strip()]


def refuse(table: Table, line: int, column: int | None, what: str) -> NoReturn:
    """Raise the error that names file, line and column."""
    where = "" if column is None else f", column {table.top.label(column)}"
    raise UnreadableFileError(f"{table.name}: {table.place} {line}{where}: {what}")
