"""Many parameter sets of one strategy on one loaded period; each set's figures equal its single run's, bit for bit.

1. All sets get one `history_bars` and one `trade_from`, the largest of the grid, and the result echoes them (W4).
2. Where the strategy declares its rule and vectorbt's sizing expresses the order, a kernel compares lines that are
   computed once each (`line_bank.py`) and adds the statistics up in its pass (`sweep_kernel/`): the fused path.
3. Any other set is evaluated as its single run is, one after the other: the single path.

A pure function like `evaluate`; parts of a grid can be evaluated anywhere and joined.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np

from backtesting.data_loader import LoadedBars
from backtesting.decisions import Terms
from backtesting.errors import BacktestError, InvalidInputError, NoBarsError, Problem
from backtesting.evaluation import Plan, evaluate, first_fill
from backtesting.late import Late
from backtesting.parameter_grid import POSITION_SIZE, ParameterGrid
from backtesting.simulation import is_plain
from backtesting.sweep_figures import Figures, figures_from, joined
from backtesting.types import BacktestRequest, Summary, instant

if TYPE_CHECKING:
    from backtesting import fused_sweep
else:
    fused_sweep = Late("backtesting.fused_sweep")  # numba: 0.4 s and 100 MB, for sweeps alone

Path = Literal["fused", "single"]
OnChunk = Callable[[int, int], None]
THREADS = 2
RUNS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    """The figures of all sets of a grid, and the request each of them answers."""

    request: BacktestRequest
    grid: ParameterGrid
    figures: Figures
    path: Path

    def request_of(self, number: int) -> BacktestRequest:
        """Return the request whose single run has this set's figures."""
        return _request_of(self.request, self.grid, number)


def sweep(
    plan: Plan, loaded: LoadedBars, grid: ParameterGrid, on_chunk: OnChunk | None = None, threads: int = THREADS
) -> SweepResult:
    """Return the figures of every set; `loaded` has to be what `with_history(plan, grid)` asks for.

    `on_chunk` is told the sets done and the sets in all after each chunk; what it raises ends the sweep. NoBarsError
    where the bars end before the set with the longest warm-up can decide and fill.
    """
    require_one_size(plan, grid)
    common = with_first_day(with_history(plan, grid), loaded, grid)
    parts = []
    for part in _evaluated(common, loaded, grid, threads):
        parts.append(part)
        if on_chunk:
            on_chunk(sum(map(len, parts)), len(grid))
    return SweepResult(common.request, grid, joined(parts), path_of(common))


def evaluate_chunk(plan: Plan, loaded: LoadedBars, part: ParameterGrid, threads: int = 1) -> Figures:
    """Return the figures of a part of a grid; `plan` has the whole grid's history and first day. All can be pickled."""
    return joined(_evaluated(plan, loaded, part, threads))


def require_one_size(plan: Plan, grid: ParameterGrid) -> None:
    """Refuse a space that sizes positions of a request that has a sizing of its own."""
    if plan.request.sizing is not None and POSITION_SIZE in grid.columns:
        raise InvalidInputError(
            [Problem("space", "position_size is short for sizing percent_equity: drop one of the two")]
        )


def plan_of(plan: Plan, grid: ParameterGrid, number: int) -> Plan:
    """Return the plan of the single run of one set."""
    strategy, size = grid.made(number)
    return replace(plan, request=_request_of(plan.request, grid, number), strategy=strategy, position_size=size)


def with_history(plan: Plan, grid: ParameterGrid) -> Plan:
    """Write into the request how many bars before the period the slowest set wants, unless it says so itself (W4)."""
    wanted = replace(plan, strategy=grid.slowest).history
    return replace(plan, request=plan.request.model_copy(update={"history_bars": wanted}))


def with_first_day(plan: Plan, loaded: LoadedBars, grid: ParameterGrid) -> Plan:
    """Write into the request from which day on the set with the longest warm-up can fill, where that is later (W4)."""
    longest, delay = replace(plan, strategy=grid.longest), plan.request.delay
    warm = longest.warmup + delay
    if warm <= first_fill(plan, loaded):
        return plan
    day = _first_whole_day(loaded, warm)
    if day is None:
        raise NoBarsError(
            f"the longest set of the space needs {longest.warmup} bars of warm-up, and {len(loaded.bars)} bars are "
            f"stored up to {plan.request.end_date}: choose shorter periods or a later end_date",
            field="space",
        )
    return replace(plan, request=plan.request.model_copy(update={"trade_from": day}))


def path_of(plan: Plan) -> Path:
    """Tell whether the kernel can evaluate such sets, or each is a run of its own."""
    return "fused" if plan.strategy.rule() and is_plain(_terms(plan)) else "single"


def warm() -> tuple[os.PathLike[str], ...]:
    """Compile the kernel, or load what was compiled, and return its files; the first sweep would do it else."""
    return fused_sweep.compile_kernel()


def _evaluated(plan: Plan, loaded: LoadedBars, grid: ParameterGrid, threads: int) -> Iterator[Figures]:
    if path_of(plan) == "single":
        yield from _one_by_one(plan, loaded, grid, threads)
        return
    done = 0
    for figures in fused_sweep.fused(plan, loaded, grid, threads):
        yield _explained(figures, plan, loaded, grid[done : done + len(figures)])
        done += len(figures)


def _one_by_one(plan: Plan, loaded: LoadedBars, grid: ParameterGrid, threads: int) -> Iterator[Figures]:
    """Evaluate every set as its single run is; the kernels release the GIL."""

    def run(number: int) -> Summary | str:
        return _single(plan, loaded, grid, number)

    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(grid), RUNS_AT_ONCE):
            yield figures_from(list(pool.map(run, range(first, min(first + RUNS_AT_ONCE, len(grid))))))


def _single(plan: Plan, loaded: LoadedBars, grid: ParameterGrid, number: int) -> Summary | str:
    """Return what the single run of a set says, or why it is refused."""
    try:
        return evaluate(plan_of(plan, grid, number), loaded).summary
    except BacktestError as error:
        return str(error)


def _request_of(request: BacktestRequest, grid: ParameterGrid, number: int) -> BacktestRequest:
    return request.model_copy(update={"parameters": grid.parameters(number)})


def _explained(figures: Figures, plan: Plan, loaded: LoadedBars, part: ParameterGrid) -> Figures:
    """Say why the first failed set fails, in the words of its single run."""
    if not figures.failed.any():
        return figures
    told = _single(plan, loaded, part, int(np.argmax(figures.failed)))
    return replace(figures, failure=told if isinstance(told, str) else None)


def _terms(plan: Plan) -> Terms:
    request = plan.request
    return Terms(request.initial_capital, plan.position_size, plan.costs, request.fill, 0, 0, request)


def _first_whole_day(loaded: LoadedBars, bar: int) -> date | None:
    """Return the day of the first session that starts at this bar or later."""
    session = loaded.session
    if bar >= len(session):
        return None
    starts = bar == 0 or session[bar - 1] != session[bar]
    behind = bar if starts else int(np.searchsorted(session, session[bar], side="right"))
    return instant(session[behind]).date() if behind < len(session) else None
