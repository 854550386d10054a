"""The schema as a whole: its roles, whether it is the one this program knows, and how it gets there."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from backtesting.errors import DatabaseUnavailableError, SchemaVersionError

REVISIONS = ("0001",)  # oldest first; importing Alembic to ask it would cost 0.7 s at every start
OWNER, APP, LOADER = "bt_owner", "bt_app", "bt_loader"
MIGRATIONS = Path(__file__).parent / "migrations"
INSUFFICIENT_PRIVILEGE = "42501"
PATIENCE_SECONDS, POLL_SECONDS = 60.0, 0.1
TRY_LOCK = sa.text("select pg_try_advisory_lock(5210394827611043307)")  # any constant of ours

CREATE_ROLE = "do $$ begin create role {role} {login}; exception when duplicate_object then null; end $$"
SCHEMAS = f"""
create schema if not exists market authorization {OWNER};
create schema if not exists app authorization {OWNER};
grant usage on schema market to {APP}, {LOADER};
grant usage on schema app to {APP};
alter default privileges for role {OWNER} in schema market grant select on tables to {APP};
alter default privileges for role {OWNER} in schema market grant select, insert, update, delete on tables to {LOADER};
alter default privileges for role {OWNER} in schema app grant select, insert, update, delete on tables to {APP};
"""


class Server(Protocol):
    """A PostgreSQL server and the ways into its database."""

    is_ours: bool

    @property
    def place(self) -> str:
        """Where it is, in words and without a password."""
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
        """Return the password to give a role of ours; None where its rights are taken by `set role`."""
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
    """Bring roles and tables to this program's revision, under a lock that is polled; say whether anything changed.

    Safe to call from several processes at once. SchemaVersionError when the database is newer.
    """
    with _admin(server) as connection, _alone(connection):
        found = state(connection)
        if found is State.NEWER:
            require_current(connection)
        if found is State.CURRENT:
            return False
        _make_roles(connection, {role: server.password(role) for role in (APP, LOADER)})
        connection.commit()
        _migrate(server)
        return True


@contextmanager
def _admin(server: Server) -> Iterator[Connection]:
    engine = sa.create_engine(server.admin_url(), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except OperationalError as error:
        raise DatabaseUnavailableError(f"the database cannot be reached: {reason_of(error)}") from error
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
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


def _make_roles(connection: Connection, passwords: Mapping[str, str | None]) -> None:
    """Make the roles and what they may do; roles with a password log in, the others are taken on by the login."""
    connection.execute(sa.text(CREATE_ROLE.format(role=OWNER, login="nologin")))
    for role, password in passwords.items():
        connection.execute(sa.text(CREATE_ROLE.format(role=role, login="nologin" if password is None else "login")))
        if password is not None:
            set_password = sa.text(
                "select format('alter role %I login password %L', cast(:role as text), cast(:password as text))"
            )
            connection.exec_driver_sql(connection.scalar(set_password, {"role": role, "password": password}) or "")
    connection.execute(sa.text(f"grant {OWNER}, {APP}, {LOADER} to current_user"))
    if all(passwords.values()):
        _close_to_others(connection)
    for statement in SCHEMAS.strip().split(";\n"):
        connection.execute(sa.text(statement))


def _close_to_others(connection: Connection) -> None:
    """Let nobody but our roles into a database that is ours alone."""
    name = connection.scalar(sa.text("select quote_ident(current_database())"))
    for statement in (
        f"revoke all on database {name} from public",
        "revoke all on schema public from public",
        f"grant connect on database {name} to {APP}, {LOADER}",
        f"grant temporary on database {name} to {LOADER}",
    ):
        connection.execute(sa.text(statement))


def _migrate(server: Server) -> None:
    """Run the migrations as the owner of the tables."""
    from alembic import command  # noqa: PLC0415 - 0.7 s, and only an upgrade needs it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = sa.create_engine(server.admin_url(), poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"set session role {OWNER}"))
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def reason_of(error: DBAPIError) -> str:
    """Return the first line the driver or the server gave, without the statement."""
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
