"""Files go in through one gate: read, inspected, stored whole or not at all."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backtesting.data_import import LARGEST_WHOLE, DataImporter, RefusedImportError, load_samples, whole_or_parts
from backtesting.data_sources import SAMPLES
from backtesting.price_files import Hints, PriceFile, UnreadableFileError
from backtesting.types import Asset, AssetClass, PriceRows, Stored, Timeframe, instant
from tests.fixtures.in_memory import InMemoryBars

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume"
DAYS = [
    "2024-01-02,10,12,9,11,5.5,1000",
    "2024-01-03,11,13,10,12,6,1100",
    "2024-01-04,12,14,11,13,6.5,1200",
    "2024-01-05,13,15,12,14,7,1300",
]


@pytest.fixture
def bars() -> InMemoryBars:
    return InMemoryBars()


@pytest.fixture
def importer(bars: InMemoryBars) -> DataImporter:
    return DataImporter(bars, bars, now=lambda: NOW)


def written(folder: Path, *lines: str, name: str = "ACME.csv") -> PriceFile:
    path = folder / name
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return PriceFile(path)


def test_a_file_is_stored_under_the_symbol_of_its_name(
    importer: DataImporter, bars: InMemoryBars, tmp_path: Path
) -> None:
    done = importer.run(written(tmp_path, *DAYS))

    assert done.stored == Stored(inserted=4, updated=0)
    assert done.asset.asset.symbol == "ACME" and done.asset.reasons
    (span,) = bars.coverage("ACME")
    assert (span.timeframe, span.first.date().isoformat(), span.last.date().isoformat()) == (
        Timeframe.D1, "2024-01-02", "2024-01-05",
    )  # fmt: skip


def test_the_history_says_what_was_read_and_found(importer: DataImporter, bars: InMemoryBars, tmp_path: Path) -> None:
    file = written(tmp_path, *DAYS)

    importer.run(file)

    (record,) = bars.history
    assert record.source == "ACME.csv"
    assert record.content_hash == hashlib.sha256((tmp_path / "ACME.csv").read_bytes()).hexdigest()
    assert record.imported_at == NOW
    assert (record.report["rows_read"], record.report["rows_kept"]) == (4, 4)


def test_the_same_file_again_changes_nothing(importer: DataImporter, tmp_path: Path) -> None:
    importer.run(written(tmp_path, *DAYS))

    assert importer.run(written(tmp_path, *DAYS)).stored == Stored(inserted=0, updated=0)


def test_a_corrected_file_replaces_its_rows(importer: DataImporter, bars: InMemoryBars, tmp_path: Path) -> None:
    importer.run(written(tmp_path, *DAYS))

    done = importer.run(
        written(tmp_path, *DAYS[:3], "2024-01-05,13,15,12,14.5,7.25,1300", "2024-01-08,14,16,13,15,7.5,1")
    )

    assert done.stored == Stored(inserted=1, updated=1)
    assert bars.load("ACME", Timeframe.D1, datetime(2024, 1, 5, tzinfo=UTC), NOW, 0).close.tolist() == [14.5, 15.0]


def test_a_dry_run_says_the_same_and_stores_nothing(importer: DataImporter, bars: InMemoryBars, tmp_path: Path) -> None:
    file = written(tmp_path, *DAYS)

    dry = importer.run(file, dry_run=True)

    assert dry.stored is None and bars.symbols() == []
    assert dry.report == importer.run(written(tmp_path, *DAYS)).report


def test_a_row_that_cannot_be_is_left_out_and_named(importer: DataImporter, tmp_path: Path) -> None:
    good = [f"2023-{month:02}-{day:02},10,12,9,11,5.5,1000" for month in (5, 6) for day in range(1, 29)]

    done = importer.run(written(tmp_path, *good, "2023-07-03,10,9,9,11,5.5,1000", name="BTCUSDT.csv"))

    assert done.report.quarantined == 1
    (finding,) = [each for each in done.report.findings if each.lines == (len(good) + 2,)]
    assert finding.count == 1


def test_rows_that_contradict_each_other_refuse_the_file(
    importer: DataImporter, bars: InMemoryBars, tmp_path: Path
) -> None:
    with pytest.raises(RefusedImportError, match=r"ACME\.csv: conflicting_duplicates: .*line 3.*Nothing was stored"):
        importer.run(written(tmp_path, DAYS[0], "2024-01-02,10,12,9,11.5,5.5,1000", *DAYS[1:]))

    assert bars.symbols() == [] and bars.history == []


def test_a_file_without_a_symbol_asks_for_one(importer: DataImporter, tmp_path: Path) -> None:
    with pytest.raises(RefusedImportError, match="name it"):
        importer.run(written(tmp_path, *DAYS, name="prices 1.csv"))


def test_a_file_that_cannot_be_read_stores_nothing(importer: DataImporter, bars: InMemoryBars, tmp_path: Path) -> None:
    path = tmp_path / "ACME.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))

    with pytest.raises(UnreadableFileError):
        importer.run(PriceFile(path))

    assert bars.symbols() == []


def test_a_stored_asset_keeps_what_is_known_of_it(importer: DataImporter, bars: InMemoryBars, tmp_path: Path) -> None:
    known = Asset("ACME", "Acme Corporation", AssetClass.ETF, "EUR", "XETR")
    importer.run(written(tmp_path, *DAYS), asset=known)

    again = importer.run(written(tmp_path, *DAYS))

    assert again.asset.asset == known == bars.asset("ACME")


def test_a_file_under_another_spelling_goes_to_the_stored_asset_and_says_so(
    importer: DataImporter, bars: InMemoryBars, tmp_path: Path
) -> None:
    importer.run(written(tmp_path, *DAYS, name="BTC-USD.csv"))

    done = importer.run(written(tmp_path, *DAYS, name="BTCUSD.csv"))

    assert bars.symbols() == ["BTC-USD"] and done.stored == Stored(inserted=0, updated=0)
    assert done.asset.reasons == ("it is stored already as BTC-USD, which is another spelling of it",)


def test_the_samples_are_imported_once(importer: DataImporter, bars: InMemoryBars) -> None:
    load_samples(importer, stored=())
    load_samples(importer, stored=bars.symbols())

    assert bars.symbols() == ["AAPL", "IBM", "MSFT"]
    assert [record.report["rows_kept"] for record in bars.history] == [3270] * 3
    assert [bars.asset(each.asset.symbol) for each in SAMPLES] == [each.asset for each in SAMPLES]


def test_a_sample_comes_out_as_it_stands_in_its_file(importer: DataImporter, bars: InMemoryBars) -> None:
    load_samples(importer, stored=())

    stored = bars.load("AAPL", Timeframe.D1, datetime(2000, 1, 1, tzinfo=UTC), NOW, 0)
    first, last = (
        (f"{instant(stored.time[at]):%Y-%m-%d}", *(float(column[at]) for column in stored.ohlcv)) for at in (0, -1)
    )
    assert first == ("2000-03-01", 118.56, 132.06, 118.5, 130.31, 9616100.0)
    assert last == ("2013-03-01", 438.0, 438.1799, 429.98, 430.47, 19730300.0)


class Chunks(PriceFile):
    """A file of as many rows as asked for, ten at a time."""

    def __init__(self, rows: int, size: int) -> None:
        super().__init__(Path("X.csv"), Hints())
        self._rows, self._size = rows, size

    def chunks(self, rows: int = 0) -> Iterator[PriceRows]:  # noqa: ARG002 - the reader's signature
        whole = next(PriceFile(SAMPLES[0].path).chunks())
        for _ in range(0, self._rows, self._size):
            yield PriceRows(
                *(
                    getattr(whole, name)[: self._size]
                    for name in PriceRows.__dataclass_fields__
                    if getattr(whole, name) is not None
                )
            )


@pytest.mark.parametrize(("rows", "parts"), [(3000, [3000]), (LARGEST_WHOLE + 1, [3000] * (LARGEST_WHOLE // 3000 + 1))])
def test_a_file_is_taken_whole_up_to_a_size_and_in_parts_beyond(rows: int, parts: list[int]) -> None:
    assert [len(part) for part in whole_or_parts(Chunks(rows, 3000))] == parts
