"""The roles: who logs in, who takes on which, who is let in, and whether it came out so.

What each role may do with the tables is granted by the migration that makes them.
"""

import random
import time
from collections.abc import Iterable, Mapping

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from backtesting.errors import DatabaseUnavailableError

OWNER, APP, LOADER = "bt_owner", "bt_app", "bt_loader"
SCHEMAS = ("market", "app")
OLDEST_MAJOR = 15
# Before 16 a membership always meant that the role can be taken on.
FIRST_WITH_SET_OPTION = 16
INSUFFICIENT_PRIVILEGE, UNDEFINED_OBJECT = "42501", "42704"
# Roles belong to the whole cluster, so our lock on one database does not keep off whoever prepares another: the tuple
# was updated concurrently, the role was just made, or there was a deadlock.
RACES = frozenset({"XX000", "23505", "42710", "40P01"})
ATTEMPTS, LONGEST_PAUSE_SECONDS = 20, 0.2

FAULTS = sa.text(f"""
with wall as (select array['app.backtest_runs', 'app.backtest_results', 'app.backtest_trades']::regclass[] as runs,
                     array['app.jobs', 'app.job_chunks', 'app.trials']::regclass[] as work,
                     array['market.assets', 'market.market_data']::regclass[] as bars),
     me as (select rolsuper or rolbypassrls as is_above from pg_roles where rolname = current_user)
select case
  when is_above then 'the server works as ' || current_user || ', which row security does not bind'
  when exists (select from pg_class where oid = any(runs || work) and not (relrowsecurity and relforcerowsecurity))
    then 'row security is not forced on ' || (select string_agg(oid::regclass::text, ', ' order by relname)
      from pg_class where oid = any(runs || work) and not (relrowsecurity and relforcerowsecurity))
  when exists (select from unnest(bars) t where has_table_privilege(t, 'insert, update, delete, truncate'))
    then 'the server works as ' || current_user || ', which may write market data'
  when exists (select from unnest(runs) t where has_table_privilege(t, 'update, delete, truncate'))
    then 'the server works as ' || current_user || ', which may change stored runs'
  when not :may_own and pg_has_role(session_user, '{OWNER}', 'member')
    then 'the login ' || session_user || ' may become {OWNER}: revoke {OWNER} from it'
end from wall, me""")  # noqa: S608 - the role is ours


def prepare(connection: Connection, login: str | None, passwords: Mapping[str, str]) -> None:
    """Make what is missing of roles, memberships and schemas, and commit it.

    With a `login`, that login takes on our roles; without one they log in themselves, with the passwords, and the
    database is theirs alone.
    """
    _require_supported(connection)
    for _ in range(ATTEMPTS - 1):
        try:
            return _prepare(connection, login, passwords)
        except DBAPIError as error:
            if sqlstate_of(error) not in RACES:
                raise
        connection.rollback()
        time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311 - jitter, not a secret
    return _prepare(connection, login, passwords)


def rights(connection: Connection, *, may_own: bool) -> str | None:
    """Return what is wrong with the rights the connection works under, if anything."""
    fault: str | None = connection.scalar(FAULTS, {"may_own": may_own})
    return fault


def sqlstate_of(error: DBAPIError) -> str | None:
    """Return the code of what the server refused; None when the connection itself failed."""
    sqlstate: str | None = getattr(error.orig, "sqlstate", None)
    return sqlstate


def _require_supported(connection: Connection) -> None:
    if _major(connection) < OLDEST_MAJOR:
        raise DatabaseUnavailableError(
            f"the server is PostgreSQL {_major(connection)}, and {OLDEST_MAJOR} or newer is needed: "
            "let DATABASE_URL name one"
        )


def _prepare(connection: Connection, login: str | None, passwords: Mapping[str, str]) -> None:
    for role in (OWNER, APP, LOADER):
        if not connection.scalar(sa.text("select true from pg_roles where rolname = :role"), {"role": role}):
            _execute(connection, "create role {role} nologin", role=role)
    for role, password in passwords.items():
        _let_log_in(connection, role, password)
    admin = str(connection.scalar(sa.text("select current_user")))
    _join(connection, admin, [(OWNER, admin), *((role, login) for role in (APP, LOADER) if login)])
    if login is None:
        _close_to_others(connection)
    for schema in SCHEMAS:
        _execute(connection, "create schema if not exists {schema} authorization {owner}", schema=schema, owner=OWNER)
    connection.commit()


def _let_log_in(connection: Connection, role: str, password: str) -> None:
    """Give the role its password, as a verifier: statements are logged and shown to others."""
    driver = _driver(connection)
    verifier = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    _execute(connection, "alter role {role} login password {verifier}", role=role, verifier=sql.Literal(verifier))


def _close_to_others(connection: Connection) -> None:
    """Let nobody but our roles into a database that is ours alone."""
    database = str(connection.scalar(sa.text("select current_database()")))
    _execute(connection, "revoke all on database {database} from public", database=database)
    _execute(connection, "revoke all on schema public from public")
    _execute(connection, "grant connect on database {database} to {app}, {loader}",
             database=database, app=APP, loader=LOADER)  # fmt: skip
    # imports are staged in a table of their own
    _execute(connection, "grant temporary on database {database} to {loader}", database=database, loader=LOADER)


def _join(connection: Connection, admin: str, memberships: Iterable[tuple[str, str]]) -> None:
    """Let each member take on its role, where it cannot yet."""
    missing = [(role, member) for role, member in memberships if not _can_take_on(connection, member, role)]
    try:
        for role, member in missing:
            _execute(connection, "grant {role} to {member}", role=role, member=member)
    except DBAPIError as error:
        if sqlstate_of(error) != INSUFFICIENT_PRIVILEGE:
            raise
        grants = " ".join(_composed("grant {role} to {member};", role=role, member=member) for role, member in missing)
        raise DatabaseUnavailableError(
            f"the roles of backtesting-mcp were made by another login, and {admin} has no ADMIN OPTION on them: "
            f"let an administrator run `{grants}` and then you `python main.py db upgrade` again, or let "
            "DATABASE_ADMIN_URL name a login that may"
        ) from error


def _can_take_on(connection: Connection, member: str, role: str) -> bool:
    option = "set" if _major(connection) >= FIRST_WITH_SET_OPTION else "member"
    query = sa.text("select pg_has_role(:member, :role, :option)")
    try:
        return bool(connection.scalar(query, {"member": member, "role": role, "option": option}))
    except DBAPIError as error:
        if sqlstate_of(error) != UNDEFINED_OBJECT:
            raise
        raise DatabaseUnavailableError(
            f"DATABASE_URL names the login {member}, which this server does not know: create it, then run "
            "`python main.py db upgrade` again"
        ) from error


def _major(connection: Connection) -> int:
    return _driver(connection).info.server_version // 10_000


def _driver(connection: Connection) -> psycopg.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the only driver the URLs allow
    return driver


def _execute(connection: Connection, statement: str, **parts: str | sql.Composable) -> None:
    connection.exec_driver_sql(_composed(statement, **parts), execution_options={"no_parameters": True})


def _composed(statement: str, **parts: str | sql.Composable) -> str:
    """Put names, which no parameter can stand for, into the statement."""
    quoted = {name: sql.Identifier(part) if isinstance(part, str) else part for name, part in parts.items()}
    return sql.SQL(statement).format(**quoted).as_string()
