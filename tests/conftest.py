"""What the tests share."""

import os
from collections.abc import Iterator

import pytest
import structlog

from backtesting.data_import import DataImporter, load_samples
from database.embedded.server import EmbeddedPostgres
from tests.fixtures.postgres import Database, copy_of, migrated, reachable_folder

SETTINGS = ("DATABASE_", "BACKTEST_", "EXECUTOR_", "PG")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """The suite takes a worker for each processor; files that are named are tested without starting any."""
    return 0 if all(".py" in argument for argument in config.args) else None


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(SETTINGS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BACKTEST_ENV_FILE", "")


@pytest.fixture(autouse=True)
def logging_unconfigured() -> Iterator[None]:
    """`tell` speaks through structlog once it is configured, which `capture_logs` leaves it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedPostgres]:
    with reachable_folder() as folder:
        server = EmbeddedPostgres(folder / "home")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            Database(server, "postgres").execute(f"alter system set {setting} = off")
        Database(server, "postgres").execute("select pg_reload_conf()")
        yield server
        server.close()


@pytest.fixture(scope="session")
def template(embedded: EmbeddedPostgres) -> Database:
    database = migrated(embedded)
    stores = database.stores()
    load_samples(DataImporter(stores.bars, stores.importing), stored=())
    stores.close()
    return database


@pytest.fixture
def database(template: Database) -> Database:
    """A database with our schema and the sample bars, this test's alone."""
    return copy_of(template)
