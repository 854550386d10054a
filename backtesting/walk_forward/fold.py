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
from backtesting.sweep import plan_of, sweep
from backtesting.sweep_trial import trial_of
from backtesting.types import BacktestResult, MetricValue, Trial

NOTHING_QUALIFIES = "no parameter set qualified on the train span"


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """A window ready to be evaluated anywhere, and for whom: what its train and its test span read. Can be pickled."""

    train: Plan
    train_bars: LoadedBars
    test: Plan
    test_bars: LoadedBars
    grid: ParameterGrid
    objective: Objective
    job_id: str


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The best set of a train span by its number in the grid, and its statistics there."""

    number: int
    trained: dict[str, MetricValue]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a window came to; `trial` counts every set that was tried.

    Without a run there is a `reason`, and the window stays in cash.
    """

    trial: Trial
    chosen: Chosen | None
    tested: BacktestResult | None
    reason: str | None


def fit(fold: Fold) -> Fitted:
    """Choose on the train span and run on the test span; the choice never sees a bar of the test."""
    trained = sweep(fold.train, fold.train_bars, fold.grid, threads=1)
    sharpes = trained.figures.columns["sharpe_ratio"]
    trial = trial_of(replace(fold.train, request=trained.request), fold.train_bars, fold.grid, sharpes, fold.job_id)
    ranked = rank(trained.figures, fold.objective)
    if not len(ranked):
        return Fitted(trial, None, None, trained.figures.failure or NOTHING_QUALIFIES)
    chosen = Chosen(int(ranked[0]), trained.figures.metrics(int(ranked[0])))
    try:
        tested = evaluate(plan_of(fold.test, fold.grid, chosen.number), fold.test_bars)
    except BacktestError as error:
        return Fitted(trial, chosen, None, str(error))
    return Fitted(trial, chosen, tested, None)
