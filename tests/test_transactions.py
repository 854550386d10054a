"""What a unit of work meets when the database does not do as it is told."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from backtesting.errors import DatabaseUnavailableError
from backtesting.types import Stored, Timeframe
from config.database import POOL, ExternalPostgres, LazyEngine, parse_url, with_option
from database import roles
from database.stores import Stores
from database.transactions import Transactions
from tests.fixtures.in_memory import no_record
from tests.fixtures.postgres import Database, cache_folder
from tests.fixtures.series import sample_bars

ONE = sa.text("select 1")
NOTE = sa.text("insert into app.trading_strategies values ('note', 'a', 'a', 'benchmark', '{}', '{}', true)")
NOTES = sa.text("select count(*) from app.trading_strategies where id = 'note'")


@pytest.fixture
def pool(database: Database) -> Iterator[LazyEngine]:
    pool = LazyEngine(lambda: database.url(roles.APP), "local")
    yield pool
    pool.close()


@pytest.fixture
def transactions(pool: LazyEngine) -> Transactions:
    return Transactions(pool)


def end_connections(database: Database) -> None:
    database.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database.name}'"
                     " and pid <> pg_backend_pid()")  # fmt: skip


def test_a_connection_lost_while_idle_is_not_noticed(database: Database, transactions: Transactions) -> None:
    transactions.run(lambda connection: connection.scalar(ONE))

    end_connections(database)

    assert transactions.run(lambda connection: connection.scalar(ONE)) == 1


def test_work_whose_connection_is_lost_is_done_again_whole(database: Database, transactions: Transactions) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> int:
        connection.execute(ONE)
        attempts.append(len(attempts))
        if len(attempts) == 1:
            end_connections(database)
        return int(connection.scalar(ONE) or 0)

    assert transactions.run(work) == 1
    assert attempts == [0, 1]


def test_work_that_never_succeeds_is_given_up_after_three_attempts(
    database: Database, transactions: Transactions
) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        end_connections(database)
        connection.execute(ONE)

    with pytest.raises(DatabaseUnavailableError, match="stored whole or not at all, and can be repeated"):
        transactions.run(work)

    assert attempts == [0, 1, 2]


def test_a_statement_alone_is_repeated_on_another_connection_too(
    database: Database, transactions: Transactions
) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> int:
        attempts.append(len(attempts))
        if len(attempts) == 1:
            end_connections(database)
        return int(connection.scalar(ONE) or 0)

    assert transactions.alone(work) == 1
    assert attempts == [0, 1]


def test_a_statement_alone_that_never_succeeds_is_given_up_after_three_attempts(
    database: Database, transactions: Transactions
) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        end_connections(database)
        connection.execute(ONE)

    with pytest.raises(DatabaseUnavailableError, match="try again"):
        transactions.alone(work)

    assert attempts == [0, 1, 2]


def test_only_what_is_run_together_has_a_transaction_around_it(transactions: Transactions) -> None:
    def times(connection: Connection) -> int:
        return len({connection.scalar(sa.text("select now()")) for _ in range(2)})  # when the transaction began

    assert (transactions.run(times), transactions.alone(times)) == (1, 2)


def test_a_connection_comes_back_from_a_statement_alone_as_it_was(transactions: Transactions) -> None:
    user = sa.text("select current_setting('app.user_id')")

    alone = transactions.alone(lambda connection: connection.scalar(user))

    assert alone == transactions.run(lambda connection: connection.scalar(user)) == "local"
    with pytest.raises(ZeroDivisionError):
        transactions.run(lambda connection: connection.execute(NOTE) and 1 / 0)
    assert transactions.alone(lambda connection: connection.scalar(NOTES)) == 0


def test_a_statement_alone_joins_a_rehearsal_and_is_undone_with_it(transactions: Transactions) -> None:
    def work(joined: Transactions) -> int:
        joined.run(lambda connection: connection.execute(NOTE))
        return int(joined.alone(lambda connection: connection.scalar(NOTES)) or 0)

    assert transactions.rehearse(work) == 1
    assert transactions.alone(lambda connection: connection.scalar(NOTES)) == 0


def test_work_that_cannot_be_done_twice_is_done_once(database: Database, transactions: Transactions) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        end_connections(database)
        connection.execute(ONE)

    with pytest.raises(DatabaseUnavailableError, match="stored whole or not at all"):
        transactions.once(work)

    assert attempts == [0]


def test_every_connection_asks_where_the_server_is(database: Database) -> None:
    asked: list[str] = []

    def open_url() -> sa.URL:
        asked.append(database.name)
        return database.url(roles.APP)

    with closing(LazyEngine(open_url, "local")) as pool:
        assert asked == []

        with pool().connect(), pool().connect():
            assert len(asked) == 2


def test_more_calls_than_connections_are_told_to_come_back(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.01}.items():
        monkeypatch.setitem(POOL, name, value)

    with (
        closing(LazyEngine(lambda: database.url(roles.APP), "local")) as pool,
        pool().connect(),
        pytest.raises(DatabaseUnavailableError, match="too many calls at once"),
    ):
        Transactions(pool).run(lambda connection: connection.scalar(ONE))


def test_only_work_that_may_take_long_has_no_time_limit(pool: LazyEngine) -> None:
    limit = sa.text("show statement_timeout")

    assert Transactions(pool, may_take_long=True).run(lambda connection: connection.scalar(limit)) == "0"
    assert Transactions(pool).run(lambda connection: connection.scalar(limit)) == "1min"


def test_an_import_has_no_time_limit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def pool(role: str) -> LazyEngine:
        monkeypatch.setattr("config.database.STATEMENT_SECONDS", 0.2 if role == roles.LOADER else 60)
        return LazyEngine(lambda: database.url(role), "local")

    database.execute(
        "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.5); return null; end'"
    )
    database.execute("create trigger slow before insert on market.market_data execute function slow()")

    with closing(Stores(database, pool, cache_folder())) as stores:
        stored = stores.importing.store(stores.bars.asset("IBM"), Timeframe.D1, [sample_bars("ibm")], no_record)

    assert stored == Stored(inserted=0, updated=0)


def test_a_broken_constraint_is_no_passing_failure(transactions: Transactions) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        connection.execute(
            sa.text(
                "insert into app.trading_strategies values ('a', 'a', 'a', 'a', '{}', '{}', true),"
                " ('a', 'a', 'a', 'a', '{}', '{}', true)"
            )
        )

    with pytest.raises(sa.exc.IntegrityError):
        transactions.run(work)

    assert attempts == [0]


def test_a_statement_that_takes_too_long_is_told_as_such(transactions: Transactions) -> None:
    def work(connection: Connection) -> None:
        connection.execute(sa.text("set local statement_timeout = 20"))
        connection.execute(sa.text("select pg_sleep(5)"))

    with pytest.raises(DatabaseUnavailableError, match="statement timeout"):
        transactions.run(work)


def test_a_wrong_password_is_told_once_and_not_shown(database: Database) -> None:
    url = database.url(roles.APP).set(password="wr0ng")  # noqa: S106 - a wrong one
    transactions = Transactions(LazyEngine(lambda: url, "local"))

    with pytest.raises(DatabaseUnavailableError, match="password authentication failed") as told:
        transactions.run(lambda connection: connection.scalar(ONE))

    assert "wr0ng" not in str(told.value)


def test_the_user_of_a_connection_survives_a_rollback(pool: LazyEngine) -> None:
    current = sa.text("select current_setting('app.user_id'), current_setting('timezone')")

    with pool().connect() as connection:
        connection.execute(ONE)
        connection.rollback()

        assert tuple(connection.execute(current).one()) == ("local", "UTC")


@pytest.mark.parametrize("user", ["o'brien", "back\\slash", "two words", "-c role=postgres"])
def test_a_user_may_be_called_anything(database: Database, user: str) -> None:
    pool = LazyEngine(lambda: database.url(roles.APP), user)

    with pool().connect() as connection:
        assert connection.scalar(sa.text("select current_setting('app.user_id')")) == user
    pool.close()


@pytest.mark.parametrize("text", ["postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"])
def test_every_spelling_of_a_postgresql_url_means_psycopg(text: str) -> None:
    assert parse_url(text).set(query={}).render_as_string(hide_password=False) == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize(
    "text",
    [
        "mysql://u:s3cret@h/d",
        "s3cret",
        "postgresql//u:s3cret@h",
        "",
        "postgresql://u@h:s3cret/d",
        "postgresql://u:s3cret@h:65536/d",
        "postgresql://u:p@s3cret@h/d",
        "postgresql://u:s3cret@h/d?pgbouncer=true",
    ],
)
def test_another_url_is_refused_by_the_name_of_its_setting_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^DATABASE_URL .*postgresql://") as told:
        parse_url(text)
    with pytest.raises(ValueError, match=r"^DATABASE_ADMIN_URL .*postgresql://"):
        ExternalPostgres("postgresql://u@h/d", text or "s3cret")

    assert "s3cret" not in str(told.value)
    assert told.value.__suppress_context__ or told.value.__context__ is None


@pytest.mark.parametrize("text", ["postgresql://u:p@h/d", "postgresql://h/d?user=u", "postgresql://x@h/d?user=u"])
def test_the_login_is_the_one_the_driver_would_take(text: str) -> None:
    assert ExternalPostgres(text).login == "u"


def test_a_url_without_a_login_means_the_drivers_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", "u")

    assert ExternalPostgres("postgresql:///d").login == "u"


@pytest.mark.parametrize(("query", "seconds"), [("", "5"), ("?connect_timeout=30", "30")])
def test_no_connection_is_waited_for_endlessly(query: str, seconds: str) -> None:
    server = ExternalPostgres("postgresql://u@h/d", f"postgresql://admin@h/d{query}")

    assert server.url(roles.APP).query["connect_timeout"] == "5"
    assert server.admin_url().query["connect_timeout"] == seconds


def test_a_url_keeps_the_options_it_came_with() -> None:
    url = with_option(parse_url("postgresql://u@h/d?options=-c%20geqo%3Doff"), "role=bt_app")

    assert url.query["options"] == "-c geqo=off -c role=bt_app"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgresql://u:s3cret@h/d", "u:***@h/d"),
        ("postgresql://u@h/d?password=s3cret&sslpassword=s3cret", "u@h/d"),
        ("postgresql://u@/d?host=/run/pg&password=s3cret", "u@/d?host=%2Frun%2Fpg"),
    ],
)
def test_the_place_of_a_server_is_told_without_its_password(text: str, place: str) -> None:
    assert ExternalPostgres(text).place == f"postgresql://{place}"
