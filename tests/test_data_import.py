"""Files that become stored bars, whole or not at all."""

from pathlib import Path

import pytest

from backtesting.data_import import DataImporter
from backtesting.data_sources import SAMPLES
from backtesting.data_sources.csv_file import CsvFile
from backtesting.errors import BadBarsError
from backtesting.types import Timeframe, instant
from tests.fixtures.in_memory import STOCK, InMemoryBars

HEADER = "timestamp,open,high,low,close,volume,adj_close"
FIRST = "2020-01-01,10,12,9,11,500,5.5"
SECOND = "2020-01-02,11,13,10,12,600,6"


def written(folder: Path, *lines: str) -> CsvFile:
    path = folder / "prices.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CsvFile(path, STOCK)


def stored_days(store: InMemoryBars) -> list[str]:
    return [f"{series.first:%Y-%m-%d} {series.last:%Y-%m-%d}" for series in store.coverage(STOCK.symbol)]


def test_a_file_is_read_column_by_column_at_midnight_utc(tmp_path: Path) -> None:
    bars = written(tmp_path, HEADER, FIRST, SECOND).read()

    assert [instant(time).isoformat() for time in bars.time] == [
        "2020-01-01T00:00:00+00:00",
        "2020-01-02T00:00:00+00:00",
    ]
    assert [column.tolist() for column in bars.ohlcv] == [[10, 11], [12, 13], [9, 10], [11, 12], [500, 600]]
    assert bars.adj_close is not None
    assert bars.adj_close.tolist() == [5.5, 6]


def test_the_order_of_the_columns_is_that_of_the_header(tmp_path: Path) -> None:
    bars = written(tmp_path, "close,timestamp,low,open,high,adj_close,volume", "11,2020-01-01,9,10,12,5.5,500").read()

    assert [column.tolist() for column in bars.ohlcv] == [[10], [12], [9], [11], [500]]


@pytest.mark.parametrize(
    "line",
    [
        "2020-01-02,11,13,10,twelve,600,6",
        "2020-01-02,11,13,10,12,600,",
        "2020-01-02,11,13,10,12,600",
        "2020-01-02,11,13,10,12,1,600,6",
        "02.01.2020,11,13,10,12,600,6",
        "2020-01-02T00:00:00+05:00,11,13,10,12,600,6",
        "2020-02-30,11,13,10,12,600,6",
    ],
)
def test_a_line_that_is_no_daily_bar_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadBarsError, match=r"^prices.csv: line 3 cannot be read as a daily bar$"):
        written(tmp_path, HEADER, FIRST, line).read()


def test_empty_lines_count_where_a_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadBarsError, match="line 5"):
        written(tmp_path, HEADER, "", FIRST, "", "2020-01-02,x,13,10,12,600,6").read()


def test_a_file_without_a_column_is_refused_at_its_first_bar(tmp_path: Path) -> None:
    with pytest.raises(BadBarsError, match="line 2"):
        written(tmp_path, HEADER.replace("adj_close", "adjusted"), FIRST).read()


@pytest.mark.parametrize("lines", [(HEADER,), ("",)])
def test_a_file_without_bars_is_refused_and_what_is_stored_stays(tmp_path: Path, lines: tuple[str, ...]) -> None:
    store = InMemoryBars()
    importer = DataImporter(store)
    importer.load([written(tmp_path, HEADER, FIRST, SECOND)])

    with pytest.raises(BadBarsError, match=r"prices.csv: has no bars"):
        importer.load([written(tmp_path, *lines)])

    assert stored_days(store) == ["2020-01-01 2020-01-02"]


def test_an_import_stores_the_series_and_counts_its_bars(tmp_path: Path) -> None:
    store = InMemoryBars()

    count = DataImporter(store).load([written(tmp_path, HEADER, FIRST, SECOND)])

    assert count == 2
    assert store.asset("test") == STOCK
    assert stored_days(store) == ["2020-01-01 2020-01-02"]
    assert [series.timeframe for series in store.coverage("TEST")] == [Timeframe.D1]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("2020-01-01,11,13,10,12,600,6", "not in order of time or repeated, first at 2020-01-01"),
        ("2020-01-02,11,11.5,10,12,600,6", "high below open or close, first at 2020-01-02"),
        ("2020-01-02,11,13,0,12,600,6", "not above zero, first at 2020-01-02"),
        ("2020-01-02,11,13,10,12,600,-6", "not above zero, first at 2020-01-02"),
        ("2020-01-02,11,13,10,12,inf,6", "not finite, first at 2020-01-02"),
    ],
)
def test_t5_a_file_of_bad_bars_is_named_and_nothing_of_it_stored(tmp_path: Path, line: str, complaint: str) -> None:
    store = InMemoryBars()

    with pytest.raises(BadBarsError, match=rf"^prices.csv: 1 stored bars are .*{complaint}"):
        DataImporter(store).load([written(tmp_path, HEADER, FIRST, line)])

    assert store.symbols() == []


@pytest.mark.parametrize(
    ("symbol", "first", "last"),
    [
        (
            "IBM",
            ("2000-03-01", 102.0, 105.5, 100.06, 100.25, 10807800.0, 73.667718762847),
            ("2013-03-01", 200.65, 202.94, 199.36, 202.91, 3308300.0, 175.27118333217),
        ),
        (
            "AAPL",
            ("2000-03-01", 118.56, 132.06, 118.5, 130.31, 9616100.0, 4.186662803811),
            ("2013-03-01", 438.0, 438.1799, 429.98, 430.47, 19730300.0, 56.137353095488),
        ),
        (
            "MSFT",
            ("2000-03-01", 89.62, 94.09, 88.94, 90.81, 53444900.0, 30.225709797294),
            ("2013-03-01", 27.72, 27.98, 27.52, 27.95, 34849700.0, 24.684342419163),
        ),
    ],
)
def test_a_sample_is_stored_from_its_first_row_to_its_last(
    symbol: str, first: tuple[object, ...], last: tuple[object, ...]
) -> None:
    store = InMemoryBars()

    count = DataImporter(store).load(SAMPLES)

    bars = store.load(symbol, Timeframe.D1, instant(0), instant(2**62), history=0)
    rows = zip(bars.time, *bars.ohlcv, bars.adj_close if bars.adj_close is not None else (), strict=True)
    told = [(f"{instant(time):%Y-%m-%d}", *prices) for time, *prices in rows]
    assert count == 3 * 3270
    assert len(told) == 3270
    assert (told[0], told[-1]) == (first, last)
