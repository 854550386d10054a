"""The schema on a real PostgreSQL: how it is made, checked, refused, and who may do what in it."""

import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from backtesting.errors import SchemaVersionError
from backtesting.strategies import STRATEGIES
from config.database import LazyEngine
from database import roles, schema
from database.embedded.server import EmbeddedPostgres
from database.models import metadata
from database.stores import Stores
from tests.fixtures.postgres import Database, cache_folder, empty_database, reachable_folder

TABLES = {"assets", "market_data", "trading_strategies", "backtest_runs", "backtest_results", "backtest_trades"}
TABLES |= {"series", "imports", "jobs", "job_chunks", "trials"}


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    engine = sa.create_engine(database.admin_url(), poolclass=sa.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_schemas": True, "version_table_schema": "app"})

        differences = compare_metadata(context, metadata)

    assert differences == []
    assert {table.name for table in metadata.tables.values()} == TABLES


def test_the_program_knows_every_revision_there_is() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))

    revisions = [revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()]

    assert tuple(reversed(revisions)) == schema.REVISIONS


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    assert schema.upgrade(database) is False


def test_upgrades_at_the_same_time_all_succeed_and_one_does_the_work(embedded: EmbeddedPostgres) -> None:
    database = empty_database(embedded)
    outcomes: list[bool] = []

    threads = [threading.Thread(target=lambda: outcomes.append(schema.upgrade(database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False, False, False, True]


def test_a_database_without_schema_is_refused_with_the_command_to_run(embedded: EmbeddedPostgres) -> None:
    database = empty_database(embedded)

    with pytest.raises(SchemaVersionError, match=r"has no schema of ours yet: run `python main.py db upgrade`"):
        database.stores()


def test_an_older_schema_is_refused_with_the_command_to_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9999"))

    with pytest.raises(SchemaVersionError, match=r"older schema: run `python main.py db upgrade`"):
        database.stores()


@pytest.mark.parametrize("open_", [lambda database: database.stores(), schema.upgrade])
def test_a_newer_schema_is_refused_with_the_advice_to_update(database: Database, open_: object) -> None:
    database.execute("update app.alembic_version set version_num = '9999'")

    with pytest.raises(SchemaVersionError, match="update this program"):
        open_(database)  # type: ignore[operator]


@pytest.mark.parametrize(
    "statement",
    [
        "update app.backtest_runs set asset = 'X'",
        "delete from app.backtest_runs",
        "update app.backtest_results set final_capital = 0",
        "delete from app.backtest_results",
        "update app.backtest_trades set pnl = 0",
        "delete from app.backtest_trades",
        "delete from app.trading_strategies",
        "update app.alembic_version set version_num = '9999'",
        "update market.market_data set volume = 0",
        "insert into market.assets (symbol, name, asset_class, currency) values ('X', 'X', 'equity', 'USD')",
        "delete from market.market_data",
        "truncate market.market_data",
        "drop table market.assets",
        "create table app.mine (a int)",
        "create table market.mine (a int)",
        "create role friend",
        "alter table app.backtest_runs disable row level security",
        "drop policy own_rows on app.backtest_runs",
    ],
)
def test_the_server_may_not(database: Database, statement: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"):
        database.execute(statement, role=roles.APP)


@pytest.mark.parametrize(
    "table", ["backtest_runs", "backtest_results", "backtest_trades", "trading_strategies", "alembic_version"]
)
def test_the_loader_sees_nothing_but_market_data(database: Database, table: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        database.execute(f"select * from app.{table}", role=roles.LOADER)


@pytest.mark.parametrize("table", ["backtest_runs", "backtest_results", "backtest_trades"])
def test_row_security_is_forced_on_every_table_of_runs(database: Database, table: str) -> None:
    query = f"select relrowsecurity and relforcerowsecurity from pg_class where oid = 'app.{table}'::regclass"

    assert database.execute(query)[0][0] is True


def test_a_connection_without_a_user_sees_and_writes_no_run(database: Database) -> None:
    assert database.execute("select count(*) from app.backtest_runs", role=roles.APP)[0][0] == 0
    with pytest.raises(sa.exc.DBAPIError, match=r"app\.user_id"):
        database.execute(
            "insert into app.backtest_runs (id, strategy_id, asset, timeframe, start_date, end_date, initial_capital,"
            " parameters, costs, fill, request, status, created_at) values ('bt-0', 'rsi', 'IBM', '1d', '2001-01-01',"
            " '2001-01-02', 1, '{}', '{}', 'next_open', '{}', 'running', now())",
            role=roles.APP,
        )


@pytest.mark.parametrize(
    "bar",
    [
        "0, 1, 0, 1, 1",
        "'NaN', 'NaN', 'NaN', 'NaN', 1",
        "1, 'Infinity', 1, 1, 1",
        "2, 1, 1, 1, 1",
        "1, 2, 1.5, 1, 1",
        "1, 1, 1, 1, -1",
        "1, 1, 1.0000000011, 1, 1",
        "1, 0.9999999989, 0.5, 1, 1",
    ],
)
def test_the_table_of_bars_takes_no_inconsistent_bar(database: Database, bar: str) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="consistent"):
        database.execute(
            "insert into market.market_data (asset_id, tf, ts, open, high, low, close, volume)"
            f" select id, 1440, now(), {bar} from market.assets limit 1"
        )


@pytest.mark.parametrize("bar", ["1, 1, 1.0000000005, 1, 1", "1, 0.9999999995, 0.5, 1, 1"])
def test_the_table_of_bars_takes_what_only_rounding_put_past_open_and_close(database: Database, bar: str) -> None:
    stored = database.execute(
        "insert into market.market_data (asset_id, tf, ts, open, high, low, close, volume)"
        f" select id, 1440, now(), {bar} from market.assets limit 1 returning true"
    )

    assert len(stored) == 1


@dataclass(frozen=True)
class Ours(Database):
    """A database that is upgraded unasked."""

    is_ours: bool = True


class WithoutSuperuser(Ours):
    def admin_url(self) -> sa.URL:
        raise AssertionError("the superuser was asked for")


def opened(server: schema.Server) -> Stores:
    stores = Stores(server, lambda role: LazyEngine(partial(server.url, role), "local"), cache_folder())
    stores.open([strategy.describe() for strategy in STRATEGIES], upgrade=False)
    return stores


def test_opening_a_current_database_of_ours_needs_no_superuser(database: Database) -> None:
    with closing(opened(WithoutSuperuser(database.embedded, database.name))) as stores:
        assert stores.rights() is None


def test_a_database_of_ours_without_schema_is_upgraded_unasked(embedded: EmbeddedPostgres) -> None:
    with closing(opened(Ours(embedded, empty_database(embedded).name))) as stores:
        assert stores.rights() is None


def test_lost_passwords_are_replaced_at_the_next_start() -> None:
    with reachable_folder() as folder:
        opened(EmbeddedPostgres(folder / "home")).close()

        for role in (roles.APP, roles.LOADER):
            (folder / f"home/{role}.secret").unlink()
            opened(EmbeddedPostgres(folder / "home")).close()


def test_looking_at_the_schema_does_not_import_alembic() -> None:
    look = "import sys, database.stores, database.schema; sys.exit('alembic' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", look], cwd=Path(__file__).parent.parent, check=False)

    assert done.returncode == 0
