"""A Parquet dataset, or a table of a database, through DuckDB: the only module that knows it."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Self

from backtesting.errors import BacktestError, UnknownNameError
from backtesting.price_files.columnar import ArrowTable
from backtesting.price_files.hints import Hints
from backtesting.price_files.meanings import Meaning, rank
from backtesting.price_files.plan import Plan, RowReader, plan_of
from backtesting.providers.datasets import Dataset, dataset_at
from backtesting.providers.errors import MissingExtraError, ProviderUnavailableError
from backtesting.providers.fetched import hash_of, named, nothing, within
from backtesting.providers.patience import Patience
from backtesting.types import Place, PriceRows, Reading, Timeframe

SAFE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
UTC = "set TimeZone = 'UTC'"
AROUND = timedelta(days=2)  # stamps may be in a zone of their own: what is left over is cut off later
LOCKED = ("set enable_external_access = false", "set lock_configuration = true")
TABLES = "select table_schema, table_name from information_schema.tables where table_catalog = 'source'"
USUAL_SCHEMAS = ("main", "public")
DATED = ("TIMESTAMP", "DATE")
LONGEST_REASON = 160
TO_INSTALL = re.compile(r"INSTALL (\w+)")


class DuckDBQuery:
    """Reads one table, whose columns are recognised by their names as those of a file; fulfils `Provider`.

    Nothing is written, nothing is installed, and nothing else is read: DuckDB's access to other files is taken away.
    """

    part = None
    readjusts = True

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @classmethod
    def at(cls, place: Place, _: Patience) -> Self:
        """Return the provider of a dataset or database."""
        place.require_only("duckdb", "path", "table")
        if place.path is None:
            raise BacktestError("path: say which Parquet files, folder or database to read", field="path")
        return cls(dataset_at(place.path, place.table))

    def symbol(self, name: str) -> str:
        """Return the symbol in upper case; UnknownNameError where a column of symbols has no such one."""
        asked = name.strip().upper()
        if self._ticker is None:
            return asked
        known = self._rows(f"select distinct {self._spelled} from {self._relation}")  # noqa: S608 - see `quoted`
        symbols = {str(row[0]) for row in known if row[0]}
        if asked not in symbols:
            raise UnknownNameError.among(f"symbol of {self._dataset.name}", name, symbols, field="symbol")
        return asked

    def fetch(self, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime) -> "QueryRows":
        """Return the bars of a period as a source that reads them batch by batch."""
        rows = QueryRows(self, symbol, timeframe, start, end)
        if next(rows.chunks(), None) is None:
            raise nothing(rows.name, start, end)
        return rows

    @property
    def name(self) -> str:
        """What messages and the history call the dataset."""
        return f"duckdb {self._dataset.name}"

    def batches(self, symbol: str, rows: int, wanted: list[str] | None, since: datetime | None) -> Iterator[Any]:
        """Yield Arrow batches of the symbol's rows, in order of time where only some columns are wanted."""
        columns = wanted or [name for name in self._types if name != self._ticker]
        conditions: dict[str, Any] = {} if self._ticker is None else {f"{self._spelled} = ?": symbol}
        time = best(columns, Meaning.TIME) or columns[0]
        if since and wanted and self._types[time].startswith(DATED):
            conditions[f"{quoted(time)} >= ?"] = (since - AROUND).replace(tzinfo=None)
        text = f"select {', '.join(map(quoted, columns))} from {self._relation}"  # noqa: S608 - see `quoted`
        text += f" where {' and '.join(conditions)}" if conditions else ""
        text += f" order by {quoted(time)}" if wanted else ""
        with told(self.name):
            yield from self._connection.sql(text, params=list(conditions.values())).to_arrow_reader(rows)

    @cached_property
    def _connection(self) -> Any:
        with told(self.name):
            connection = duckdb().connect(":memory:", config=SAFE)
            for statement in (UTC, *self._dataset.statements, *LOCKED):
                connection.execute(statement)
            return connection

    @cached_property
    def _relation(self) -> str:
        """The table, as it is written in a query."""
        if self._dataset.relation:
            return self._dataset.relation
        tables = {
            name if schema in USUAL_SCHEMAS else f"{schema}.{name}": f"source.{quoted(schema)}.{quoted(name)}"
            for schema, name in self._rows(TABLES)
        }
        table = self._dataset.table or (next(iter(tables)) if len(tables) == 1 else "")
        if table not in tables:
            raise UnknownNameError.among("table", table, tables, field="table")
        return tables[table]

    @cached_property
    def _types(self) -> dict[str, str]:
        """The columns and their types."""
        return {row[0]: row[1] for row in self._rows(f"describe select * from {self._relation}")}  # noqa: S608

    @cached_property
    def _ticker(self) -> str | None:
        """The column that says whose row it is, where there is one."""
        return best([name for name, kind in self._types.items() if kind == "VARCHAR"], Meaning.TICKER)

    @property
    def _spelled(self) -> str:
        return f"upper(trim(cast({quoted(self._ticker or '')} as varchar)))"

    def _rows(self, text: str) -> list[tuple[Any, ...]]:
        with told(self.name):
            rows: list[tuple[Any, ...]] = self._connection.execute(text).fetchall()
            return rows


class QueryRows:
    """Rows of a query, read again whenever they are asked for; fulfils `PriceSource`."""

    def __init__(
        self, source: DuckDBQuery, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime
    ) -> None:
        self.name = named(source.name, symbol, timeframe)
        self._hints = Hints(symbol=symbol, timeframe=timeframe)
        self._span = start, end
        self._table = ArrowTable(
            self.name, "read through DuckDB", lambda rows, wanted: source.batches(symbol, rows, wanted, start)
        )

    def reading(self) -> Reading:
        """Say how the columns were understood."""
        notes = (*self._table.top.notes, *self._plan.notes, *self._table.left_out)
        return Reading(self._plan.columns.layout.name, notes, self._hints.symbol, self._hints.timeframe)

    def chunks(self) -> Iterator[PriceRows]:
        """Yield the rows batch by batch; UnreadableFileError names what cannot be read."""
        for rows in RowReader(self._table, self._plan).rows():
            if len(wanted := within(rows, *self._span)):
                yield wanted

    def content_hash(self) -> str:
        """Return the SHA-256 of the rows."""
        return hash_of(self)

    @cached_property
    def _plan(self) -> Plan:
        return plan_of(self._table, self._hints, self._hints.timeframe)


def best(names: Iterable[str], meaning: Meaning) -> str | None:
    """Return the name that is known best for a meaning, None where there is none."""
    ranked = [(known, name) for name in names if (known := rank(name, meaning)) is not None]
    return min(ranked)[1] if ranked else None


def quoted(name: str) -> str:
    """Return a name as an SQL identifier, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def told(name: str) -> Iterator[None]:
    """Say what DuckDB complains of."""
    library = duckdb()
    try:
        yield
    except library.Error as error:
        reason = str(error).splitlines()[0][:LONGEST_REASON]
        if extension := TO_INSTALL.search(str(error)):
            raise ProviderUnavailableError(
                f"{name}: DuckDB needs its extension {extension[1]}, which it does not bring along; install it once, "
                f"with a network: python -c \"import duckdb; duckdb.sql('INSTALL {extension[1]}')\", or export the "
                "table to Parquet or CSV"
            ) from error
        raise ProviderUnavailableError(f"{name}: DuckDB cannot read it: {reason}") from error


def duckdb() -> Any:
    """Return the library."""
    try:
        import duckdb as library  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtraError("duckdb") from error
    return library
