"""The schema as a whole: whether it is the one this program knows, and how it gets there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from backtesting.errors import DatabaseUnavailableError, SchemaVersionError
from database import roles

# oldest first; importing Alembic to ask it would cost 0.7 s at every start
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE_SECONDS, POLL_SECONDS = 60.0, 0.1
TRY_LOCK = sa.text("select pg_try_advisory_lock(5210394827611043307)")  # any constant of ours
ALEMBIC = Lock()  # it keeps the migration under way in its modules


class Server(Protocol):
    """A PostgreSQL server and the ways into its database."""

    is_ours: bool

    @property
    def place(self) -> str:
        """Where it is, in words and without a password."""
        ...

    @property
    def login(self) -> str | None:
        """The login that takes on our roles to serve; None where they log in themselves."""
        ...

    def start(self) -> None:
        """Start the server where it is ours to start; it may run already."""
        ...

    def close(self) -> None:
        """Leave the server."""
        ...

    def url(self, role: str) -> URL:
        """Return the address under which a connection has the rights of `role`."""
        ...

    def admin_url(self) -> URL:
        """Return the address of the login that may make roles and schemas."""
        ...

    def password(self, role: str) -> str | None:
        """Return the password a role of ours logs in with; None where a login takes it on."""
        ...


class State(StrEnum):
    """How the database's schema compares with this program's."""

    ABSENT = "absent"
    OLD = "old"
    CURRENT = "current"
    NEWER = "newer"


def state(connection: Connection) -> State:
    """Compare the schema with the last revision this program knows."""
    if not connection.scalar(sa.text("select to_regclass('app.alembic_version') is not null")):
        return State.ABSENT
    found = connection.scalar(sa.text("select version_num from app.alembic_version"))
    if found is None:
        return State.ABSENT
    if found not in REVISIONS:
        return State.NEWER
    return State.CURRENT if found == REVISIONS[-1] else State.OLD


def require_current(connection: Connection) -> None:
    """Refuse a database whose schema this program does not fit, with the command to run."""
    match state(connection):
        case State.ABSENT | State.OLD as found:
            wanted = "has no schema of ours yet" if found is State.ABSENT else "has an older schema"
            raise SchemaVersionError(f"the database {wanted}: run `python main.py db upgrade`")
        case State.NEWER:
            raise SchemaVersionError(
                "the database was upgraded by a newer version of backtesting-mcp: update this program "
                f"(it knows revisions up to {REVISIONS[-1]})"
            )


def upgrade(server: Server) -> bool:
    """Bring roles and tables to this program's revision, under a lock that is polled; say whether the tables changed.

    Safe to call from several processes at once. SchemaVersionError when the database is newer.
    """
    with _admin(server) as connection, _alone(connection):
        passwords = {role: server.password(role) for role in (roles.APP, roles.LOADER)}
        roles.prepare(connection, server.login, {role: known for role, known in passwords.items() if known})
        connection.execute(sa.text(f"set role {roles.OWNER}"))
        found = state(connection)
        connection.commit()
        if found is State.NEWER:
            require_current(connection)
        if found is State.CURRENT:
            return False
        _migrate(connection)
        return True


@contextmanager
def _admin(server: Server) -> Iterator[Connection]:
    engine = sa.create_engine(server.admin_url(), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("set statement_timeout = 0"))
            connection.commit()
            yield connection
    except OperationalError as error:
        raise DatabaseUnavailableError(f"the database cannot be reached: {reason_of(error)}") from error
    except ProgrammingError as error:
        if roles.sqlstate_of(error) != roles.INSUFFICIENT_PRIVILEGE:
            raise
        raise DatabaseUnavailableError(
            f"the database cannot be prepared: {reason_of(error)}; `db upgrade` needs a login that may create roles "
            "and schemas (DATABASE_ADMIN_URL)"
        ) from error


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold the migration lock; it belongs to the connection and goes with it.

    Waiting inside a transaction would deadlock with `create index concurrently`.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while not connection.scalar(TRY_LOCK):
        connection.commit()
        if time.monotonic() > end:
            raise DatabaseUnavailableError("another process is still upgrading the database: try again in a minute")
        time.sleep(POLL_SECONDS)
    connection.commit()
    yield


def _migrate(connection: Connection) -> None:
    """Run the migrations, on a connection that works as the owner of the tables."""
    from alembic import command  # noqa: PLC0415 - 0.7 s, and only an upgrade needs it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with ALEMBIC:
        command.upgrade(config, "head")
    connection.commit()


def reason_of(error: DBAPIError) -> str:
    """Return the first line the driver or the server gave, without the statement."""
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
