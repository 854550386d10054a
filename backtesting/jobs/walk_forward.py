"""Parameters chosen again and again on the past, and tried on what came next: each window leaves a stored run.

1. The period is divided into train and test spans (`walk_forward/windows.py`).
2. Each window is a part of the work: all sets are evaluated on its train span, the best is run on its test span
   (`walk_forward/fold.py`). The run is stored, and every set counts in the ledger of trials.
3. The tests are compounded to one curve, buy and hold beside it, and measured as any run is (`stitching.py`). The runs
   are evaluated again for it: they are a pure function of stored bars, so that a resumed job needs no kept curve.
4. Efficiency, drift and doubts make up the verdict (`judging.py`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError
from backtesting.evaluation import evaluate
from backtesting.job import JobContext, JobKind, Task
from backtesting.jobs.folds import Folds, WalkForwardRequest
from backtesting.reporting.curve import extremes
from backtesting.sharing import Shared
from backtesting.sweep import plan_of
from backtesting.types import NS_PER_DAY, BacktestResult, Chunk, EquityCurve, Run, Trial
from backtesting.walk_forward.drift import changed, drift_of
from backtesting.walk_forward.fold import Fitted, Fold, fit
from backtesting.walk_forward.judging import Evidence, efficiency_of, judge
from backtesting.walk_forward.stitching import OutOfSample, Stretch, stitch
from backtesting.walk_forward.windows import Window

POINTS_OF_A_PICTURE = 400
Row = Mapping[str, Any]


def check(asked: WalkForwardRequest, engine: BacktestEngine) -> None:
    """Refuse what cannot be meant: unknown names, a space without a valid set, a period too short for a window."""
    Folds.of(asked, engine).require_warm()


def run(asked: WalkForwardRequest, context: JobContext) -> Mapping[str, Any]:
    """Do the windows that are not stored yet, and tell what they come to."""
    folds = Folds.of(asked, context.engine)
    _Desk(asked, folds, context).work()
    rows = [context.chunks[window.number] for window in folds.windows.each]
    context.progress(len(rows), len(rows), "windows")
    told = _result(folds, rows, stitched(folds, rows, context.require_held))
    return told | {"trials_counted": _tried(folds, context), "tag": context.job_id}


def _tried(folds: Folds, context: JobContext) -> int:
    """Return how many configurations were ever tried on this market in the period, those of this work among them."""
    return context.trials.count(Trial.of_sets(folds.plan.request, ("", ""), np.empty(0), 0, context.job_id)).counted


class _Desk:
    """Turns windows into tasks, and what comes back into rows and runs."""

    def __init__(self, asked: WalkForwardRequest, folds: Folds, context: JobContext) -> None:
        self._asked, self._folds, self._context = asked, folds, context
        self._begun: dict[int, Fold] = {}

    def work(self) -> None:
        self._tell()
        self._context.work(self._tasks(), self._keep)

    def _tell(self, more: int = 0) -> None:
        self._context.progress(len(self._context.chunks) + more, len(self._folds.windows.each), "windows")

    def _tasks(self) -> Iterator[Task]:
        for window in self._folds.windows.each:
            if window.number not in self._context.chunks:
                self._context.require_held()
                fold = self._begun[window.number] = self._folds.fold(window, self._context.job_id)
                yield Task(window.number, partial(fitted, self._context.shared(fold)))

    def _keep(self, number: int, outcome: Fitted) -> None:
        fold, window = self._begun.pop(number), self._folds.windows.each[number]
        made = self._made(fold, outcome)
        row = row_of(self._folds, window, outcome) | {"backtest_id": made[0].id if made else None}
        self._tell(1)
        self._context.keep(Chunk(number, row, [made] if made and made[1] else [], [outcome.trial]))

    def _made(self, fold: Fold, outcome: Fitted) -> tuple[Run, BacktestResult | None] | None:
        """Return the run of the test and what there is to store of it: nothing where the same run is known."""
        if outcome.chosen is None or outcome.tested is None:
            return None
        engine, plan = self._context.engine, plan_of(fold.test, fold.grid, outcome.chosen.number)
        if known := engine.known(plan, fold.test_bars):
            return known, None
        begun = engine.begun(plan, tags=(*self._asked.tags, self._context.job_id))
        return engine.ended(begun, plan, outcome.tested), outcome.tested


def fitted(fold: Shared[Fold]) -> Fitted:
    """Do one window in another process."""
    return fit(fold.get())


def row_of(folds: Folds, window: Window, outcome: Fitted) -> dict[str, Any]:
    """Return what is told of a window; `number` is the chosen set's in the grid."""
    chosen, summary = outcome.chosen, outcome.tested.summary if outcome.tested else None
    trained: Mapping[str, Any] = chosen.trained if chosen else {}
    tested: Mapping[str, Any] = summary.metrics if summary else {}
    days = [[day.isoformat() for day in folds.windows.days(span)] for span in (window.train, window.test)]
    return {
        "window": window.number + 1,
        "train": days[0],
        "test": days[1],
        "number": chosen.number if chosen else None,
        "parameters": folds.grid.own(chosen.number) if chosen else None,
        "train_sharpe": trained.get("sharpe_ratio"),
        "train_annual_return": trained.get("annual_return"),
        "train_trades": trained.get("total_trades"),
        "test_return": tested.get("total_return"),
        "test_sharpe": tested.get("sharpe_ratio"),
        "test_trades": tested.get("total_trades"),
        "reason": outcome.reason,
    }


def stitched(folds: Folds, rows: Sequence[Row], look: Callable[[], None]) -> OutOfSample:
    """Evaluate the tests again and join them; BacktestError where one no longer comes to what its row says.

    `look` is called before each test; what it raises ends the work.
    """
    plan, loaded = folds.span()
    tests = []
    for window, row in zip(folds.windows.each, rows, strict=True):
        look()
        tests.append(_stretch(folds, window, row))
    return stitch(plan, loaded, evaluate(plan, loaded), tests)


def _stretch(folds: Folds, window: Window, row: Row) -> Stretch:
    bars, capital = folds.bars(window), folds.plan.request.initial_capital
    if row["test_return"] is None:
        return Stretch(bars, None, capital)
    plan, loaded = folds.test(window)
    tested = evaluate(plan_of(plan, folds.grid, row["number"]), loaded)
    if tested.summary.metrics["total_return"] != row["test_return"]:
        raise BacktestError("the stored bars changed while the walk-forward was at work: run it again")
    return Stretch(bars, tested, capital)


def _result(folds: Folds, rows: Sequence[Row], found: OutOfSample) -> dict[str, Any]:
    evidence = _evidence(folds, rows, found)
    verdict = judge(evidence)
    chosen = [row["parameters"] for row in rows if row["parameters"]]
    drift = drift_of(chosen, folds.grid)
    unearned = {} if evidence.inefficiency is None else {"efficiency": evidence.inefficiency}
    return {
        "verdict": verdict.standing.value,
        "sentence": verdict.sentence,
        "doubts": [[doubt.code, doubt.message] for doubt in verdict.doubts],
        "metrics": found.metrics,
        "undefined": found.undefined | unearned,
        "efficiency": evidence.efficiency,
        "positive_windows": evidence.positive_share,
        "idle_windows": evidence.idle,
        "sets": len(folds.grid),
        "unused_sessions": folds.windows.unused,
        "changed": changed(chosen),
        "drift": {name: asdict(each) for name, each in drift.items()},
        "windows": list(rows),
        "picture": {"equity": _points(found.equity), "benchmark": _points(found.benchmark)},
    }


def _evidence(folds: Folds, rows: Sequence[Row], found: OutOfSample) -> Evidence:
    lengths = [len(window.train) for window in folds.windows.each]
    trained = [(row["train_annual_return"], length) for row, length in zip(rows, lengths, strict=True)]
    annual = found.metrics["annual_return"]
    return Evidence(
        found.metrics,
        len(rows),
        sum(row["test_return"] is None for row in rows),
        sum((row["test_return"] or 0.0) > 0 for row in rows),
        *efficiency_of(annual, trained),
    )


def _points(curve: EquityCurve) -> list[list[float]]:
    """Return a curve in few points, days since 1970 and money, for a picture."""
    few = extremes(curve, POINTS_OF_A_PICTURE)
    return [(few.time / NS_PER_DAY).tolist(), few.value.tolist()]


WALK_FORWARD = JobKind("walk_forward", WalkForwardRequest, check, run)
