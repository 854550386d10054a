"""Which sets are tried, and which chunk has which: the same ones at every attempt."""

from functools import partial

import numpy as np

from backtesting.data_loader import LoadedBars
from backtesting.evaluation import Plan
from backtesting.optimization.request import OptimizationRequest
from backtesting.optimization.study import Study
from backtesting.parameter_grid import ParameterGrid
from backtesting.sharing import Shared
from backtesting.sweep import evaluate_chunk
from backtesting.sweep_figures import Figures
from backtesting.types import Integers

# what a set costs beside its bars, and what a chunk may cost, in bars of the sweep's kernel; a chunk takes about 1 s
COST_OF_SET, COST_OF_RUN, TIMES_OF_RUN, COST_OF_CHUNK = 500, 1_000_000, 40, 300_000_000
MOST_SETS, FEWEST_SETS, CHUNKS = 20_000, 250, 16


def numbers_of(asked: OptimizationRequest, grid: ParameterGrid) -> Integers:
    """Return the sets to try: all of them, or as many as the trials, drawn without repetition."""
    if asked.method == "grid" or asked.trials >= len(grid):
        return np.arange(len(grid))
    drawn = np.random.default_rng(asked.seed).choice(len(grid), asked.trials, replace=False)
    return np.sort(drawn).astype(np.int64)


def parts_of(numbers: Integers, study: Study) -> list[Integers]:
    """Divide the sets into chunks that take about a second, and no more of them than is worth a task of its own."""
    bars = len(study.loaded.bars)
    each = bars + COST_OF_SET if study.is_fused else TIMES_OF_RUN * bars + COST_OF_RUN
    fewest = FEWEST_SETS if study.is_fused else 1
    size = min(COST_OF_CHUNK // each, MOST_SETS, max(-(-len(numbers) // CHUNKS), fewest))
    return [numbers[first : first + max(size, 1)] for first in range(0, len(numbers), max(size, 1))]


def call_of(plan: Plan, loaded: Shared[LoadedBars], grid: ParameterGrid, numbers: Integers) -> partial[Figures]:
    """Return the task that evaluates these sets in another process."""
    is_row = len(numbers) == numbers[-1] - numbers[0] + 1
    part = grid[slice(numbers[0], numbers[-1] + 1)] if is_row else grid[numbers]
    return partial(evaluated, plan, loaded, part)


def evaluated(plan: Plan, loaded: Shared[LoadedBars], part: ParameterGrid) -> Figures:
    """Evaluate a part of the grid, in whatever process."""
    return evaluate_chunk(plan, loaded.get(), part)
