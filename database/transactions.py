"""One unit of work, one transaction: committed or not at all, repeated when the connection was lost."""

import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from backtesting.errors import DatabaseUnavailableError
from database.schema import reason_of

ATTEMPTS = 3
LONGEST_PAUSE_SECONDS = 0.2
PASSING = re.compile(r"08...|57P0[123]|40001|40P01|53300")
OUT_OF_ORDER = re.compile(r"08...|53...|57...|58...")
REFUSED = re.compile(r"authentication|does not exist|permission denied", re.IGNORECASE)

T = TypeVar("T")


class Transactions:
    """Runs units of work on a pool that opens at first use. Safe to share between threads.

    `recover` is called before a unit is repeated, to bring a server of our own back.
    """

    def __init__(self, open_engine: Callable[[], Engine], recover: Callable[[], None] = lambda: None) -> None:
        self._open_engine = open_engine
        self._recover = recover

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do the work in one transaction and commit it; whole units are repeated after passing failures.

        The answer to a commit can be lost after the commit took place, so the work must bear being done twice.
        DatabaseUnavailableError when the database stays out of reach.
        """
        for _ in range(ATTEMPTS - 1):
            try:
                return self._once(work)
            except DBAPIError as error:
                if not is_passing(error):
                    raise _explained(error) from error
            time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311 - jitter, not a secret
            self._recover()
        try:
            return self._once(work)
        except DBAPIError as error:
            raise _explained(error) from error

    def _once(self, work: Callable[[Connection], T]) -> T:
        with self._open_engine().begin() as connection:
            return work(connection)


def is_passing(error: DBAPIError) -> bool:
    """Say whether the same work may succeed when repeated.

    A server that is down, unreachable or refuses the login raises OperationalError without an SQLSTATE; only the text
    tells a refusal.
    """
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is None:
        return isinstance(error, OperationalError) and not REFUSED.search(str(error.orig))
    return PASSING.fullmatch(sqlstate) is not None


def _explained(error: DBAPIError) -> Exception:
    """Return the expected failure the driver's error stands for, or the error itself where it is a defect of ours."""
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is None and isinstance(error, OperationalError):
        remedy = (
            "see that it exists and prepare it with `python main.py db upgrade`"
            if REFUSED.search(str(error.orig))
            else "try again"
        )
        return DatabaseUnavailableError(
            f"the database cannot be reached ({reason_of(error)}): nothing was stored; {remedy}, "
            "or ask `python main.py doctor`"
        )
    if sqlstate and OUT_OF_ORDER.fullmatch(sqlstate):
        return DatabaseUnavailableError(f"the database gave up ({reason_of(error)}): nothing was stored; try again")
    return error
