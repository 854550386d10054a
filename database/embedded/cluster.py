"""The directory of one major version: data, socket, log, and the private copy of the programs."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backtesting.errors import DatabaseUnavailableError
from database.embedded.account import Account, account_name
from database.embedded.binaries import Binaries
from database.embedded.endpoint import SUPERUSER
from database.embedded.home import Home, move_durably

SETTINGS = {
    "max_connections": "40",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "wal_compression": "pglz",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "client_connection_check_interval": "5s",
    "idle_in_transaction_session_timeout": "10min",
}
FIRST_WITH_IO_METHOD = 18
FIRST_WITH_BUILTIN_LOCALES = 17


class Cluster:
    """Created whole or not at all; changed only under the start lock and while no server runs on it."""

    def __init__(self, home: Home, major: int) -> None:
        self.folder = home.path / f"pg{major}"
        self.data = self.folder / "data"
        self.sockets = self.folder / "s"
        self.log = self.folder / "postgres.log"
        self._home = home
        self._major = major

    @property
    def exists(self) -> bool:
        """Whether there is data to start a server on."""
        return self.data.exists()

    def tidy(self, account: Account) -> None:
        """Refuse data that is not ours to touch, then clear away what killed processes left."""
        self._check(account)
        self.folder.mkdir(exist_ok=True)
        account.let_into(self.folder)
        for leftover in self.folder.glob("init-*"):
            # An initdb whose starter was killed may still be writing there; what resists now goes next time.
            shutil.rmtree(leftover, ignore_errors=True)
        if self.sockets.exists():
            shutil.rmtree(self.sockets)
        self.sockets.mkdir(mode=0o700)
        account.give(self.sockets)

    @contextmanager
    def scratch(self, account: Account) -> Iterator[Path]:
        """A directory for things in the making: what is finished is moved out, the rest never counts."""
        folder = self.folder / f"init-{os.getpid()}"
        folder.mkdir()
        account.let_into(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def create(self, binaries: Binaries, account: Account, password: str, scratch: Path) -> None:
        """Make an empty cluster whose superuser has the password."""
        draft, password_file = scratch / "data", scratch / "password"
        with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(password)
        draft.mkdir(mode=0o700)
        account.give(password_file)
        account.give(draft)
        self._initdb(binaries, account, draft, password_file)
        self._append_settings(draft / "postgresql.conf")
        move_durably(draft, self.data)

    def _check(self, account: Account) -> None:
        """Refuse to make an empty cluster beside an old one, and to start on somebody's or on unknown data."""
        others = [major for major in self._home.majors() if major != self._major]
        if others and not self.exists:
            raise DatabaseUnavailableError(
                f"{self._home.path} holds data of PostgreSQL {others[-1]}, but these programs are of {self._major}; "
                f"set BACKTEST_PG_BINDIR to programs of {others[-1]} to use or pg_dump that data, "
                f"or move {self._home.path / f'pg{others[-1]}'} away to begin empty"
            )
        if self.exists and (owner := self.data.stat().st_uid) != account.uid:
            raise DatabaseUnavailableError(
                f"{self.data} belongs to {account_name(owner)}, and PostgreSQL would run as {account.name}; "
                f"as root set BACKTEST_PG_USER={account_name(owner)}, or set BACKTEST_DATA_DIR to another directory"
            )
        if self.exists and not (self.data / "PG_VERSION").exists():
            raise DatabaseUnavailableError(
                f"{self.data} has no PG_VERSION, so it is not a PostgreSQL cluster, and it was left as it is; "
                "move it away, or set BACKTEST_DATA_DIR to another directory"
            )

    def _initdb(self, binaries: Binaries, account: Account, draft: Path, password_file: Path) -> None:
        """Let PostgreSQL make the files: passwords for everyone, checksums, UTF-8, and no locale of the computer."""
        locale = ["--locale=C"]
        if self._major >= FIRST_WITH_BUILTIN_LOCALES:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", *locale]
        made = account.run([binaries.initdb, "-D", draft, "-U", SUPERUSER, "--pwfile", password_file, *options])
        if made.returncode != 0:
            raise DatabaseUnavailableError(
                f"initdb made no cluster in {self.folder}: {' | '.join(made.stderr.strip().splitlines()[-3:])}; "
                "set BACKTEST_DATA_DIR to another directory, or DATABASE_URL to a PostgreSQL of your own"
            )

    def _append_settings(self, configuration: Path) -> None:
        """Leave the settings where their owner finds and may change them."""
        settings = SETTINGS | ({"io_method": "sync"} if self._major >= FIRST_WITH_IO_METHOD else {})
        with os.fdopen(os.open(configuration, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW), "w") as stream:
            stream.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
            stream.flush()
            os.fsync(stream.fileno())
