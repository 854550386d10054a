"""The server process of a cluster: found, started, awaited and stopped."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from backtesting.errors import DatabaseUnavailableError
from database.embedded.account import Account
from database.embedded.binaries import Binaries
from database.embedded.cluster import Cluster
from database.embedded.endpoint import LOOPBACK, Endpoint
from database.embedded.log import ServerLog
from database.embedded.patience import Patience


@dataclass(frozen=True, slots=True)
class PidFile:
    """What a server says of itself in `postmaster.pid`, which outlives it when it is killed."""

    pid: int
    endpoint: Endpoint
    is_ready: bool

    @classmethod
    def read(cls, data: Path) -> Self | None:
        """Read the file; a server that is just starting has written only its first lines."""
        try:
            lines = (data / "postmaster.pid").read_text("utf-8", "surrogateescape").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return None
        pid, _, _, port, folder, _, _, status, *_ = [line.strip() for line in lines] + [""] * 8
        if not pid.isdecimal():
            return None
        return cls(int(pid), Endpoint(folder or LOOPBACK, int(port or 0)), status == "ready")


class Postmaster:
    """One server per cluster, whoever started it; launched and stopped only under the start lock."""

    def __init__(self, cluster: Cluster, account: Account, binaries: Binaries, report: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._account = account
        self._binaries = binaries
        self._report = report
        self._log = ServerLog(cluster.log)
        self._process: psutil.Process | None = None

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the server that runs now listens, ours or a successor; nothing while there is none or it starts."""
        said = PidFile.read(self._cluster.data)
        return said.endpoint if said and said.is_ready and running(self._cluster.data) else None

    def bring_up(self, password: str, patience: Patience) -> Endpoint:
        """Attach to the server that runs or start one, and wait until it lets us in; recovery may take its time."""
        while True:
            attached = self._process = running(self._cluster.data)
            if attached is None:
                self._process = self._launched(password)
            if endpoint := self._endpoint_when_ready(password, patience):
                return endpoint
            if attached is None and not self._log.is_passing:
                raise self._failure("ended while it was starting")
            patience.pause(f"the end of an earlier PostgreSQL in {self._cluster.data}")

    def stop(self, patience: Patience) -> None:
        """End the server the fast way: sessions are cut, transactions rolled back, everything committed is kept."""
        self._process = running(self._cluster.data) or self._process
        while self._process is not None and _is_alive(self._process):
            # psutil signals this very process, never another that got its number, as pg_ctl would. A server that
            # has not yet set its handlers ignores the signal, so it is sent until it worked.
            with suppress(psutil.NoSuchProcess):
                self._process.send_signal(signal.SIGINT)
            patience.pause(f"PostgreSQL in {self._cluster.data} to stop")

    def _launched(self, password: str) -> psutil.Process | None:
        """Start a server, on a new cluster if there is none."""
        self._cluster.tidy(self._account)
        with self._cluster.scratch(self._account) as scratch:
            binaries = self._binaries.readable_by(self._account, self._cluster.folder, scratch, self._report)
            if not self._cluster.exists:
                self._report(f"creating a PostgreSQL cluster in {self._cluster.data}")
                self._cluster.create(binaries, self._account, password, scratch)
        options = Endpoint.chosen(self._cluster.sockets).server_options
        log = self._log.open()
        try:
            pid = self._account.spawn([binaries.postgres, "-D", self._cluster.data, *options], log, self._stale_pid())
        finally:
            os.close(log)
        return _process(pid)

    def _stale_pid(self) -> dict[str, str]:
        """The variable that makes a server accept the stale file although its number belongs to somebody else now."""
        stale = PidFile.read(self._cluster.data)
        return {"PG_GRANDPARENT_PID": str(stale.pid)} if stale and psutil.pid_exists(stale.pid) else {}

    def _endpoint_when_ready(self, password: str, patience: Patience) -> Endpoint | None:
        """Where the server listens, once it lets us in, or nothing when it ended before."""
        while self._process is not None and _is_alive(self._process):
            said = PidFile.read(self._cluster.data)
            if said and said.pid == self._process.pid and said.is_ready and said.endpoint.admits(password):
                return said.endpoint
            if self._log.is_hopeless:
                raise self._failure("does not let us in")
            patience.pause(f"PostgreSQL in {self._cluster.data}, which says: {self._log.last_lines(1)}")
        return None

    def _failure(self, what: str) -> DatabaseUnavailableError:
        """The error that shows the log's last words."""
        return DatabaseUnavailableError(
            f"PostgreSQL in {self._cluster.data} {what}: {self._log.last_lines(5)} (more in {self._cluster.log}); mend "
            "that, or set BACKTEST_DATA_DIR to another directory, or DATABASE_URL to a PostgreSQL of your own"
        )


def running(data: Path) -> psutil.Process | None:
    """The process that serves this data now: a stale file may name a stranger's process, or a dead one's."""
    said = PidFile.read(data)
    process = _process(said.pid) if said else None
    if process is None or not _is_alive(process):
        return None
    with suppress(psutil.Error):
        program, *arguments = process.cmdline() or [""]
        if Path(program).name == "postgres" and str(data) in arguments:
            return process
    return None


def _process(pid: int) -> psutil.Process | None:
    """The process with this number, if there is one."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _is_alive(process: psutil.Process | None) -> bool:
    """Whether the process runs; a zombie has ended, only its parent has not looked yet."""
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
