"""The user's data directory: locks, passwords, and one directory per major version of PostgreSQL."""

import os
import re
import secrets
from pathlib import Path

from backtesting.errors import DatabaseUnavailableError
from database.embedded.account import Account, account_name


class Home:
    """Ours alone; the server's account may at most pass through."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start_lock = path / "start.lock"
        self.client_lock = path / "clients.lock"

    def open(self, account: Account) -> None:
        """Make the directory or take over an empty one; refuse what is not ours or out of the server's reach."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(self.path.iterdir()):
            account.let_into(self.path)
        if (owner := self.path.stat().st_uid) != os.geteuid():
            raise DatabaseUnavailableError(
                f"{self.path} belongs to {account_name(owner)}, and PostgreSQL's data must lie in a directory of "
                f"{account_name(os.geteuid())}; set BACKTEST_DATA_DIR to one, or DATABASE_URL to your own PostgreSQL"
            )
        if barrier := account.barrier(self.path):
            raise DatabaseUnavailableError(
                f"root has to run PostgreSQL as {account.name}, which may not enter {barrier}; set BACKTEST_DATA_DIR "
                "to a directory that everyone may reach, or BACKTEST_PG_USER to an account that may reach this one"
            )

    def secret(self, role: str) -> str | None:
        """The role's password, if it has one."""
        try:
            return self._secret_file(role).read_text("ascii")
        except FileNotFoundError:
            return None

    def make_secret(self, role: str) -> str:
        """Give the role a random password; only under the start lock. The file is whole or not there."""
        password = secrets.token_urlsafe(32)
        file = self._secret_file(role)
        draft = file.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as stream:
            stream.write(password)
            stream.flush()
            os.fsync(stream.fileno())
        move_durably(draft, file)
        return password

    def majors(self) -> dict[int, Path]:
        """The directories of the major versions that were used here, by number."""
        found = {int(each.name[2:]): each for each in self.path.glob("pg*") if re.fullmatch(r"pg\d+", each.name)}
        return dict(sorted(found.items()))

    def _secret_file(self, role: str) -> Path:
        """Where the role's password is kept."""
        return self.path / f"{role}.secret"


def move_durably(finished: Path, target: Path) -> None:
    """Give a finished file or directory its name, so that it has it after a power cut too."""
    finished.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
