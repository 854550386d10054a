"""The schema on a real PostgreSQL: how it is made, checked, refused, and who may do what in it."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from backtesting.errors import DatabaseUnavailableError, SchemaVersionError
from config.database import ExternalPostgres
from database import schema
from database.embedded.server import EmbeddedPostgres
from database.models import metadata
from tests.fixtures.postgres import Database, empty_database

TABLES = {"assets", "market_data", "trading_strategies", "backtest_runs", "backtest_results", "backtest_trades"}


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
        database.execute(statement, role=schema.APP)


@pytest.mark.parametrize("table", ["backtest_runs", "backtest_results", "backtest_trades"])
def test_the_loader_sees_no_runs(database: Database, table: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        database.execute(f"select * from app.{table}", role=schema.LOADER)


@pytest.mark.parametrize("table", ["backtest_runs", "backtest_results", "backtest_trades"])
def test_row_security_is_forced_on_every_table_of_runs(database: Database, table: str) -> None:
    query = f"select relrowsecurity and relforcerowsecurity from pg_class where oid = 'app.{table}'::regclass"

    assert database.execute(query)[0][0] is True


def test_a_connection_without_a_user_sees_and_writes_no_run(database: Database) -> None:
    assert database.execute("select count(*) from app.backtest_runs", role=schema.APP)[0][0] == 0
    with pytest.raises(sa.exc.DBAPIError, match=r"app\.user_id"):
        database.execute(
            "insert into app.backtest_runs (id, strategy_id, asset, timeframe, start_date, end_date, initial_capital,"
            " parameters, costs, fill, request, status, created_at) values ('bt-0', 'rsi', 'IBM', '1d', '2001-01-01',"
            " '2001-01-02', 1, '{}', '{}', 'next_open', '{}', 'running', now())",
            role=schema.APP,
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
    ],
)
def test_the_table_of_bars_takes_no_inconsistent_bar(database: Database, bar: str) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="consistent"):
        database.execute(
            "insert into market.market_data (asset_id, tf, ts, open, high, low, close, volume)"
            f" select id, 1440, now(), {bar} from market.assets limit 1"
        )


def test_the_users_own_server_is_prepared_and_worked_under_one_login(embedded: EmbeddedPostgres) -> None:
    name = empty_database(embedded).name
    login = embedded.url("postgres").set(database=name)
    server = ExternalPostgres(login.render_as_string(hide_password=False))

    schema.upgrade(server)

    engine = sa.create_engine(server.url(schema.APP), poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("select current_user")) == schema.APP
        assert schema.state(connection) is schema.State.CURRENT


def test_a_login_without_rights_is_told_what_an_upgrade_needs(embedded: EmbeddedPostgres) -> None:
    database = empty_database(embedded)
    database.execute(f"do $$ begin create role plain login password '{embedded.password('plain')}'; end $$")
    database.execute(f"grant connect on database {database.name} to plain")
    server = ExternalPostgres(database.url("plain").render_as_string(hide_password=False))

    with pytest.raises(DatabaseUnavailableError, match="DATABASE_ADMIN_URL"):
        schema.upgrade(server)


def test_looking_at_the_schema_does_not_import_alembic() -> None:
    look = "import sys, database.stores, database.schema; sys.exit('alembic' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", look], cwd=Path(__file__).parent.parent, check=False)

    assert done.returncode == 0
