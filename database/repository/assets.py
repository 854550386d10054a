"""What is known of assets: read beside the ends of their series, and changed under the loader's role."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from backtesting.errors import UnknownNameError
from backtesting.types import (
    Asset,
    AssetClass,
    AssetEntry,
    AssetPage,
    AssetSearch,
    ImportRecord,
    SeriesEntry,
    Timeframe,
)
from database.models import assets
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
# The ends of a series are two look-ups in the key; imports alone add bars, so what they added is its length.
ENTRIES = sa.text("""
select a.*, s.tf, first.ts as first, last.ts as last, history.bars, newest.source, newest.content_hash,
  newest.imported_at, newest.report, first.adj_close is not null and last.adj_close is not null as adjusted
from market.assets a left join market.series s on s.asset_id = a.id
left join lateral (select ts, adj_close from market.market_data m where m.asset_id = a.id and m.tf = s.tf
  order by ts limit 1) first on true
left join lateral (select ts, adj_close from market.market_data m where m.asset_id = a.id and m.tf = s.tf
  order by ts desc limit 1) last on true
left join lateral (select coalesce(sum(inserted), 0)::bigint as bars from market.imports i
  where i.asset_id = a.id and i.tf = s.tf) history on true
left join lateral (select * from market.imports i where i.asset_id = a.id and i.tf = s.tf
  order by i.id desc limit 1) newest on true
where a.symbol = any(:symbols) order by a.symbol, s.tf""")


class SqlAssetCatalog:
    """Reads what is known of assets; fulfils `AssetCatalog`."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def find(self, search: AssetSearch) -> AssetPage:
        """Return a page of assets by symbol, without reading their bars."""
        wanted = _wanted(search)
        page = sa.select(assets.c.symbol).where(wanted).order_by(assets.c.symbol)
        page = page.offset(search.offset).limit(search.limit)

        def work(connection: Connection) -> AssetPage:
            total = connection.execute(sa.select(sa.func.count()).select_from(assets).where(wanted)).scalar_one()
            return AssetPage(_entries(connection, connection.scalars(page).all()), total)

        return self._transactions.run(work)

    def entry(self, symbol: str) -> AssetEntry:
        """Return the entry of a stored symbol; UnknownNameError when it is not stored."""

        def work(connection: Connection) -> AssetEntry:
            if found := _entries(connection, [symbol]):
                return found[0]
            raise UnknownNameError.among(
                "symbol", symbol, connection.scalars(sa.select(assets.c.symbol)), field="symbol"
            )

        return self._transactions.run(work)


class SqlAssetStore:
    """Changes what is known of assets; fulfils `AssetStore`."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def describe(self, asset: Asset, reasons: Sequence[str]) -> None:
        """Keep the description of a stored asset in the place of the one it has."""
        change = sa.update(assets).where(assets.c.symbol == asset.symbol).values(**described(asset, reasons))
        self._transactions.run(lambda connection: connection.execute(change))


def asset_of(row: Row[Any]) -> Asset:
    """Return the asset of a row."""
    asset_class = AssetClass(row.asset_class)
    return Asset(row.symbol, row.name, asset_class, row.currency, row.exchange, row.tick_size, row.lot_size)


def described(asset: Asset, reasons: Sequence[str]) -> dict[str, Any]:
    """Return the columns that describe an asset."""
    return {
        "name": asset.name,
        "asset_class": asset.asset_class.value,
        "currency": asset.currency,
        "exchange": asset.exchange,
        "tick_size": asset.tick_size,
        "lot_size": asset.lot_size,
        "reasons": list(reasons),
    }


def _wanted(search: AssetSearch) -> sa.ColumnElement[bool]:
    """Return the condition; `contains` escapes what LIKE would take for a wildcard."""
    holds = [column.icontains(search.text, autoescape=True) for column in (assets.c.symbol, assets.c.name)]
    named = sa.or_(*holds, assets.c.symbol.in_(search.spellings))
    return named if search.asset_class is None else named & (assets.c.asset_class == search.asset_class.value)


def _entries(connection: Connection, symbols: Sequence[str]) -> tuple[AssetEntry, ...]:
    rows = connection.execute(ENTRIES, {"symbols": list(symbols)}).all()
    found = (list(each) for _, each in groupby(rows, key=lambda row: row.symbol))
    return tuple(AssetEntry(asset_of(each[0]), tuple(each[0].reasons or ()), _series(each)) for each in found)


def _series(rows: Sequence[Row[Any]]) -> tuple[SeriesEntry, ...]:
    return tuple(
        SeriesEntry(
            TIMEFRAMES[row.tf],
            row.first,
            row.last,
            row.bars,
            row.adjusted,
            row.imported_at,
            _record(row).findings if row.imported_at else (),
        )
        for row in rows
        if row.first is not None
    )


def _record(row: Row[Any]) -> ImportRecord:
    return ImportRecord(row.source, row.content_hash, row.imported_at, row.report)
