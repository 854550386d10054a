"""Parquet, Feather and Arrow: the types are theirs, we read the columns we need in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from backtesting.price_files.archives import Source, unreadable
from backtesting.price_files.arrow import ipc, pa, parquet, pc
from backtesting.price_files.errors import UnreadableFileError
from backtesting.price_files.meanings import without_levels
from backtesting.price_files.tables import Batch, Top

PARQUET, ARROW = b"PAR1", b"ARROW1"
ARROW_STREAM = b"\xff\xff\xff\xff"
TOP_ROWS = 2000
BATCH_ROWS = 200_000


def is_columnar(path: Path) -> bool:
    """Whether a file is of a format read here."""
    return starts_with(path, PARQUET, ARROW, ARROW_STREAM)


def starts_with(path: Path, *magic: bytes) -> bool:
    """Whether a file begins with any of these bytes."""
    try:
        with path.open("rb") as file:
            return file.read(max(map(len, magic))).startswith(magic)
    except OSError as error:
        raise unreadable(path, error) from error


RecordBatches = Callable[[int, list[str] | None], Iterator["pa.RecordBatch"]]


class ArrowTable:
    """A table of typed columns; `read` yields batches of at most so many rows, of the columns named or of all."""

    place = "row"

    def __init__(self, name: str, note: str, read: RecordBatches) -> None:
        self.name = name
        self.left_out: list[str] = []
        self.share_read = 0.0
        self._record_batches = read
        first = next(read(TOP_ROWS, None), None)
        if first is None or not first.num_rows:
            raise UnreadableFileError(f"{self.name}: has no row; export it again with prices")
        self._fields = self._names(first.schema)
        if len(set(self._fields)) < len(self._fields):
            raise UnreadableFileError(f"{self.name}: has two columns of one name; name each column once")
        names, tickers = without_levels(self._fields)
        columns = tuple(flat(column) or pa.nulls(first.num_rows, pa.string()) for column in first.columns)
        rows = np.arange(1, first.num_rows + 1, dtype=np.int64)
        self.top = Top(names, headed=True, tickers=tickers, line=rows, columns=columns, notes=[note])

    def _names(self, schema: pa.Schema) -> list[str]:
        try:
            return list(schema.names)
        except UnicodeDecodeError as error:
            raise damaged(self.name, error) from error

    def batches(self, types: Mapping[int, pa.DataType]) -> Iterator[Batch]:
        """Yield the columns asked for in the file's own types."""
        row = 1
        for batch in self._record_batches(BATCH_ROWS, [self._fields[place] for place in types]):
            columns = {place: self._column(batch, place) for place in types}
            yield Batch(np.arange(row, row + batch.num_rows, dtype=np.int64), columns)
            row += batch.num_rows

    def _column(self, batch: pa.RecordBatch, place: int) -> pa.Array:
        column = flat(batch.column(self._fields[place]))
        if column is None:
            kind = batch.schema.field(self._fields[place]).type
            raise UnreadableFileError(
                f"{self.name}: column {self.top.label(place)} holds {kind}, not one value a row;"
                " save plain numbers and times"
            )
        return column


class ColumnarTable(ArrowTable):
    """A file of typed columns."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._batches = parquet_batches if starts_with(source.path, PARQUET) else arrow_batches
        kind = "Parquet" if self._batches is parquet_batches else "Arrow IPC (Feather)"
        super().__init__(source.name, f"format: {kind}", self._read)

    def _read(self, rows: int, wanted: list[str] | None) -> Iterator[pa.RecordBatch]:
        """Yield batches of these columns; UnreadableFileError where the file is damaged."""
        try:
            for share, batch in self._batches(self._source.path, rows, wanted):
                self.share_read = share
                yield batch
        except OSError as error:
            if error.errno is not None:
                raise unreadable(self._source.path, error) from error
            raise damaged(self._source.name, error) from error
        except (pa.ArrowException, ValueError) as error:
            raise damaged(self._source.name, error) from error


def damaged(name: str, error: Exception) -> UnreadableFileError:
    """Return the error for a file whose bytes contradict its format."""
    why = " ".join(str(error).split())[:80]
    return UnreadableFileError(f"{name}: is damaged or cut off ({why}); save or download it again")


def parquet_batches(path: Path, rows: int, wanted: list[str] | None) -> Iterator[tuple[float, pa.RecordBatch]]:
    """Yield a Parquet file's rows, each batch with the share that is read with it."""
    seen = 0
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(rows, columns=wanted):
            seen += batch.num_rows
            yield seen / file.metadata.num_rows, batch


def arrow_batches(path: Path, rows: int, wanted: list[str] | None) -> Iterator[tuple[float, pa.RecordBatch]]:
    """Yield the rows of an Arrow file or stream, which may stand in one batch there, with the share read so far."""
    with pa.memory_map(str(path)) as file:
        whole = file.read(len(ARROW)) == ARROW
        file.seek(0)
        reader = ipc.open_file(file) if whole else ipc.open_stream(file)
        batches = map(reader.get_batch, range(reader.num_record_batches)) if whole else iter(reader)
        for number, batch in enumerate(batches, start=1):
            chosen = batch if wanted is None else batch.select(wanted)
            share = number / reader.num_record_batches if whole else file.tell() / file.size()
            yield from ((share, chosen.slice(start, rows)) for start in range(0, chosen.num_rows, rows))


def flat(column: pa.Array) -> pa.Array | None:
    """Return a column as numbers, times or text, None where its cells are lists, records or bytes."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return flat(column.dictionary_decode())
    if pa.types.is_decimal(kind):
        return pc.cast(column, pa.float64())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    known = (pa.types.is_floating, pa.types.is_integer, pa.types.is_temporal, pa.types.is_string)
    return column if any(check(kind) for check in known) else None
