"""Assets and their bars: read under the server's role, written under the loader's."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import sqlalchemy as sa
from numpy.typing import NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from backtesting.errors import UnknownNameError
from backtesting.types import Asset, AssetClass, Bars, Coverage, Timeframe, instant
from database.models import assets, market_data
from database.transactions import Transactions

MINUTES = {
    Timeframe.M1: 1,
    Timeframe.M5: 5,
    Timeframe.M15: 15,
    Timeframe.M30: 30,
    Timeframe.H1: 60,
    Timeframe.H4: 240,
    Timeframe.D1: 1440,
    Timeframe.W1: 10080,
}
TIMEFRAMES = {minutes: timeframe for timeframe, minutes in MINUTES.items()}
EPOCH_OF_POSTGRES_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
OID_OF_INSTANTS, OID_OF_FLOATS = 1185, 1022  # timestamptz[] and float8[]
COLUMNS = ("ts", "open", "high", "low", "close", "volume", "adj_close")
COLUMN_TYPES = ("int4", "int2", "timestamptz", *("float8",) * 6)
READ_SERIES = f"""
with series as (select id from market.assets where symbol = %(symbol)s), bars as (
  (select m.* from market.market_data m, series where m.asset_id = series.id and m.tf = %(tf)s and m.ts < %(start)s
   order by m.ts desc limit %(history)s)
  union all
  (select m.* from market.market_data m, series where m.asset_id = series.id and m.tf = %(tf)s and m.ts >= %(start)s
   and m.ts < %(end)s))
select {", ".join(f"array_agg({column})" for column in (*COLUMNS[:-1], "coalesce(adj_close, 'NaN')"))}
from (select * from bars order by ts) b"""  # noqa: S608 - the columns are ours, the values are parameters
WRITE_SERIES = f"copy market.market_data (asset_id, tf, {', '.join(COLUMNS)}) from stdin (format binary)"


class SqlBarSource:
    """Reads stored bars; fulfils `BarSource`."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def asset(self, symbol: str) -> Asset:
        """Return the asset, whatever the case of the symbol; UnknownNameError when it is not stored."""
        query = sa.select(assets).where(assets.c.symbol == symbol.upper())
        row = self._transactions.run(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise UnknownNameError.among("symbol", symbol, self.symbols(), field="asset_symbol")
        return Asset(row.symbol, row.name, AssetClass(row.asset_class), row.currency, row.exchange)

    def symbols(self) -> Sequence[str]:
        """Return every stored symbol, sorted."""
        query = sa.select(assets.c.symbol).order_by(assets.c.symbol)
        return self._transactions.run(lambda connection: connection.scalars(query).all())

    def coverage(self, symbol: str) -> Sequence[Coverage]:
        """Return the stored series of a known symbol, one per timeframe, by two index look-ups each."""
        known = (
            sa.func.unnest(sa.literal(list(MINUTES.values()), sa.ARRAY(sa.SmallInteger)))
            .table_valued("tf", name="known")
            .render_derived()
        )
        stamps = sa.select(market_data.c.ts).where(
            market_data.c.asset_id == assets.c.id, market_data.c.tf == known.c.tf
        )
        first, last = (
            stamps.order_by(order(market_data.c.ts)).limit(1).correlate(assets, known).scalar_subquery()
            for order in (sa.asc, sa.desc)
        )
        query = sa.select(known.c.tf, first, last).select_from(assets).join(known, sa.true())
        query = query.where(assets.c.symbol == symbol)
        rows = self._transactions.run(lambda connection: connection.execute(query).all())
        return [Coverage(TIMEFRAMES[minutes], start, end) for minutes, start, end in rows if start is not None]

    def load(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, history: int) -> Bars:
        """Return the bars that start in [start, end), and up to `history` bars right before them."""
        wanted = {"symbol": symbol, "tf": MINUTES[timeframe], "start": start, "end": end, "history": history}
        return self._transactions.run(lambda connection: _read(connection, wanted))


class SqlBarStore:
    """Writes bars under the role that may; fulfils `BarStore`."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def store(self, asset: Asset, timeframe: Timeframe, bars: Bars) -> int:
        """Put the series in the place of what is stored of it, all or nothing; return the number of bars."""
        return self._transactions.run(lambda connection: _write(connection, asset, timeframe, bars))


class _Instants(Loader):
    """timestamptz[] to int64 nanoseconds since 1970."""

    format = Format.BINARY

    def load(self, data: Buffer) -> NDArray[np.int64]:
        return (_items(data, ">i8").astype(np.int64) + EPOCH_OF_POSTGRES_US) * 1000


class _Floats(Loader):
    """float8[] to float64."""

    format = Format.BINARY

    def load(self, data: Buffer) -> NDArray[np.float64]:
        return _items(data, ">f8").astype(np.float64)


def _items(data: Buffer, kind: str) -> NDArray[Any]:
    """Read an array off the wire: dimensions, null flag, oid, length, lower bound, then (int32 size, 8 bytes) each."""
    dimensions, has_null, _, length, _ = struct.unpack_from(">5i", data)
    if dimensions != 1 or has_null:
        raise ValueError("expected a one-dimensional array without NULL")
    return np.frombuffer(data, [("size", ">i4"), ("item", kind)], length, 20)["item"]


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    """Return psycopg's own connection, for what SQLAlchemy has no words for: binary arrays and COPY."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the only driver the URLs allow
    return driver


def _read(connection: Connection, wanted: dict[str, Any]) -> Bars:
    with _driver(connection).cursor(binary=True) as cursor:
        cursor.adapters.register_loader(OID_OF_INSTANTS, _Instants)
        cursor.adapters.register_loader(OID_OF_FLOATS, _Floats)
        columns = cursor.execute(READ_SERIES, wanted).fetchone()
    if columns is None or columns[0] is None:
        nothing = np.empty(0)
        return Bars(np.empty(0, np.int64), nothing, nothing, nothing, nothing, nothing)
    time, open_, high, low, close, volume, adj_close = columns
    return Bars(time, open_, high, low, close, volume, None if np.isnan(adj_close).all() else adj_close)


def _write(connection: Connection, asset: Asset, timeframe: Timeframe, bars: Bars) -> int:
    asset_id, minutes = _upsert_asset(connection, asset), MINUTES[timeframe]
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(asset_id, minutes)))
    stored = sa.delete(market_data).where(market_data.c.asset_id == asset_id, market_data.c.tf == minutes)
    connection.execute(stored)
    prices = [*bars.ohlcv, np.full(len(bars), np.nan) if bars.adj_close is None else bars.adj_close]
    rows = zip(map(instant, bars.time), *(column.tolist() for column in prices), strict=True)
    with _driver(connection).cursor() as cursor, cursor.copy(WRITE_SERIES) as copy:
        copy.set_types(COLUMN_TYPES)
        for *row, adj_close in rows:
            copy.write_row((asset_id, minutes, *row, None if np.isnan(adj_close) else adj_close))
    return len(bars)


def _upsert_asset(connection: Connection, asset: Asset) -> int:
    described = {
        "name": asset.name,
        "asset_class": asset.asset_class.value,
        "currency": asset.currency,
        "exchange": asset.exchange,
    }
    new = insert(assets).values(symbol=asset.symbol.upper(), **described)
    upsert = new.on_conflict_do_update(index_elements=["symbol"], set_=described).returning(assets.c.id)
    return int(connection.execute(upsert).scalar_one())
