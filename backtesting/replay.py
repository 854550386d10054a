"""Runs the request of a stored run again, on the bars the run used."""

from dataclasses import dataclass

from backtesting.data_loader import LoadedBars
from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError, DatabaseUnavailableError
from backtesting.evaluation import Plan, evaluate
from backtesting.ports import RunRepository
from backtesting.types import BacktestResult, Run, RunStatus


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """What a request came to: its complete plan, the bars it read, and its result."""

    plan: Plan
    loaded: LoadedBars
    result: BacktestResult


def ended(runs: RunRepository, run_id: str) -> Run:
    """Return a stored run that has ended; BacktestError for one that has not, which there is nothing to replay of."""
    run = runs.get(run_id)
    if run.status not in {RunStatus.COMPLETED, RunStatus.FAILED}:
        raise BacktestError(f"run {run.id} is {run.status}, so there is nothing to replay yet: wait until it has ended")
    return run


def replay(engine: BacktestEngine, run: Run) -> Evaluated | BacktestError:
    """Return what the run's request comes to now, or the error that it ends with; nothing is stored.

    As many bars are read before its first day as the run had, however many there are today.
    """
    history = None if run.summary is None else int(run.summary.provenance["history_bars"])
    try:
        plan, loaded = engine.load(engine.plan(run.request), history)
        return Evaluated(plan, loaded, evaluate(plan, loaded))
    except DatabaseUnavailableError:
        raise
    except BacktestError as error:
        return error
