"""Who may do what, on a PostgreSQL of its own: roles belong to a whole cluster."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from backtesting.data_import import DataImporter, load_samples
from backtesting.engine import BacktestEngine
from backtesting.errors import DatabaseUnavailableError
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import BacktestRequest
from config.database import ExternalPostgres, LazyEngine
from database import roles, schema
from database.embedded.server import EmbeddedPostgres
from database.stores import Stores
from tests.fixtures.postgres import Database, cache_folder, empty_database, reachable_folder

DESCRIPTIONS = [strategy.describe() for strategy in STRATEGIES]
REQUEST = BacktestRequest.model_validate(
    {"strategy_id": "buy_and_hold", "asset_symbol": "IBM", "start_date": "2005-01-03", "end_date": "2006-01-03",
     "initial_capital": 10_000.0, "parameters": {}}
)  # fmt: skip


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder / "home"


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[EmbeddedPostgres]:
    with closing(EmbeddedPostgres(home)) as server:
        Database(server, "postgres").execute("alter system set log_statement = 'all'")
        Database(server, "postgres").execute("select pg_reload_conf()")
        yield server


@pytest.fixture
def theirs(cluster: EmbeddedPostgres) -> Iterator[Database]:
    """A database of the login `keeper`, who may make roles, on a server where `clerk` is a plain login."""
    database = empty_database(cluster)
    for login, may in {"keeper": "createrole", "clerk": "nocreaterole"}.items():
        database.execute(f"create role {login} login {may} password '{cluster.password(login)}'")
    database.execute(f"alter database {database.name} owner to keeper")
    yield database
    server = Database(cluster, "postgres")
    for (name,) in server.execute("select datname from pg_database where datname like 'test%'"):
        server.execute(f"drop database {name} with (force)")
    for role in (roles.LOADER, roles.APP, roles.OWNER, "clerk", "keeper"):
        server.execute(f"drop role if exists {role}")


def address(database: Database, login: str) -> str:
    return database.url(login).render_as_string(hide_password=False)


def by_two_logins(database: Database) -> ExternalPostgres:
    return ExternalPostgres(address(database, "clerk"), address(database, "keeper"))


def stores_of(server: schema.Server) -> Stores:
    return Stores(server, lambda role: LazyEngine(partial(server.url, role), "local"), cache_folder())


def serves(server: schema.Server, *, upgrade: bool = True) -> str | None:
    """Open the stores, import, store a run, read it back; return what is wrong with the rights."""
    with closing(stores_of(server)) as stores:
        stores.open(DESCRIPTIONS, upgrade=upgrade)
        load_samples(DataImporter(stores.bars, stores.importing), stored=())
        run = BacktestEngine(StrategyRegistry(STRATEGIES), stores.bars, stores.runs).run(REQUEST)
        assert stores.runs.get(run.id) == run
        return stores.rights()


def test_a_plain_login_serves_what_another_prepared_and_cannot_own_it(theirs: Database) -> None:
    assert serves(by_two_logins(theirs)) is None
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied to set role"):
        theirs.execute(f"set role {roles.OWNER}", role="clerk")


def test_one_login_may_prepare_and_serve(theirs: Database) -> None:
    assert serves(ExternalPostgres(address(theirs, "keeper"))) is None


def test_a_server_that_was_prepared_is_opened_without_its_administrator(theirs: Database) -> None:
    schema.upgrade(by_two_logins(theirs))

    assert serves(ExternalPostgres(address(theirs, "clerk")), upgrade=False) is None


def test_upgrading_again_gives_back_what_a_role_lost(theirs: Database) -> None:
    server = by_two_logins(theirs)
    schema.upgrade(server)
    theirs.execute(f"revoke {roles.APP} from clerk granted by keeper")

    assert schema.upgrade(server) is False
    assert serves(server, upgrade=False) is None


def test_roles_of_another_login_are_told_with_the_statement_an_administrator_has_to_run(theirs: Database) -> None:
    schema.upgrade(empty_database(theirs.embedded))
    with pytest.raises(DatabaseUnavailableError, match="keeper has no ADMIN OPTION") as told:
        schema.upgrade(by_two_logins(theirs))
    grants = re.search("`(grant .*?)`", str(told.value))

    assert grants
    theirs.execute(grants[1])
    assert serves(by_two_logins(theirs)) is None


def test_a_login_the_server_does_not_know_is_told(theirs: Database) -> None:
    server = ExternalPostgres("postgresql://nobody@h/d", address(theirs, "keeper"))

    with pytest.raises(DatabaseUnavailableError, match=r"DATABASE_URL names the login nobody.*create it"):
        schema.upgrade(server)


def test_a_login_that_may_make_nothing_is_told_what_an_upgrade_needs(theirs: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"permission denied to create role.*DATABASE_ADMIN_URL"):
        schema.upgrade(ExternalPostgres(address(theirs, "clerk")))


def test_an_old_postgresql_is_refused(theirs: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "OLDEST_MAJOR", 99)

    with pytest.raises(DatabaseUnavailableError, match="is PostgreSQL 18, and 99 or newer is needed"):
        schema.upgrade(by_two_logins(theirs))


def test_databases_of_one_server_are_prepared_at_the_same_time(theirs: Database) -> None:
    databases = [empty_database(theirs.embedded) for _ in range(4)]

    with ThreadPoolExecutor(len(databases)) as threads:
        assert list(threads.map(schema.upgrade, databases)) == [True] * len(databases)


def test_no_password_is_part_of_a_statement(theirs: Database, home: Path) -> None:
    schema.upgrade(empty_database(theirs.embedded))

    statements = (home / "pg18/postgres.log").read_text()
    assert f'alter role "{roles.APP}" login password' in statements
    assert theirs.embedded.password(roles.APP) not in statements


@pytest.mark.parametrize(
    ("slip", "fault"),
    [
        ("alter table app.backtest_trades no force row level security", "not forced on app.backtest_trades"),
        ("alter table app.backtest_runs disable row level security", "not forced on app.backtest_runs"),
        ("grant insert on market.market_data to bt_app", "bt_app, which may write market data"),
        ("grant delete on market.assets to bt_app", "bt_app, which may write market data"),
        ("grant update on app.backtest_results to bt_app", "bt_app, which may change stored runs"),
    ],
)
def test_a_right_too_many_is_named(database: Database, slip: str, fault: str) -> None:
    with closing(database.stores()) as stores:
        assert stores.rights() is None

        database.execute(slip)

        assert fault in (stores.rights() or "")


def test_a_role_above_row_security_is_named(database: Database) -> None:
    engine = sa.create_engine(database.admin_url(), poolclass=sa.NullPool)

    with engine.connect() as connection:
        assert (
            roles.rights(connection, may_own=True) == "the server works as postgres, which row security does not bind"
        )


def test_a_serving_login_that_may_become_the_owner_is_named(theirs: Database) -> None:
    schema.upgrade(by_two_logins(theirs))

    theirs.execute(f"grant {roles.OWNER} to clerk")

    assert serves(by_two_logins(theirs)) == "the login clerk may become bt_owner: revoke bt_owner from it"
