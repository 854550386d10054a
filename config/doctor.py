"""What works and what does not."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from backtesting import kernels
from backtesting.data_sources import SAMPLES
from backtesting.engine import BacktestEngine
from backtesting.provenance import versions
from backtesting.simulation import check_simulation
from backtesting.types import BacktestResult, Run
from config.executors import executor_state
from utils.checks import Check, run_checks

if TYPE_CHECKING:
    from config.application import Application
    from database.stores import Stores


def examine(application: Callable[[], "Application"], tell: Callable[[str], None]) -> bool:
    """Tell what works and what does not, and whether all does; `application` may fail, which is told too."""
    basis = [Check("engine", check_engine), Check("database", lambda: check_database(application()))]
    upon_it = [
        ("rights", check_rights),
        ("sample data", check_samples),
        ("write access", check_writing),
        ("executor", check_executor),
        ("kernels", check_kernels),
    ]
    return run_checks(basis, tell) and run_checks(
        [Check(name, partial(look, application())) for name, look in upon_it], tell
    )


def check_engine() -> str:
    """Make a trade whose outcome is known by hand, and name what made it."""
    check_simulation()
    return ", ".join(f"{name} {version}" for name, version in versions().items())


def check_database(app: "Application") -> str:
    """Open the database."""
    return app.stores().place


def check_rights(app: "Application") -> str:
    """Make sure row security binds the server and market data is safe from it."""
    if excess := app.stores().rights():
        raise ValueError(f"{excess}; run `python main.py db upgrade` and let DATABASE_URL name a plain login")
    return f"runs of user {app.settings.user_id!r} are fenced off, market data is read-only"


def check_samples(app: "Application") -> str:
    """Look for the sample symbols."""
    stored = app.stores().bars.symbols()
    if missing := [each.asset.symbol for each in SAMPLES if each.asset.symbol not in stored]:
        raise ValueError(f"{', '.join(missing)} not stored: run `python main.py db upgrade`")
    return ", ".join(stored)


def check_writing(app: "Application") -> str:
    """Store a run, read it back, and undo it."""
    rehearsal = Rehearsal(app.stores())
    engine = BacktestEngine(app.registry, app.stores().bars, rehearsal)
    run = engine.run(engine.whole_request("buy_and_hold", "IBM"))
    if rehearsal.read != run:
        raise ValueError("a run is read back with other contents than it was stored with")
    return "a run was stored, read back and undone"


def check_executor(app: "Application") -> str:
    """Have one task of long work done."""
    return executor_state(app.settings.executor_url, app.limits, app.scratch)


def check_kernels(_: "Application") -> str:
    """Compile our own kernels where they are not, so that no call has to."""
    if not kernels.are_compiled(note := kernels.note_in()):
        kernels.compile_all(note)
    return "stops, shorts and sweeps are compiled"


class Rehearsal:
    """Takes runs as a repository does, and leaves none behind."""

    def __init__(self, stores: "Stores") -> None:
        self._stores = stores
        self.read: Run | None = None

    def add(self, run: Run, result: BacktestResult | None) -> None:
        """Store the run, read it back, and undo it."""
        self.read = self._stores.rehearse(run, result)

    def completed(self, config_hash: str) -> Sequence[Run]:
        """Return the stored runs of a request; none, so that the rehearsal takes place."""
        del config_hash
        return ()
