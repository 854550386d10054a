"""Columns on the wire: PostgreSQL's binary arrays and COPY rows, to and from NumPy."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format
from sqlalchemy import Connection

from backtesting.types import Bars

EPOCH_OF_POSTGRES_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
OID_OF_INSTANTS, OID_OF_FLOATS, OID_OF_INTEGERS = 1185, 1022, 1016  # timestamptz[], float8[], int8[]
OID_OF_INSTANT, OID_OF_FLOAT, OID_OF_INTEGER = 1184, 701, 20
PRICES = ("open", "high", "low", "close", "volume")
NULL = -1  # the size COPY gives a missing value
BLOCK_BYTES = 1 << 20
COPY_HEADER, COPY_TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


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


@dataclass(frozen=True, slots=True)
class FloatArray:
    """A parameter of type float8[]."""

    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class IntegerArray:
    """A parameter of type int8[]."""

    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class InstantArray:
    """A parameter of type timestamptz[], of nanoseconds since 1970."""

    values: NDArray[np.int64]


class _FloatDumper(Dumper):
    format, oid = Format.BINARY, OID_OF_FLOATS

    def dump(self, obj: FloatArray) -> bytes:
        return _array(obj.values, ">f8", OID_OF_FLOAT)


class _IntegerDumper(Dumper):
    format, oid = Format.BINARY, OID_OF_INTEGERS

    def dump(self, obj: IntegerArray) -> bytes:
        return _array(obj.values, ">i8", OID_OF_INTEGER)


class _InstantDumper(Dumper):
    format, oid = Format.BINARY, OID_OF_INSTANTS

    def dump(self, obj: InstantArray) -> bytes:
        return _array(obj.values // 1000 - EPOCH_OF_POSTGRES_US, ">i8", OID_OF_INSTANT)


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """Return psycopg's own connection, for what SQLAlchemy has no words for: binary arrays and COPY."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the only driver the URLs allow
    return driver


def array_cursor(connection: psycopg.Connection[Any]) -> psycopg.Cursor[Any]:
    """Return a cursor that reads timestamptz[] as int64 nanoseconds and float8[] as float64.

    The loaders are the cursor's own, so that a pooled connection stays clean.
    """
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader(OID_OF_INSTANTS, _Instants)
    cursor.adapters.register_loader(OID_OF_FLOATS, _Floats)
    return cursor


def writing_cursor(connection: psycopg.Connection[Any]) -> psycopg.Cursor[Any]:
    """Return a cursor that takes whole columns as parameters."""
    cursor = connection.cursor()
    cursor.adapters.register_dumper(FloatArray, _FloatDumper)
    cursor.adapters.register_dumper(IntegerArray, _IntegerDumper)
    cursor.adapters.register_dumper(InstantArray, _InstantDumper)
    return cursor


def copy_bars(cursor: psycopg.Cursor[Any], statement: str, asset_id: int, minutes: int, bars: Bars) -> None:
    """Send bars through `copy ... (asset_id, tf, ts, open, high, low, close, volume, adj_close) from stdin`."""
    with cursor.copy(statement) as copy:
        copy.write(COPY_HEADER)
        for block in _blocks(asset_id, minutes, bars):
            copy.write(block)
        copy.write(COPY_TRAILER)


def _items(data: Buffer, kind: str) -> NDArray[Any]:
    """Read an array off the wire: dimensions, null flag, oid, length, lower bound, then (int32 size, 8 bytes) each."""
    dimensions, has_null, _, length, _ = struct.unpack_from(">5i", data)
    if dimensions != 1 or has_null:
        raise ValueError("expected a one-dimensional array without NULL")
    return np.frombuffer(data, [("size", ">i4"), ("item", kind)], length, 20)["item"]


def _array(values: NDArray[Any], kind: str, oid: int) -> bytes:
    """Put an array on the wire, as `_items` reads it."""
    items = np.empty(len(values), [("size", ">i4"), ("item", kind)])
    items["size"], items["item"] = np.dtype(kind).itemsize, values
    return struct.pack(">5i", 1, 0, oid, len(values), 1) + items.tobytes()


def _blocks(asset_id: int, minutes: int, bars: Bars) -> Iterator[bytes]:
    """Pack rows: number of fields, then size and value of each; a missing adjusted close is a size without a value."""
    adjusted = np.full(len(bars), np.nan) if bars.adj_close is None else bars.adj_close
    has_adjusted = ~np.isnan(adjusted)
    edges = np.flatnonzero(np.diff(has_adjusted)) + 1
    for span in zip([0, *edges], [*edges, len(bars)], strict=True):
        part = slice(*map(int, span))
        with_adjusted = adjusted[part] if has_adjusted[part.start] else None
        rows = _packed(asset_id, minutes, bars.time[part], [column[part] for column in bars.ohlcv], with_adjusted)
        body = memoryview(rows.view(np.uint8))  # type: ignore[arg-type]
        yield from (bytes(body[at : at + BLOCK_BYTES]) for at in range(0, len(body), BLOCK_BYTES))


def _packed(
    asset_id: int, minutes: int, time: NDArray[np.int64], prices: list[NDArray[np.float64]], adjusted: Any
) -> NDArray[np.void]:
    fields = [("asset_id", ">i4"), ("tf", ">i2"), ("ts", ">i8"), *((name, ">f8") for name in PRICES)]
    values = [asset_id, minutes, time // 1000 - EPOCH_OF_POSTGRES_US, *prices]
    if adjusted is not None:
        fields, values = [*fields, ("adj_close", ">f8")], [*values, adjusted]
    sized = [part for name, kind in fields for part in ((f"{name}_size", ">i4"), (name, kind))]
    rows = np.empty(len(time), [("count", ">i2"), *sized, *([("missing", ">i4")] if adjusted is None else [])])
    rows["count"] = 9
    for (name, kind), value in zip(fields, values, strict=True):
        rows[f"{name}_size"], rows[name] = np.dtype(kind).itemsize, value
    if adjusted is None:
        rows["missing"] = NULL
    return rows
