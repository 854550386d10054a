"""Everything kept in one PostgreSQL, for one user: opened at first use, brought up to date, closed at the end."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from backtesting.types import BacktestResult, Run, StrategyDescription
from database import roles, schema
from database.bar_cache import BarCache
from database.repository.assets import SqlAssetCatalog, SqlAssetStore
from database.repository.bars import SqlBarSource, SqlBarStore
from database.repository.jobs import SqlJobQueue
from database.repository.runs import SqlRunRepository
from database.repository.trials import SqlTrialLedger
from database.schema import Server, State
from database.transactions import LoginRefusedError, Transactions


class Pool(Protocol):
    """A connection pool that opens when it is called."""

    def __call__(self) -> Engine:
        """Return the pool, opened."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


class Stores:
    """The stores of one server; `make_pool` returns a pool that works with the rights of a role.

    Series that were read are kept in `cache_folder`, which may serve other servers and processes too.
    """

    def __init__(self, server: Server, make_pool: Callable[[str], Pool], cache_folder: Path) -> None:
        self._server = server
        self._pools = {role: make_pool(role) for role in (roles.APP, roles.LOADER)}
        self._app = Transactions(self._pools[roles.APP])
        self._loader = Transactions(self._pools[roles.LOADER], may_take_long=True)
        self.bars = SqlBarSource(self._app, BarCache(cache_folder, server.place))
        self.runs = SqlRunRepository(self._app)
        self.trials = SqlTrialLedger(self._app)
        self.jobs = SqlJobQueue(self._app)
        self.importing = SqlBarStore(self._loader)
        self.catalog = SqlAssetCatalog(self._app)
        self.descriptions = SqlAssetStore(self._loader)

    @property
    def place(self) -> str:
        """Where the database is, without a password."""
        return self._server.place

    @property
    def upgrades_itself(self) -> bool:
        """Whether the database is ours alone, so that nobody has to be asked."""
        return self._server.is_ours

    def open(self, strategies: Iterable[StrategyDescription], *, upgrade: bool) -> None:
        """Connect, refuse a schema this program does not fit, and make the strategies known.

        A database that is ours is upgraded where it has to be, any other where `upgrade` says so.
        """
        self._server.start()
        if upgrade or (self.upgrades_itself and self._needs_upgrade()):
            schema.upgrade(self._server)
        self._app.run(schema.require_current)
        self.runs.register(strategies)

    def rights(self) -> str | None:
        """Return what is wrong with the rights the server works under, if anything."""
        may_own = self._server.login is not None and self._server.login == self._server.admin_url().username
        return self._app.run(lambda connection: roles.rights(connection, may_own=may_own))

    def rehearse(self, run: Run, result: BacktestResult | None) -> Run:
        """Store the run and return it as it is read back, leaving nothing of it."""

        def store_and_read(transactions: Transactions) -> Run:
            runs = SqlRunRepository(transactions)
            runs.add(run, result)
            return runs.get(run.id)

        return self._app.rehearse(store_and_read)

    def close(self) -> None:
        """Close every connection and leave the server."""
        for pool in self._pools.values():
            pool.close()
        self.leave()

    def leave(self) -> None:
        """Leave the server at once, waiting for nobody."""
        self._server.close()

    def _needs_upgrade(self) -> bool:
        """Ask as the roles that serve, so that a superuser is at work only where something is to be made."""
        try:
            self._loader.run(lambda _: None)
            return self._app.run(schema.state) in (State.ABSENT, State.OLD)
        except LoginRefusedError:
            return True
