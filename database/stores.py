"""Everything kept in one PostgreSQL, for one user: opened at first use, brought up to date, closed at the end."""

from collections.abc import Callable, Iterable
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from backtesting.types import StrategyDescription
from database import schema
from database.repository.bars import SqlBarSource, SqlBarStore
from database.repository.runs import SqlRunRepository
from database.schema import Server
from database.transactions import Transactions


class Pool(Protocol):
    """A connection pool that opens when it is called."""

    def __call__(self) -> Engine:
        """Return the pool, opened."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


class Stores:
    """The stores of one server; `make_pool` returns a pool that works with the rights of a role."""

    def __init__(self, server: Server, make_pool: Callable[[str], Pool]) -> None:
        self._server = server
        self._pools = {role: make_pool(role) for role in (schema.APP, schema.LOADER)}
        self._app = Transactions(self._pools[schema.APP], server.start)
        self.bars = SqlBarSource(self._app)
        self.runs = SqlRunRepository(self._app)
        self.importing = SqlBarStore(Transactions(self._pools[schema.LOADER], server.start))

    @property
    def place(self) -> str:
        """Where the database is, without a password."""
        return self._server.place

    @property
    def upgrades_itself(self) -> bool:
        """Whether the database is ours alone, so that nobody has to be asked."""
        return self._server.is_ours

    def open(self, strategies: Iterable[StrategyDescription], *, upgrade: bool) -> None:
        """Connect, upgrade the schema or refuse one this program does not fit, and make the strategies known."""
        self._server.start()
        if upgrade:
            schema.upgrade(self._server)
        self._app.run(schema.require_current)
        self.runs.register(strategies)

    def rights(self) -> str | None:
        """Return what is wrong with the rights the server works under, if anything."""
        return self._app.run(_excess_rights)

    def close(self) -> None:
        """Close every connection and leave the server."""
        for pool in self._pools.values():
            pool.close()
        self.leave()

    def leave(self) -> None:
        """Leave the server at once, waiting for nobody."""
        self._server.close()


def _excess_rights(connection: Connection) -> str | None:
    """Row security does not hold a superuser, and market data is not the server's to write."""
    role, above = connection.execute(
        sa.text("select current_user, rolsuper or rolbypassrls from pg_roles where rolname = current_user")
    ).one()
    if above:
        return f"the server works as {role}, which row security does not bind"
    writes = connection.scalar(sa.text("select has_table_privilege('market.market_data', 'insert, update, delete')"))
    return f"the server works as {role}, which may write market data" if writes else None
