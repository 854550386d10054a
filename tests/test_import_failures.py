"""Whatever happens in the middle of an import, what was stored before is there, and the next one works."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from backtesting.errors import DatabaseUnavailableError
from backtesting.types import Asset, AssetClass, Bars, Stored, Timeframe
from config.database import LazyEngine
from database import roles
from database.embedded.server import EmbeddedPostgres
from database.repository.bars import SqlBarStore
from database.stores import Stores
from tests.fixtures.in_memory import no_record
from tests.fixtures.postgres import Database, migrated, reachable_folder
from tests.fixtures.series import sample_bars

PROJECT = Path(__file__).parents[1]
DAY = Timeframe.D1
IBM = Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS")
FRESH = Asset("FRESH", "fresh", AssetClass.UNKNOWN, "USD")
SUM = "select count(*), sum(close), (select count(*) from market.imports) from market.market_data"
TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and {}"
IMPORTING, READING = "usename = 'bt_loader'", "usename = 'bt_app' and state = 'active' and query ~ 'array_agg'"
FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def dearer() -> Bars:
    """Return the bars of IBM, each price twice as high."""
    raw = sample_bars("ibm")
    return Bars(raw.time, *(column * 2 for column in raw.ohlcv))


def interrupted(bars: Bars, interrupt: Callable[[], object]) -> Iterator[Bars]:
    """Return the bars in two parts, and do something between them."""
    yield bars[:2000]
    interrupt()
    yield bars[2000:]


@pytest.mark.parametrize("asset", [IBM, FRESH], ids=["into a series", "into an empty one"])
def test_a_database_that_is_gone_in_the_middle_is_told_and_leaves_what_was_before(
    database: Database, asset: Asset
) -> None:
    before = database.execute(SUM)

    with closing(database.stores()) as stores:
        with pytest.raises(DatabaseUnavailableError, match="try again"):
            stores.importing.store(
                asset, DAY, interrupted(dearer(), lambda: database.execute(TERMINATE.format(IMPORTING))), no_record
            )

        assert database.execute(SUM) == before
        assert stores.importing.store(asset, DAY, [dearer()], no_record) in (Stored(0, 3270), Stored(3270, 0))


def test_a_read_that_loses_its_connection_is_done_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("database.repository.snapshot.WINDOW", 20)
    (tmp_path / "file").write_text("no cache here", encoding="utf-8")
    stores = Stores(database, lambda role: LazyEngine(lambda: database.url(role), "local"), tmp_path / "file" / "cache")

    def break_one() -> None:
        while not any(row[0] for row in database.execute(TERMINATE.format(READING))):
            """Look again until a read is under way."""

    with closing(stores), ThreadPoolExecutor(1) as thread:
        breaking = thread.submit(break_one)
        while not breaking.done():
            found = stores.bars.load("IBM", DAY, FIRST, LAST, 0)

            assert found.close.tolist() == sample_bars("ibm").close.tolist()
        breaking.result()


def test_two_imports_of_one_symbol_at_once_take_turns(database: Database) -> None:
    begun = Event()

    def first(store: SqlBarStore) -> Stored:
        def wait_for_the_second() -> None:
            begun.set()
            while not database.execute(WAITING)[0][0]:
                """The second import waits for this one's lock in a moment."""

        return store.store(FRESH, DAY, interrupted(dearer(), wait_for_the_second), no_record)

    with closing(database.stores()) as one, closing(database.stores()) as other, ThreadPoolExecutor(1) as thread:
        under_way = thread.submit(first, one.importing)
        begun.wait()
        second = other.importing.store(FRESH, DAY, [sample_bars("ibm")], no_record)

        assert under_way.result() == Stored(inserted=3270, updated=0)
        assert second == Stored(inserted=0, updated=3270)
        assert one.bars.load("FRESH", DAY, FIRST, LAST, 0).close.tolist() == sample_bars("ibm").close.tolist()


def test_two_imports_of_different_symbols_do_not_wait_for_each_other(database: Database) -> None:
    with closing(database.stores()) as one, closing(database.stores()) as other:
        other_done: list[Stored] = []

        def import_another() -> None:
            other_done.append(other.importing.store(IBM, DAY, [dearer()], no_record))

        stored = one.importing.store(FRESH, DAY, interrupted(dearer(), import_another), no_record)

    assert stored == Stored(inserted=3270, updated=0)
    assert other_done == [Stored(inserted=0, updated=3270)]


IMPORT_AND_HANG = """
import sys
from pathlib import Path
from threading import Event
from config.database import LazyEngine
from database.stores import Stores
from tests.test_import_failures import FRESH, IBM, DAY, dearer, interrupted
from tests.fixtures.in_memory import no_record

class Served:
    place, is_ours, login = "a child", False, None

def hang():
    print("half", flush=True)
    Event().wait()

stores = Stores(Served(), lambda role: LazyEngine(lambda: sys.argv[1], "local"), Path(sys.argv[2]))
asset = {"IBM": IBM, "FRESH": FRESH}[sys.argv[3]]
stores.importing.store(asset, DAY, interrupted(dearer(), hang), no_record)
"""


@pytest.mark.parametrize("asset", [IBM, FRESH], ids=["into a series", "into an empty one"])
def test_a_killed_import_leaves_what_was_before(database: Database, asset: Asset, tmp_path: Path) -> None:
    before = database.execute(SUM)
    url = database.url(roles.LOADER).render_as_string(hide_password=False)
    script = IMPORT_AND_HANG.replace("lambda: sys.argv[1]", "lambda: make_url(sys.argv[1])")
    arguments = ["-c", f"from sqlalchemy import make_url{script}", url, str(tmp_path), asset.symbol]

    with subprocess.Popen([sys.executable, *arguments], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "half\n"
        child.kill()

    with closing(database.stores()) as stores:
        assert database.execute(SUM) == before
        # This one waits until PostgreSQL has noticed, for the killed one's lock is the same.
        assert stores.importing.store(asset, DAY, [dearer()], no_record) in (Stored(0, 3270), Stored(3270, 0))


def test_a_full_disk_is_told_and_leaves_what_was_before(database: Database) -> None:
    raised = "raise exception using errcode = ''53100'', message = ''could not extend file: No space left on device''"
    database.execute(f"create function full_disk() returns trigger language plpgsql as 'begin {raised}; end'")
    database.execute("create trigger full_disk before insert on market.market_data for each row"
                     " when (new.ts > '2010-01-01') execute function full_disk()")  # fmt: skip
    before = database.execute(SUM)

    with closing(database.stores()) as stores:
        with pytest.raises(DatabaseUnavailableError, match="No space left on device"):
            stores.importing.store(FRESH, DAY, [dearer()], no_record)

        assert database.execute(SUM) == before
        assert stores.bars.load("IBM", DAY, FIRST, LAST, 0).close.tolist() == sample_bars("ibm").close.tolist()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_runs_full_is_told_and_leaves_what_was_before() -> None:
    with small_disk(megabytes=160) as disk, closing(EmbeddedPostgres(disk / "home")) as embedded:
        database = migrated(embedded)
        with closing(database.stores()) as stores:
            stores.importing.store(IBM, DAY, [sample_bars("ibm")], no_record)
            before = database.execute(SUM)

            with pytest.raises(DatabaseUnavailableError):
                stores.importing.store(FRESH, Timeframe.M1, many_bars(), no_record)

            subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
            assert database.execute(SUM) == before
            assert stores.importing.store(FRESH, DAY, [dearer()], no_record) == Stored(3270, 0)


def many_bars() -> Iterator[Bars]:
    """Return two million bars, some 230 MB as PostgreSQL keeps them."""
    close = np.full(100_000, 1.0)
    for part in range(20):
        time = 60_000_000_000 * (np.arange(100_000, dtype=np.int64) + part * 100_000)
        yield Bars(time, close, close, close, close, close)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system in memory that holds so much and no more."""
    with reachable_folder() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting is not permitted here")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
