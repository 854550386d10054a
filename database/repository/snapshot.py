"""A series as of one instant: its version and its bars, read together whatever is written meanwhile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from backtesting.types import Bars, Floats, Integers, instant
from database.models import assets, series
from database.repository.wire import PRICES, array_cursor, driver

READ_WINDOW = f"""
select {", ".join(f"array_agg({column})" for column in ("ts", *PRICES))},
  array_agg(ts) filter (where adj_close is not null), array_agg(adj_close) filter (where adj_close is not null)
from (select * from market.market_data where asset_id = %(asset_id)s and tf = %(tf)s and ts > %(after)s
  order by ts limit %(size)s) w"""  # noqa: S608 - the columns are ours, the values are parameters
WINDOW = 100_000  # bars a query: the server's memory stays small, and larger ones are no faster
BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)
SNAPSHOT = sa.text("set transaction isolation level repeatable read, read only")


@dataclass(frozen=True, slots=True)
class Version:
    """The content of one series at one time; every write gives the series another `id`."""

    asset_id: int
    minutes: int
    id: str

    @property
    def series(self) -> str:
        """The name of the series."""
        return f"{self.asset_id}-{self.minutes}"


def version_of(connection: Connection, symbol: str, minutes: int) -> Version | None:
    """Return the version of a series by two index look-ups, None where there is no such series."""
    query = sa.select(series.c.asset_id, series.c.version).join(assets)
    row = connection.execute(query.where(assets.c.symbol == symbol, series.c.tf == minutes)).one_or_none()
    return Version(row.asset_id, minutes, str(row.version)) if row else None


def snapshot(connection: Connection, symbol: str, minutes: int) -> tuple[Version | None, Bars]:
    """Read the version of a series and its bars as of one instant, whatever is written meanwhile."""
    connection.execute(SNAPSHOT)
    version = version_of(connection, symbol, minutes)
    parts = list(_windows(connection, version)) if version else []
    if not parts:
        nothing = np.empty(0)
        return version, Bars(np.empty(0, np.int64), nothing, nothing, nothing, nothing, nothing)
    time, *prices = (np.concatenate(column) for column in list(zip(*parts, strict=True))[: 1 + len(PRICES)])
    return version, Bars(time, *prices, *_adj_close(time, [part[-2:] for part in parts if part[-1] is not None]))


def _adj_close(time: Integers, given: Sequence[tuple[Integers, Floats]]) -> list[Floats]:
    """Return the column of what was given at its times and NaN elsewhere; none where nothing was given."""
    if not given:
        return []
    stamps, values = (np.concatenate(column) for column in zip(*given, strict=True))
    column = np.full(len(time), np.nan)
    column[np.searchsorted(time, stamps)] = values
    return [column]


def _windows(connection: Connection, version: Version) -> Iterator[tuple[Any, ...]]:
    """Return the bars in parts, oldest first: starts, OHLCV, and apart the adjusted closes given with their starts."""
    wanted = {"asset_id": version.asset_id, "tf": version.minutes, "after": BEFORE_ALL, "size": WINDOW}
    with array_cursor(driver(connection)) as cursor:
        while (part := cursor.execute(READ_WINDOW, wanted).fetchone()) and part[0] is not None:
            yield part
            if len(part[0]) < WINDOW:
                return
            wanted["after"] = instant(part[0][-1])
