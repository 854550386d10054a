"""One window: the sets are ranked on its train span, and the best one is run on its test span.

The test is a run of its own: it starts flat, with bars of warm-up from before it, decides first at the last close of
the bars before it, and is closed at its last close, costs included. So a position is neither carried into the next
window nor taken over from the last one, and each test equals the single run of its own request.
"""

from dataclasses import dataclass, replace

from backtesting.data_loader import LoadedBars
from backtesting.errors import BacktestError
from backtesting.evaluation import Plan, evaluate
from backtesting.objective import Objective, rank
from backtesting.parameter_grid import ParameterGrid
from backtesting.sweep import SweepResult, sweep
from backtesting.types import BacktestResult

NOTHING_QUALIFIES = "no parameter set qualified on the train span"


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """A window ready to be evaluated anywhere: what its train and its test span read. It can be pickled."""

    train: Plan
    train_bars: LoadedBars
    test: Plan
    test_bars: LoadedBars
    grid: ParameterGrid
    objective: Objective


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What the train span said of all sets, the one chosen, and its run on the test span.

    Without a run there is a `reason`, and the window stays in cash.
    """

    trained: SweepResult
    chosen: int | None
    tested: BacktestResult | None
    reason: str | None


def fit(fold: Fold) -> Fitted:
    """Choose on the train span and run on the test span; the choice never sees a bar of the test."""
    trained = sweep(fold.train, fold.train_bars, fold.grid, threads=1)
    ranked = rank(trained.figures, fold.objective)
    if not len(ranked):
        return Fitted(trained, None, None, trained.figures.failure or NOTHING_QUALIFIES)
    chosen = int(ranked[0])
    try:
        return Fitted(trained, chosen, evaluate(with_set(fold.test, fold.grid, chosen), fold.test_bars), None)
    except BacktestError as error:
        return Fitted(trained, chosen, None, str(error))


def with_set(plan: Plan, grid: ParameterGrid, number: int) -> Plan:
    """Return the plan of one set of the grid."""
    strategy, size = grid.made(number)
    request = plan.request.model_copy(update={"parameters": grid.parameters(number)})
    return replace(plan, request=request, strategy=strategy, position_size=size)
