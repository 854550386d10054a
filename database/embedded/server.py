"""A private PostgreSQL for this user, started by the first client, shared by our processes, stopped by the last."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import psutil
import psycopg
from platformdirs import user_data_path
from sqlalchemy import URL

from backtesting.errors import DatabaseUnavailableError
from database.embedded.account import Account
from database.embedded.binaries import Binaries
from database.embedded.cluster import Cluster
from database.embedded.endpoint import SUPERUSER, Endpoint
from database.embedded.home import Home
from database.embedded.locks import ClientLock, StartLock
from database.embedded.patience import CalledOffError, OutOfPatienceError, Patience
from database.embedded.postmaster import Postmaster

START_SECONDS = 180.0
STOP_SECONDS = 60.0
# Whoever holds the start lock for longer is starting, so it is a client itself and leaves after us.
LEAVE_SECONDS = 10.0


def default_home(app: str) -> Path:
    """The user's data directory; root's own is closed to the account PostgreSQL has to run as."""
    if sys.platform != "win32" and os.geteuid() == 0:
        return Path("/var/lib") / app
    return user_data_path(app, appauthor=False)


def _nobody_listens(_: str) -> None:
    """Drop the word."""


class EmbeddedPostgres:
    """A private PostgreSQL for this user, started by the first client, shared by our processes, stopped by the last.

    Guarantees: threads may share it. Any process may be killed at any moment; the next start works and finds what was
    committed. `close` never raises, may be called from a signal handler, and is final. A forked child would stay a
    client, so children have to be spawned. On Windows it only says that DATABASE_URL is needed.
    """

    is_ours = True
    login: str | None = None

    def __init__(
        self,
        home: Path,
        *,
        bin_dir: Path | None = None,
        run_as: str | None = None,
        report: Callable[[str], None] = _nobody_listens,
    ) -> None:
        self._home = Home(home.expanduser().resolve())
        self._bin_dir = bin_dir
        self._run_as = run_as
        self._report = report
        self._guard = RLock()
        self._start_lock = StartLock(self._home.start_lock)
        self._clients = ClientLock(self._home.client_lock)
        self._server: Postmaster | None = None
        self._is_closed = False

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"the embedded PostgreSQL in {self._home.path}"

    def start(self) -> None:
        """Start the server or attach to it; once that is done, calling again only looks whether it still lives."""
        self._started()

    def url(self, role: str) -> URL:
        """Where the role connects to our database, password included; starts the server if needed."""
        return self._started().url(role, self.password(role))

    def admin_url(self) -> URL:
        """Where the superuser connects, who makes roles and schemas and does nothing else."""
        return self.url(SUPERUSER)

    def password(self, role: str) -> str:
        """The role's random password, kept in a file only this user can read, and made when first asked for."""
        with self._guard, self._explained():
            if known := self._home.secret(role):
                return known
            self._home.open(Account.for_server(self._run_as))
            with self._start_lock_held():
                return self._home.secret(role) or self._home.make_secret(role)

    def close(self) -> None:
        """Be a client no longer; the last one stops the server. Closing again does nothing."""
        self._is_closed = True
        with self._guard:
            if not self._clients.is_joined:
                return
            # Leaving comes before asking, so that of two who close at once one is sure to find nobody left.
            self._clients.leave()
            patience = Patience(LEAVE_SECONDS, self._report, lambda: False)
            try:
                with self._start_lock.held(lambda: patience.pause("another client that is starting or stopping")):
                    self._stop_if_deserted()
            except (OutOfPatienceError, OSError, psutil.Error) as error:
                self._report(f"PostgreSQL in {self._home.path} may go on running: {error}")

    def _started(self) -> Endpoint:
        """Our server's address, after making sure that it runs and that we are one of its clients."""
        with self._guard, self._explained():
            self._refuse_if_closed()
            listening = self._server.endpoint if self._server and self._clients.is_joined else None
            return listening or self._brought_up()

    def _brought_up(self) -> Endpoint:
        """Become a client and bring the server up; whoever fails is no client any more."""
        account = Account.for_server(self._run_as)
        binaries = Binaries.found(self._bin_dir)
        self._home.open(account)
        with self._start_lock_held():
            self._clients.join()
            self._server = Postmaster(Cluster(self._home, binaries.major), account, binaries, self._report)
            try:
                endpoint = self._server.bring_up(self.password(SUPERUSER), self._patience())
                self._refuse_if_closed()
            except OutOfPatienceError:
                # It may be recovering gigabytes of WAL: the next start finds it further on.
                self._clients.leave()
                raise
            except BaseException:
                self._clients.leave()
                self._stop_if_deserted()
                raise
        return endpoint

    def _refuse_if_closed(self) -> None:
        """Stay closed: a late caller in another thread must not start what nobody would stop."""
        if self._is_closed:
            raise CalledOffError("this client of the built-in PostgreSQL was closed; make a new one to start again")

    def _stop_if_deserted(self) -> None:
        """Stop the server when no client is left; only under the start lock."""
        if self._server is not None and self._clients.is_deserted():
            self._server.stop(Patience(STOP_SECONDS, self._report, lambda: False))

    def _patience(self) -> Patience:
        """The time a start may take; closing ends it."""
        return Patience(START_SECONDS, self._report, lambda: self._is_closed)

    @contextmanager
    def _start_lock_held(self) -> Iterator[None]:
        """Hold the start lock; another process may be busy with a long start of its own."""
        patience = self._patience()
        with self._start_lock.held(lambda: patience.pause(f"another process that holds {self._home.start_lock}")):
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the system or the server complains of into a sentence that names the remedy."""
        try:
            yield
        except (OSError, psycopg.Error, psutil.Error) as error:
            raise DatabaseUnavailableError(
                f"the built-in PostgreSQL cannot use {self._home.path}: {str(error).strip()}; set BACKTEST_DATA_DIR to "
                "a directory this user may write, or DATABASE_URL to a PostgreSQL of your own"
            ) from error
