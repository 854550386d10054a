"""What lies at a path is imported file by file, and somebody may watch."""

import io
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from backtesting.data_import import DataImporter
from backtesting.file_import import import_files
from backtesting.types import ImportRequest, Progress
from tests.fixtures.in_memory import InMemoryBars
from tests.fixtures.postgres import Database
from tests.fixtures.price_files import gzipped, zipped

ROWS = 700_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def frame() -> pd.DataFrame:
    time = pd.date_range("2020-01-01", periods=ROWS, freq="min", tz="UTC")
    return pd.DataFrame({"time": time, "open": 100.25, "high": 101.75, "low": 99.125, "close": 100.5, "volume": 7.0})


def parquet() -> bytes:
    buffer = io.BytesIO()
    frame().to_parquet(buffer, row_group_size=100_000)
    return buffer.getvalue()


def feather() -> bytes:
    buffer = io.BytesIO()
    frame().to_feather(buffer, chunksize=100_000)
    return buffer.getvalue()


def csv(rows: int = ROWS) -> bytes:
    line = ",100.25,101.75,99.125,100.5,1234567.125\n"
    stamps = range(1_577_836_800, 1_577_836_800 + 60 * rows, 60)
    return f"time,open,high,low,close,volume\n{line.join(map(str, stamps))}{line}".encode()


WRITTEN: dict[str, Callable[[], bytes]] = {
    "BTCUSDT.csv": csv,
    "BTCUSDT.csv.gz": lambda: gzipped(csv()),
    "BTCUSDT.zip": lambda: zipped({"BTCUSDT.csv": csv()}),
    "BTCUSDT.parquet": parquet,
    "BTCUSDT.feather": feather,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_part_that_is_read_rises_to_the_whole(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(WRITTEN[name]())
    twin, seen = InMemoryBars(), list[Progress]()

    list(import_files(DataImporter(twin, twin), ImportRequest(path=tmp_path / name, dry_run=True), watch=seen.append))

    shares = [each.done for each in seen]
    assert shares[0] == 0 and shares[-1] > 0.99
    assert len(set(shares)) > 2
    assert all(before <= after for before, after in pairwise(shares)) and shares[-1] <= 1
    assert seen[-1].rows == ROWS and seen[-1].total == 1


def test_files_of_a_folder_are_counted(tmp_path: Path) -> None:
    for name in ("A", "B"):
        (tmp_path / f"{name}{name}.csv").write_bytes(csv(10))
    twin, seen = InMemoryBars(), list[Progress]()

    outcomes = list(import_files(DataImporter(twin, twin), ImportRequest(path=tmp_path), watch=seen.append))

    assert [each.source for each in outcomes] == ["AA.csv", "BB.csv"]
    assert [(each.source, each.done, each.total) for each in seen] == [
        ("AA.csv", 0.0, 2), ("AA.csv", 1.0, 2), ("BB.csv", 1.0, 2), ("BB.csv", 2.0, 2),
    ]  # fmt: skip


def test_only_the_admitted_files_of_a_folder_are_imported(tmp_path: Path) -> None:
    for name in ("AA.csv", "BB.csv"):
        (tmp_path / name).write_bytes(csv(10))
    twin = InMemoryBars()

    list(import_files(DataImporter(twin, twin), ImportRequest(path=tmp_path), admitted=lambda path: path.stem == "BB"))

    assert twin.symbols() == ["BB"]


def test_what_a_watcher_raises_undoes_the_file_under_way(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backtesting.data_import.LARGEST_WHOLE", 1000)
    (tmp_path / "BTCUSDT.csv").write_bytes(csv())

    def interrupt(progress: Progress) -> None:
        if progress.done > 0.9:
            raise KeyboardInterrupt

    with closing(database.stores()) as stores:
        importer = DataImporter(stores.bars, stores.importing, lambda: NOW)
        with pytest.raises(KeyboardInterrupt):
            list(import_files(importer, ImportRequest(path=tmp_path), watch=interrupt))

        assert "BTCUSDT" not in stores.bars.symbols()
        assert database.execute("select count(*) from market.imports")[0][0] == 3
