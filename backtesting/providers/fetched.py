"""Rows that a provider gave, as a source the importer takes."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from hashlib import sha256

import numpy as np

from backtesting.ports import PriceSource
from backtesting.providers.errors import NothingFetchedError
from backtesting.types import PriceRows, Reading, Timeframe, nanoseconds


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """Rows in memory; fulfils `PriceSource`."""

    name: str
    rows: PriceRows
    understood: Reading

    def reading(self) -> Reading:
        """Say how they are read."""
        return self.understood

    def chunks(self) -> Iterator[PriceRows]:
        """Yield the rows."""
        yield self.rows

    def content_hash(self) -> str:
        """Return the SHA-256 of the columns, one after the other."""
        return hash_of(self)


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A source with one thing more to say; fulfils `PriceSource`."""

    source: PriceSource
    note: str

    @property
    def name(self) -> str:
        """What messages and the history call it."""
        return self.source.name

    def reading(self) -> Reading:
        """Say how it is read, and the note."""
        reading = self.source.reading()
        return replace(reading, notes=(*reading.notes, self.note))

    def chunks(self) -> Iterator[PriceRows]:
        """Yield the rows of the source."""
        return self.source.chunks()

    def content_hash(self) -> str:
        """Return the SHA-256 of the source."""
        return self.source.content_hash()


def hash_of(source: PriceSource) -> str:
    """Return the SHA-256 of all rows' columns, chunk by chunk."""
    digest = sha256()
    for rows in source.chunks():
        for field in fields(PriceRows):
            if (column := getattr(rows, field.name)) is not None:
                digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def within(rows: PriceRows, start: datetime | None, end: datetime) -> PriceRows:
    """Return the rows that start in [start, end)."""
    wanted = rows.time < nanoseconds(end)
    if start is not None:
        wanted &= rows.time >= nanoseconds(start)
    columns = {field.name: getattr(rows, field.name) for field in fields(PriceRows)}
    return replace(rows, **{name: column[wanted] for name, column in columns.items() if column is not None})


def nothing(name: str, start: datetime | None, end: datetime) -> NothingFetchedError:
    """Return the error that says which period is empty."""
    first = f"from {start:%Y-%m-%d %H:%M} " if start else ""
    return NothingFetchedError(f"{name}: has no bars {first}to {end:%Y-%m-%d %H:%M} UTC; choose another period")


def named(provider: str, symbol: str, timeframe: Timeframe) -> str:
    """Return what messages and the history call a series of a provider."""
    return f"{provider} {symbol} {timeframe}"
