"""What a unit of work meets when the database does not do as it is told."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from backtesting.errors import DatabaseUnavailableError
from config.database import ExternalPostgres, LazyEngine, parse_url, with_option
from database import schema
from database.transactions import Transactions
from tests.fixtures.postgres import Database

ONE = sa.text("select 1")


@pytest.fixture
def pool(database: Database) -> Iterator[LazyEngine]:
    pool = LazyEngine(lambda: database.url(schema.APP), "local")
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

    with pytest.raises(DatabaseUnavailableError, match="nothing was stored"):
        transactions.run(work)

    assert attempts == [0, 1, 2]


def test_a_server_of_our_own_is_brought_back_before_the_next_attempt(pool: LazyEngine, database: Database) -> None:
    recovered: list[bool] = []
    transactions = Transactions(pool, recover=lambda: recovered.append(True))

    def work(connection: Connection) -> None:
        if not recovered:
            end_connections(database)
        connection.execute(ONE)

    transactions.run(work)

    assert recovered == [True]


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
    url = database.url(schema.APP).set(password="wr0ng")  # noqa: S106 - a wrong one
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
    pool = LazyEngine(lambda: database.url(schema.APP), user)

    with pool().connect() as connection:
        assert connection.scalar(sa.text("select current_setting('app.user_id')")) == user
    pool.close()


@pytest.mark.parametrize("text", ["postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"])
def test_every_spelling_of_a_postgresql_url_means_psycopg(text: str) -> None:
    assert parse_url(text).render_as_string(hide_password=False) == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize("text", ["mysql://u:s3cret@h/d", "s3cret", "postgresql//u:s3cret@h", ""])
def test_another_url_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="postgresql://") as told:
        parse_url(text)

    assert "s3cret" not in str(told.value)


def test_a_url_keeps_the_options_it_came_with() -> None:
    url = with_option(parse_url("postgresql://u@h/d?options=-c%20geqo%3Doff"), "role=bt_app")

    assert url.query["options"] == "-c geqo=off -c role=bt_app"


def test_the_place_of_a_server_is_told_without_its_password() -> None:
    assert ExternalPostgres("postgresql://u:s3cret@h/d").place == "postgresql+psycopg://u:***@h/d"
