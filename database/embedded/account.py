"""The account of the operating system that PostgreSQL runs as."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from backtesting.errors import DatabaseUnavailableError

if sys.platform != "win32":
    import pwd

DEFAULT_ACCOUNTS = ("postgres", "nobody")
# PG* variables would steer the server, and the others may hold secrets its account has no business to read.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
# The shell leaves at once and init adopts the server, so no client has to stay and reap it.
DETACH = 'exec "$@" >&2 & echo $!'
ENTER_EACH = 'for each; do cd "$each" 2>/dev/null || { printf %s "$each"; exit; }; done'


@dataclass(frozen=True, slots=True)
class Account:
    """Ourselves; or, because PostgreSQL refuses root, an ordinary account that root can act for."""

    name: str
    uid: int
    gid: int

    @classmethod
    def for_server(cls, run_as: str | None) -> Self:
        """Choose the account: for root `run_as` or the first usual one that exists, for others themselves."""
        if sys.platform == "win32":
            raise DatabaseUnavailableError(
                "there is no built-in PostgreSQL for Windows yet; set DATABASE_URL to a PostgreSQL of your own"
            )
        if os.geteuid() != 0:
            return cls(account_name(os.geteuid()), os.geteuid(), os.getegid())
        for name in (run_as,) if run_as else DEFAULT_ACCOUNTS:
            if (entry := _entry(name)) and entry.pw_uid != 0:
                return cls(name, entry.pw_uid, entry.pw_gid)
        wanted = repr(run_as) if run_as else " or ".join(map(repr, DEFAULT_ACCOUNTS))
        raise DatabaseUnavailableError(
            f"PostgreSQL does not run as root, and there is no ordinary account {wanted}; "
            "set BACKTEST_PG_USER to one that exists, or DATABASE_URL to a PostgreSQL of your own"
        )

    @property
    def is_another(self) -> bool:
        """Whether the server runs as somebody else than we do."""
        return self.uid != os.geteuid()

    def let_into(self, folder: Path) -> None:
        """Keep a directory of ours private, yet let the server's account pass through it."""
        if self.is_another:
            os.chown(folder, os.geteuid(), self.gid)
        folder.chmod(0o710 if self.is_another else 0o700)

    def give(self, path: Path) -> None:
        """Make a file or directory of ours the server's own."""
        if self.is_another:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def barrier(self, folder: Path) -> Path | None:
        """The first directory on the way to `folder` that the account may not enter."""
        way = [str(each) for each in reversed((folder, *folder.parents))]
        found = self.run(["/bin/sh", "-c", ENTER_EACH, "sh", *way]).stdout if self.is_another else ""
        return Path(found) if found else None

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a program as the account and return what it said."""
        return self._run(command, subprocess.PIPE, {})

    def spawn(self, command: Sequence[str | Path], log: int, extra: Mapping[str, str]) -> int:
        """Leave a program running as the account, in a session of its own, and return its process id."""
        return int(self._run(["/bin/sh", "-c", DETACH, "sh", *command], log, extra).stdout)

    def _run(
        self, command: Sequence[str | Path], errors: int, extra: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as the account, cut off from our terminal, directory and environment."""
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return subprocess.run(  # noqa: S603 - the programs are PostgreSQL's, or a shell with a constant text
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            env={**kept, "LC_ALL": "C", "TZ": "UTC", **extra},
            cwd="/",
            umask=0o077,
            start_new_session=True,
            user=self.uid if self.is_another else None,
            group=self.gid if self.is_another else None,
            extra_groups=[] if self.is_another else None,
        )


def account_name(uid: int) -> str:
    """The account's name; containers also run as numbers that have none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _entry(name: str) -> "pwd.struct_passwd | None":
    """The account's line in the user database."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
