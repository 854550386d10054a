"""Assets and their bars: read under the server's role, written under the loader's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from backtesting.assets import canonical, resolve
from backtesting.types import Asset, Bars, Coverage, Finding, ImportRecord, Stored, Timeframe
from database.bar_cache import BarCache
from database.models import WARNS, assets, imports, market_data
from database.repository.assets import MINUTES, TIMEFRAMES, asset_of, described
from database.repository.snapshot import snapshot, version_of
from database.repository.wire import PRICES, copy_bars, driver
from database.transactions import Transactions

VALUES = (*PRICES, "adj_close")
COLUMNS = ("ts", *VALUES)
WARNING_IMPORTS = 20
COVERAGE = f"""
select s.tf, span.first, span.last, s.version, told.warnings
from market.assets a join market.series s on s.asset_id = a.id
cross join lateral (select
  (select ts from market.market_data where asset_id = s.asset_id and tf = s.tf order by ts limit 1) as first,
  (select ts from market.market_data where asset_id = s.asset_id and tf = s.tf order by ts desc limit 1) as last) span
cross join lateral (select jsonb_agg(finding order by warned.id) as warnings
  from (select i.id, i.report from market.imports i where i.asset_id = s.asset_id and i.tf = s.tf and i.{WARNS}
    and not exists (select from market.imports later where later.asset_id = i.asset_id and later.tf = i.tf
      and later.id > i.id and later.first <= i.first and later.last >= i.last)
    order by i.id desc limit {WARNING_IMPORTS}) warned, jsonb_array_elements(warned.report -> 'findings') finding
  where finding ->> 'severity' = 'warning') told
where a.symbol = :symbol and span.first is not null"""  # noqa: S608 - the words are ours, the symbol is a parameter
COPY_INTO = f"copy {{table}} (asset_id, tf, {', '.join(COLUMNS)}) from stdin (format binary)"
SAME_BAR = "b.asset_id = s.asset_id and b.tf = s.tf and b.ts = s.ts"
UPDATE_CHANGED = f"""
update market.market_data b set {", ".join(f"{each} = s.{each}" for each in VALUES)} from staged s
where {SAME_BAR} and ({", ".join(f"b.{each}" for each in VALUES)}) is distinct from
  ({", ".join(f"s.{each}" for each in VALUES)})"""  # noqa: S608 - the names are ours
INSERT_NEW = f"""
insert into market.market_data select s.* from staged s
where not exists (select from market.market_data b where {SAME_BAR})"""  # noqa: S608 - the names are ours


class SqlBarSource:
    """Reads stored bars, each version of a series once; fulfils `BarSource`."""

    def __init__(self, transactions: Transactions, cache: BarCache) -> None:
        self._transactions = transactions
        self._cache = cache

    def asset(self, symbol: str) -> Asset:
        """Return the asset of a symbol or of another spelling of it; UnknownNameError when it is not stored."""
        found = self._find(canonical(symbol)) or self._find(resolve(symbol, self.symbols()))
        assert found is not None  # noqa: S101 - assets are never deleted
        return found

    def symbols(self) -> Sequence[str]:
        """Return every stored symbol, sorted."""
        query = sa.select(assets.c.symbol).order_by(assets.c.symbol)
        return self._transactions.alone(lambda connection: connection.scalars(query).all())

    def coverage(self, symbol: str) -> Sequence[Coverage]:
        """Return the stored series of a known symbol, one per timeframe."""
        query = sa.text(COVERAGE)
        rows = self._transactions.alone(lambda connection: connection.execute(query, {"symbol": symbol}).all())
        return [_coverage(*row) for row in rows]

    def load(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, history: int) -> Bars:
        """Return the bars that start in [start, end), and up to `history` bars right before them."""
        return self._whole(symbol, MINUTES[timeframe]).window(start, end, history)

    def _find(self, symbol: str) -> Asset | None:
        query = sa.select(assets).where(assets.c.symbol == symbol)
        row = self._transactions.alone(lambda connection: connection.execute(query).one_or_none())
        return asset_of(row) if row else None

    def _whole(self, symbol: str, minutes: int) -> Bars:
        """Return the whole series, mapped from the cache where this version of it is there."""
        version = self._transactions.alone(lambda connection: version_of(connection, symbol, minutes))
        cached = self._cache.get(version.series, version.id) if version else None
        if cached is not None:
            return cached
        version, bars = self._transactions.run(lambda connection: snapshot(connection, symbol, minutes))
        if version is not None:
            self._cache.put(version.series, version.id, bars)
        return bars


class SqlBarStore:
    """Writes bars under the role that may; fulfils `BarStore`."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def store(
        self,
        asset: Asset,
        timeframe: Timeframe,
        bars: Iterable[Bars],
        record: Callable[[], ImportRecord],
        reasons: Sequence[str] = (),
    ) -> Stored:
        """Add the bars to the series, in the place of stored ones of the same time, all or nothing.

        `bars` may come in parts, in order of time; `record` is called after the last part. An asset that is stored
        stays as it is; a new one is kept with the reasons why it is taken for what it is.
        """

        def work(connection: Connection) -> Stored:
            written = _Series(connection, _asset_id(connection, asset, reasons), MINUTES[timeframe])
            stored = written.write(bars)
            connection.execute(sa.insert(imports).values(written.history_row(record(), stored)))
            return stored

        return self._transactions.once(work)


class _Series:
    """One series while it is written to; nobody else writes to it until the transaction ends."""

    def __init__(self, connection: Connection, asset_id: int, minutes: int) -> None:
        self._connection = connection
        self._asset_id = asset_id
        self._minutes = minutes
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(asset_id, minutes)))

    def write(self, parts: Iterable[Bars]) -> Stored:
        """Copy straight into an empty series, else by way of a staging table."""
        if self._is_empty():
            return Stored(inserted=self._copy("market.market_data", parts), updated=0)
        self._execute("create temp table staged (like market.market_data) on commit drop")
        self._copy("staged", parts)
        self._execute("analyze staged")
        # a nested loop over the growing series would take minutes where a join takes a second
        self._execute("set local enable_nestloop = off")
        return Stored(updated=self._execute(UPDATE_CHANGED), inserted=self._execute(INSERT_NEW))

    def history_row(self, record: ImportRecord, stored: Stored) -> dict[str, Any]:
        """Return what the history keeps of an import."""
        return {"asset_id": self._asset_id, "tf": self._minutes, **asdict(record), **asdict(stored)}

    def _execute(self, statement: str) -> int:
        return self._connection.execute(sa.text(statement)).rowcount

    def _is_empty(self) -> bool:
        stored = sa.exists().where(market_data.c.asset_id == self._asset_id, market_data.c.tf == self._minutes)
        return not self._connection.scalar(sa.select(stored))

    def _copy(self, table: str, parts: Iterable[Bars]) -> int:
        count = 0
        with driver(self._connection).cursor() as cursor:
            for part in parts:
                copy_bars(cursor, COPY_INTO.format(table=table), self._asset_id, self._minutes, part)
                count += len(part)
        return count


def _coverage(
    minutes: int, first: datetime, last: datetime, version: UUID, warnings: Sequence[Mapping[str, Any]] | None
) -> Coverage:
    told = tuple(Finding.of(each) for each in warnings or ())
    return Coverage(TIMEFRAMES[minutes], first, last, str(version), told)


def _asset_id(connection: Connection, asset: Asset, reasons: Sequence[str]) -> int:
    """Return the id of the asset, which is stored where it is new and locked against others' imports."""
    new = insert(assets).values(symbol=asset.symbol.upper(), **described(asset, reasons))
    # only a row that is touched is locked and returned
    touched = new.on_conflict_do_update(index_elements=["symbol"], set_={"symbol": new.excluded.symbol})
    return int(connection.execute(touched.returning(assets.c.id)).scalar_one())
