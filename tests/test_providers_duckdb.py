"""Parquet datasets and tables of databases, read by a real DuckDB."""

import sqlite3
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from backtesting.data_import import DataImporter
from backtesting.errors import BacktestError, InvalidInputError, UnknownNameError
from backtesting.fetching import Fetcher
from backtesting.ports import Provider
from backtesting.price_files import UnreadableFileError
from backtesting.providers import provider
from backtesting.providers.errors import MissingExtraError, NothingFetchedError, ProviderUnavailableError
from backtesting.types import FetchRequest, Place, PriceRows, Timeframe, instant, validated
from tests.fixtures.in_memory import InMemoryBars

NOW = datetime(2024, 6, 1, tzinfo=UTC)
FIRST = date(2024, 1, 2)
DAYS = [day for day in (FIRST + timedelta(days=number) for number in range(28)) if day.weekday() < 5]


def prices(days: Sequence[date] = DAYS, base: float = 100.0) -> dict[str, list[object]]:
    close = [base + number for number in range(len(days))]
    return {
        "Trade Date": list(days),
        "Open": [each - 0.5 for each in close],
        "High": [each + 1 for each in close],
        "Low": [each - 1 for each in close],
        "Last": close,
        "Vol": [1000 + number for number in range(len(days))],
    }


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A folder of Parquet files, one for each ticker and month."""
    for ticker, base in (("ACME", 100.0), ("BOLT", 500.0)):
        for half, days in enumerate((DAYS[:9], DAYS[9:])):
            folder = tmp_path / "lake" / f"ticker={ticker}" / f"part={half}"
            folder.mkdir(parents=True)
            parquet.write_table(pa.table(prices(days, base + 9 * half)), folder / "bars.parquet")
    return tmp_path / "lake"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "market's.duckdb"
    with duckdb.connect(str(path)) as connection:
        bars = pa.table(prices() | {"Symbol": ["ACME"] * len(DAYS)})
        connection.register("bars", bars)
        connection.execute("create table daily as select * from bars order by random()")
        connection.execute("create table notes as select 1 as one")
    return path


def source(path: Path | str, table: str | None = None) -> Provider:
    return provider("duckdb", Place(path=str(path), table=table))


def read(
    from_: Provider, symbol: str = "ACME", start: datetime | None = None, end: datetime = NOW
) -> list[tuple[object, ...]]:
    rows: list[PriceRows] = list(from_.fetch(symbol, Timeframe.D1, start, end).chunks())
    return [
        (instant(each.time[at]).date(), float(each.open[at]), float(each.close[at]), float(each.volume[at]))
        for each in rows
        for at in range(len(each))
    ]


def test_a_folder_of_parquet_files_is_one_series_a_ticker(lake: Path) -> None:
    acme, bolt = read(source(lake)), read(source(lake), "BOLT")

    assert len(acme) == len(bolt) == len(DAYS)
    assert (acme[0], acme[-1]) == ((FIRST, 99.5, 100.0, 1000.0), (DAYS[-1], 118.5, 119.0, 1010.0))
    assert (bolt[0][2], bolt[-1][2]) == (500.0, 519.0)


def test_a_pattern_of_files_is_read_like_a_folder(lake: Path) -> None:
    assert read(source(lake / "**" / "*.parquet"))[-1][2] == 119.0
    assert read(source(lake / "*" / "part=0" / "*.parquet"))[-1][2] == 108.0


def test_a_table_of_a_database_is_read_in_order_of_time(database: Path) -> None:
    rows = read(source(database, "daily"))

    assert [row[0] for row in rows] == DAYS
    assert (rows[0], rows[-1]) == ((FIRST, 99.5, 100.0, 1000.0), (DAYS[-1], 118.5, 119.0, 1019.0))


def test_the_reading_says_which_column_is_what(database: Path) -> None:
    reading = source(database, "daily").fetch("ACME", Timeframe.D1, None, NOW).reading()

    assert reading.notes[0] == "read through DuckDB" and "time = 'Trade Date'" in reading.notes[1]
    assert "close = 'Last'" in reading.notes[1] and reading.symbol == "ACME"


def test_a_period_is_cut_exactly(database: Path) -> None:
    start = datetime(2024, 1, 10, tzinfo=UTC)

    rows = read(source(database, "daily"), start=start, end=start + timedelta(days=3))

    assert [row[0].day for row in rows if isinstance(row[0], date)] == [10, 11, 12]
    with pytest.raises(NothingFetchedError, match="has no bars from 2024-05-01"):
        read(source(database, "daily"), start=datetime(2024, 5, 1, tzinfo=UTC))


def test_a_symbol_that_is_not_in_the_table_is_told_with_those_that_are(lake: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"symbol of lake 'ACMEE' - did you mean 'ACME'\?; known: ACME, BOLT"):
        source(lake).symbol("ACMEE")

    assert source(lake).symbol(" bolt ") == "BOLT"


def test_a_table_without_symbols_is_of_the_symbol_asked_for(tmp_path: Path) -> None:
    parquet.write_table(pa.table(prices()), tmp_path / "any.parquet")

    assert source(tmp_path / "any.parquet").symbol("mine") == "MINE"
    assert len(read(source(tmp_path / "any.parquet"), "MINE")) == len(DAYS)


def test_a_table_is_chosen_by_name_and_only_by_a_name(database: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"table 'dayly' - did you mean 'daily'\?; known: daily, notes"):
        read(source(database, "dayly"))
    with pytest.raises(UnknownNameError, match="known: daily, notes"):
        read(source(database))
    for injected in ('daily"; drop table daily; --', "read_csv('/etc/passwd')", "daily d, notes"):
        with pytest.raises(InvalidInputError, match="table"):
            validated(Place, path=str(database), table=injected)


def test_nothing_is_written_and_no_other_file_is_read(lake: Path, database: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a\n1\n", encoding="utf-8")
    for each in (source(lake), source(database, "daily")):
        assert each.symbol("ACME") == "ACME"
        for statement in (
            f"select * from '{tmp_path / 'other.csv'}'",
            f"copy (select 1) to '{tmp_path / 'out.csv'}'",
            "create table source.more as select 1",
            "set enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                each._connection.execute(statement)  # type: ignore[attr-defined]  # noqa: SLF001 - the wall itself


def test_a_database_of_another_program_needs_an_extension_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "bars.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table daily (date text, open real, high real, low real, close real)")
    connection.close()

    with pytest.raises(ProviderUnavailableError, match=r"needs its extension sqlite, .*INSTALL sqlite.*or export"):
        source(path).symbol("ACME")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("missing.parquet", None, "there is no such file"),
        ("prices.csv", b"date,open\n", "is no Parquet file and no database"),
        ("damaged.parquet", b"PAR1 and then nothing", "DuckDB cannot read it"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, content: bytes | None, complaint: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(BacktestError, match=complaint) as caught:
        read(source(tmp_path / name))

    assert isinstance(caught.value, UnreadableFileError | ProviderUnavailableError)


def test_a_dataset_and_a_table_do_not_go_together(lake: Path) -> None:
    with pytest.raises(BacktestError, match="table: Parquet files have none"):
        source(lake, "daily")
    with pytest.raises(BacktestError, match="path: say which"):
        provider("duckdb")


def test_new_rows_of_a_dataset_are_added(lake: Path) -> None:
    bars = InMemoryBars()
    fetcher = Fetcher(bars, DataImporter(bars, bars, lambda: NOW), lambda: NOW)
    last = lake / "ticker=ACME" / "part=1" / "bars.parquet"
    held_back = last.rename(lake.parent / "later")
    list(fetcher.run(source(lake), "ACME", FetchRequest(provider="duckdb", symbols=["ACME"])))

    held_back.rename(last)
    (done,) = fetcher.run(source(lake), "ACME", FetchRequest(provider="duckdb", symbols=["ACME"]))

    assert done.stored is not None and (done.stored.inserted, done.stored.updated) == (len(DAYS) - 9, 0)
    (daily,) = bars.coverage("ACME")
    assert (daily.timeframe, daily.first, daily.last) == (
        Timeframe.D1,
        datetime(2024, 1, 2, tzinfo=UTC),
        datetime(2024, 1, 29, tzinfo=UTC),
    )


def test_a_library_that_is_not_installed_is_named(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(MissingExtraError, match=r"--with duckdb"):
        source(lake).symbol("ACME")
