"""What is known of stored assets: found, described and changed, in memory and in PostgreSQL alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backtesting.asset_edit import AssetEditor
from backtesting.assets import spellings_of
from backtesting.data_import import DataImporter
from backtesting.errors import BacktestError, InvalidInputError, UnknownNameError
from backtesting.ports import AssetCatalog, AssetStore, BarSource, BarStore
from backtesting.price_files import Hints, PriceFile
from backtesting.types import Asset, AssetClass, AssetEdit, AssetSearch, Severity, Timeframe, validated
from tests.fixtures.in_memory import stocked

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "Date,Open,High,Low,Close,Volume"
DAYS = ["2024-01-02,10,12,9,11,1000", "2024-01-03,11,13,10,12,1100", "2024-01-05,13,15,12,14,1300"]


@dataclass(frozen=True)
class Shelf:
    """Everything that reads and writes assets, on one store; the sample is in it."""

    bars: BarSource
    importing: BarStore
    catalog: AssetCatalog
    descriptions: AssetStore
    folder: Path

    @property
    def editor(self) -> AssetEditor:
        return AssetEditor(self.bars, self.catalog, self.descriptions)

    def take(self, symbol: str, *rows: str, timeframe: Timeframe | None = None) -> None:
        path = self.folder / f"{symbol}.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        DataImporter(self.bars, self.importing, lambda: NOW).run(PriceFile(path, Hints(symbol, timeframe=timeframe)))

    def found(self, text: str = "", **more: object) -> list[str]:
        search = validated(AssetSearch, text=text, spellings=spellings_of(text), **more)
        return [entry.asset.symbol for entry in self.catalog.find(search).entries]


@pytest.fixture(params=["in memory", "PostgreSQL"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    if request.param == "in memory":
        twin = stocked()
        yield Shelf(twin, twin, twin, twin, tmp_path)
    else:
        stores = request.getfixturevalue("database").stores()
        yield Shelf(stores.bars, stores.importing, stores.catalog, stores.descriptions, tmp_path)
        stores.close()


def test_an_entry_says_what_is_stored_and_how_it_was_taken(shelf: Shelf) -> None:
    entry = shelf.catalog.entry("AAPL")

    (series,) = entry.series
    assert (entry.asset, entry.reasons) == (shelf.bars.asset("AAPL"), ("it was given",))
    assert (series.timeframe, series.bars, series.adjusted) == (Timeframe.D1, 3270, True)
    assert (series.first, series.last) == (datetime(2000, 3, 1, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC))


def test_reasons_are_kept_at_the_first_import(shelf: Shelf) -> None:
    shelf.take("BTCUSDT", *DAYS)

    shelf.take("BTCUSDT", *DAYS)

    assert shelf.catalog.entry("BTCUSDT").reasons == ("BTC in USDT is how coins are quoted",)


def test_the_quality_is_the_worst_that_the_last_import_found(shelf: Shelf) -> None:
    shelf.take("BTCUSDT", *DAYS)

    entry = shelf.catalog.entry("BTCUSDT")

    (series,) = entry.series
    (gap,) = [finding for finding in series.findings if finding.code == "gaps"]
    assert (gap.severity, gap.count) == (Severity.WARNING, 1)
    assert entry.quality is Severity.WARNING
    assert series.imported_at == NOW


def test_a_later_import_counts_what_it_added_and_its_findings_take_the_place_of_earlier_ones(shelf: Shelf) -> None:
    shelf.take("BTCUSDT", *DAYS)

    shelf.take("BTCUSDT", DAYS[1], "2024-01-04,12,14,11,13,1200", DAYS[2], "2024-01-06,14,16,13,15,1")

    (series,) = shelf.catalog.entry("BTCUSDT").series
    assert series.bars == 5
    assert "gaps" not in [finding.code for finding in series.findings]


def test_the_series_of_an_asset_stand_from_the_shortest_bars_to_the_longest(shelf: Shelf) -> None:
    shelf.take("BTCUSDT", *DAYS)
    shelf.take("BTCUSDT", "2024-01-02 10:00,1,2,1,1,1", "2024-01-02 11:00,1,2,1,1,1", "2024-01-02 12:00,1,2,1,1,1")

    entry = shelf.catalog.entry("BTCUSDT")

    assert [(each.timeframe, each.bars) for each in entry.series] == [(Timeframe.H1, 3), (Timeframe.D1, 3)]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("", ["AAPL", "BTCUSDT", "IBM", "MSFT"]),
        ("a", ["AAPL"]),
        ("ibm", ["IBM"]),
        ("BTC/USDT", ["BTCUSDT"]),
        ("btc", ["BTCUSDT"]),
        ("%", []),
        ("_", []),
        ("'; drop table market.assets; --", []),
    ],
)
def test_assets_are_found_by_a_part_of_their_symbol_and_by_other_spellings(
    shelf: Shelf, text: str, symbols: list[str]
) -> None:
    shelf.take("BTCUSDT", *DAYS)

    assert shelf.found(text) == symbols


def test_assets_are_found_by_name_and_class_and_paged(shelf: Shelf) -> None:
    shelf.take("BTCUSDT", *DAYS)
    shelf.editor.edit("IBM", AssetEdit(name="International Business Machines"))

    assert shelf.found("business mach") == ["IBM"]
    assert shelf.found(asset_class="crypto") == ["BTCUSDT"]
    assert shelf.found("btc", asset_class="equity") == []
    assert shelf.found(offset=1, limit=2) == ["BTCUSDT", "IBM"]
    assert shelf.catalog.find(AssetSearch(limit=1)).total == 4


def test_an_edit_changes_what_it_names_says_so_and_survives_the_next_import(shelf: Shelf) -> None:
    shelf.take("XYZQ", *DAYS[:2])

    shelf.editor.edit("xyzq", AssetEdit(asset_class=AssetClass.ETF, currency="eur", exchange="xetra"))
    edited = shelf.editor.edit("XYZQ", AssetEdit(tick_size=0.01, lot_size=1.0))
    shelf.take("XYZQ", *DAYS[:2])

    assert edited.asset == Asset("XYZQ", "XYZQ", AssetClass.ETF, "EUR", "XETR", 0.01, 1.0)
    assert edited.reasons == (
        "XYZQ reads like a US share; New York is assumed",
        "set by hand: asset_class, currency, exchange, lot_size, tick_size",
    )
    assert shelf.bars.asset("XYZQ") == edited.asset
    assert shelf.catalog.entry("XYZQ") == edited


@pytest.mark.parametrize("asset_class", [AssetClass.CRYPTO, AssetClass.FX])
def test_what_is_said_to_trade_on_no_exchange_loses_the_inferred_one_and_keeps_one_set_by_hand(
    shelf: Shelf, asset_class: AssetClass
) -> None:
    shelf.take("XYZQ", *DAYS[:2])
    assert shelf.bars.asset("XYZQ").exchange == "XNYS"

    edited = shelf.editor.edit("XYZQ", AssetEdit(asset_class=asset_class))
    assert (edited.asset.exchange, edited.reasons[-1]) == (None, "set by hand: asset_class")

    shelf.editor.edit("XYZQ", AssetEdit(exchange="binance"))
    assert shelf.editor.edit("XYZQ", AssetEdit(asset_class=asset_class)).asset.exchange == "BINANCE"
    assert shelf.editor.edit("XYZQ", AssetEdit(asset_class=AssetClass.ETF)).asset.exchange == "BINANCE"


@pytest.mark.parametrize(
    ("exchange", "kept"),
    [("NASDAQ", "XNAS"), ("xlon", "XLON"), ("binance", "BINANCE"), ("other:My broker", "My broker"), ("none", None)],
)
def test_an_exchange_is_known_or_said_to_be_another(shelf: Shelf, exchange: str, kept: str | None) -> None:
    assert shelf.editor.edit("IBM", AssetEdit(exchange=exchange)).asset.exchange == kept


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"currency": "EURO"}, "currency: unknown currency 'EURO' - did you mean 'EUR'"),
        ({"exchange": "XNYX"}, "exchange: unknown exchange 'XNYX' - did you mean 'XNYS'"),
        ({"exchange": "other:"}, "exchange: unknown exchange"),
        ({"asset_class": "share"}, "asset_class: unknown value 'share'; known: 'equity', 'etf'"),
        ({"tick_size": 0.0}, "tick_size: has to be above 0"),
        ({"lot_size": float("nan")}, "lot_size"),
        ({"name": "a\nb"}, "name: holds characters that are not allowed"),
        ({"name": ""}, "name"),
        ({}, "nothing to change"),
    ],
)
def test_an_edit_that_cannot_be_meant_changes_nothing(shelf: Shelf, change: dict[str, object], words: str) -> None:
    before = shelf.catalog.entry("IBM")

    with pytest.raises(BacktestError) as told:
        shelf.editor.edit("IBM", validated(AssetEdit, **change))

    assert words in str(told.value)
    assert isinstance(told.value, InvalidInputError | UnknownNameError)
    assert shelf.catalog.entry("IBM") == before


def test_an_asset_that_is_not_stored_is_told_with_the_known_ones(shelf: Shelf) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'IBM'.*known: AAPL, IBM, MSFT"):
        shelf.editor.edit("IBMM", AssetEdit(name="x"))
    with pytest.raises(UnknownNameError, match="known: AAPL, IBM, MSFT"):
        shelf.catalog.entry("IBMM")
