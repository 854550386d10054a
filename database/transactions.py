"""One unit of work, one transaction: committed or not at all, repeated when the connection was lost."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhaustedError

from backtesting.errors import DatabaseUnavailableError
from database.roles import sqlstate_of
from database.schema import reason_of

ATTEMPTS = 3
LONGEST_PAUSE_SECONDS = 0.2
UNLIMITED = sa.text("set local statement_timeout = 0")
PASSING = re.compile(r"08...|57P0[123]|40001|40P01|53300")
OUT_OF_ORDER = re.compile(r"08...|53...|57...|58...")
REFUSED = re.compile(
    r"authentication|does not exist|permission denied|not permitted to log in|no password supplied|no pg_hba",
    re.IGNORECASE,
)
WHOLE = "a run or an import is stored whole or not at all, and can be repeated"

T = TypeVar("T")


class LoginRefusedError(DatabaseUnavailableError):
    """PostgreSQL answers, but lets nobody in under this name."""


class Transactions:
    """Runs units of work on a pool that opens at first use. Safe to share between threads.

    Each statement ends within the time the connection allows, unless units `may_take_long`.
    """

    def __init__(self, open_engine: Callable[[], Engine], *, may_take_long: bool = False) -> None:
        self._open_engine = open_engine
        self._may_take_long = may_take_long

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do the work in one transaction and commit it; whole units are repeated after passing failures.

        The answer to a commit can be lost after the commit took place, so the work must bear being done twice.
        DatabaseUnavailableError when the database stays out of reach.
        """
        return _repeated(lambda: self._once(work))

    def alone(self, work: Callable[[Connection], T]) -> T:
        """Run the one statement of the work, with no transaction around it to begin and to commit; else as `run`."""
        return _repeated(lambda: self._alone(work))

    def once(self, work: Callable[[Connection], T]) -> T:
        """Do work that cannot be done twice in one transaction, without a second attempt."""
        try:
            return self._once(work)
        except DBAPIError as error:
            raise _explained(error) from error

    def rehearse(self, work: Callable[["Transactions"], T]) -> T:
        """Do the work, whose units join one transaction, undo all of it and return what it returned."""

        def undone(connection: Connection) -> T:
            with connection.begin_nested() as savepoint:
                found = work(Joined(connection))
                savepoint.rollback()
            return found

        return self.run(undone)

    def _once(self, work: Callable[[Connection], T]) -> T:
        with _as_database_errors(), self._open_engine().begin() as connection:
            if self._may_take_long:
                connection.execute(UNLIMITED)
            return work(connection)

    def _alone(self, work: Callable[[Connection], T]) -> T:
        with _as_database_errors(), self._open_engine().connect() as connection:
            return work(connection.execution_options(isolation_level="AUTOCOMMIT"))


class Joined(Transactions):
    """Units of work within a transaction under way; its end is not theirs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do the work; whoever began the transaction repeats it where that helps."""
        return work(self._connection)

    def alone(self, work: Callable[[Connection], T]) -> T:
        """Run the statement within the transaction."""
        return work(self._connection)


def _repeated(attempt: Callable[[], T]) -> T:
    """Repeat what failed in passing, a few times."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except DBAPIError as error:
            if not is_passing(error):
                raise _explained(error) from error
        time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311 - jitter, not a secret
    try:
        return attempt()
    except DBAPIError as error:
        raise _explained(error) from error


@contextmanager
def _as_database_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:  # of binary arrays and COPY, which pass SQLAlchemy by
        raise DBAPIError.instance(None, None, error, psycopg.Error) from error
    except PoolExhaustedError as error:
        raise DatabaseUnavailableError(
            "too many calls at once: every connection to the database is taken; try again in a moment"
        ) from error


def is_passing(error: DBAPIError) -> bool:
    """Say whether the same work may succeed when repeated.

    A server that is down, unreachable or refuses the login raises OperationalError without an SQLSTATE; only the text
    tells a refusal.
    """
    sqlstate = sqlstate_of(error)
    if sqlstate is None:
        return isinstance(error, OperationalError) and not REFUSED.search(str(error.orig))
    return PASSING.fullmatch(sqlstate) is not None


def _explained(error: DBAPIError) -> Exception:
    """Return the expected failure the driver's error stands for, or the error itself where it is a defect of ours."""
    sqlstate, reason = sqlstate_of(error), reason_of(error)
    if sqlstate is None and isinstance(error, OperationalError):
        if REFUSED.search(str(error.orig)):
            return LoginRefusedError(
                f"the database cannot be reached ({reason}): see that it exists and prepare it with "
                "`python main.py db upgrade`, or ask `python main.py doctor`"
            )
        return DatabaseUnavailableError(
            f"the database cannot be reached ({reason}): try again, or ask `python main.py doctor`; {WHOLE}"
        )
    if sqlstate and OUT_OF_ORDER.fullmatch(sqlstate):
        return DatabaseUnavailableError(f"the database gave up ({reason}): try again; {WHOLE}")
    return error
