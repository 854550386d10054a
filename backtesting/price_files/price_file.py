"""One price file: what it is read as, and its rows in chunks."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from backtesting.price_files.archives import ZIP, Source, price_members, unreadable, wanted, zipped
from backtesting.price_files.columnar import ColumnarTable, is_columnar
from backtesting.price_files.delimited import DelimitedTable
from backtesting.price_files.errors import UnreadableFileError
from backtesting.price_files.hints import Hints
from backtesting.price_files.meanings import Meaning
from backtesting.price_files.naming import named_in, timeframe_of
from backtesting.price_files.plan import Plan, RowReader, plan_of
from backtesting.price_files.tables import Table, texts
from backtesting.types import PriceRows, Reading, Timeframe

CHUNK_ROWS = 500_000
MOST_ROWS = 100_000_000


class PriceFile:
    """One file of prices, or one member of a zip, not yet read; `name` is how messages call it.

    `watch` is told on the way how many rows and what part of the file have been read; what it raises ends the reading.
    """

    def __init__(self, path: Path, hints: Hints = Hints(), member: str | None = None) -> None:  # noqa: B008 - frozen
        self._source = Source(path, member)
        self._hints = hints
        self.name = self._source.name
        self.watch: Callable[[int, float], None] = lambda _rows, _share: None

    def reading(self) -> Reading:
        """Say how the file is read, after `chunks` also what was left out on the way; or raise UnreadableFileError."""
        plan, table = self._plan, self._table
        layout = plan.columns.layout
        cautions = (layout.caution,) if layout.caution else ()
        symbol, source = self._symbol()
        named = (f"symbol: {symbol}, from {source}",) if symbol else ()
        notes = (*table.top.notes, *plan.notes, *cautions, *named, *table.left_out)
        return Reading(layout.name, notes, symbol, self._timeframe)

    def content_hash(self) -> str:
        """Return the SHA-256 of the file, of the whole archive for a member of one."""
        with self._source.path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[PriceRows]:
        """Yield the rows, at most this many at a time, as they stand; UnreadableFileError names what cannot be read."""
        self._table.left_out.clear()
        count = 0
        with closing(RowReader(self._table, self._plan).rows()) as parts:
            for part in parts:
                count += len(part)
                if count > MOST_ROWS:
                    raise UnreadableFileError(
                        f"{self.name}: has more than {MOST_ROWS:,} rows; split it into several files"
                    )
                self.watch(count, self._table.share_read)
                yield from (sliced(part, start, start + rows) for start in range(0, len(part), rows))

    @cached_property
    def _table(self) -> Table:
        if self._source.member is None and is_columnar(self._source.path):
            return ColumnarTable(self._source)
        return DelimitedTable(self._source)

    @cached_property
    def _plan(self) -> Plan:
        plan = plan_of(self._table, self._hints, self._timeframe)
        if isinstance(self._table, DelimitedTable):
            self._table.mark = plan.format.mark
        return plan

    def _symbol(self) -> tuple[str | None, str]:
        if self._hints.symbol:
            return self._hints.symbol, "what was asked"
        if self._plan.ticker:
            return self._plan.ticker, "the file's ticker"
        return named_in(self._source.stem)[0], "the file's name"

    @cached_property
    def _timeframe(self) -> Timeframe | None:
        """The timeframe that is asked for, that a column of periods says, or that the name has."""
        top = self._table.top
        periods = [place for place, name in enumerate(top.names) if name.strip("<>").lower() in ("per", Meaning.PERIOD)]
        said = [timeframe_of(cell) for place in periods for cell in texts(top.columns[place])[:1]]
        return self._hints.timeframe or next(iter(said), None) or named_in(self._source.stem)[1]


def sliced(rows: PriceRows, start: int, stop: int) -> PriceRows:
    """Return some of the rows."""
    columns = {
        name: column[start:stop]
        for name in PriceRows.__dataclass_fields__
        if (column := getattr(rows, name)) is not None
    }
    return replace(rows, **columns)


def price_files(
    path: Path,
    hints: Hints = Hints(),  # noqa: B008 - frozen
    admitted: Callable[[Path], bool] = lambda _: True,
) -> list[PriceFile]:
    """Return the price files at a path: the file, those in a folder and its folders, or the members of a zip.

    Of a folder's files only the `admitted` ones are looked into.
    """
    if not _is_folder(path):
        return _in_file(path, hints)
    files = [file for file in _files_under(path) if wanted(file.relative_to(path).as_posix()) and admitted(file)]
    if not files:
        raise UnreadableFileError(
            f"{path}: holds no price file; known endings are .csv, .txt, .gz, .zip, .parquet, .feather"
        )
    return [each for file in files for each in _in_file(file, hints)]


def skipped_in(path: Path) -> list[str]:
    """Return a sentence for each file of a folder that `price_files` leaves out."""
    files = _files_under(path) if _is_folder(path) else []
    names = [file.relative_to(path).as_posix() for file in files]
    return [f"{name}: left out, it is hidden or has no known ending" for name in names if not wanted(name)]


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder and not a file; UnreadableFileError where it is neither, such as a pipe."""
    try:
        kind = path.stat().st_mode
    except OSError as error:
        raise unreadable(path, error) from error
    if not (S_ISDIR(kind) or S_ISREG(kind)):
        raise UnreadableFileError(f"{path}: is neither a file nor a folder; save the prices to a file first")
    return S_ISDIR(kind)


def _files_under(path: Path) -> list[Path]:
    found = [Path(folder) / name for folder, _, names in os.walk(path, onerror=_raise) for name in names]
    return sorted(file for file in found if file.is_file())


def _raise(error: OSError) -> None:
    raise unreadable(Path(error.filename), error) from error


def _in_file(path: Path, hints: Hints) -> list[PriceFile]:
    try:
        with path.open("rb") as file:
            if file.read(len(ZIP)) != ZIP:
                return [PriceFile(path, hints)]
            file.seek(0)
            with zipped(file, path) as archive:
                names = price_members(archive, path)
    except OSError as error:
        raise unreadable(path, error) from error
    return [PriceFile(path, hints, name) for name in names]
