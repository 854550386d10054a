"""Evaluates parameter sets by the sweep's kernel: lines computed once each, every set in one pass of its own.

Importing this module costs what importing numba costs.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from backtesting.data_loader import LoadedBars
from backtesting.evaluation import Plan, base_time, first_fill, year_of
from backtesting.line_bank import ROOM, LineBank
from backtesting.parameter_grid import POSITION_SIZE, ParameterGrid
from backtesting.rules import Rule
from backtesting.stop_kernel import files_of
from backtesting.sweep_figures import Figures, Scale, figures_of
from backtesting.sweep_kernel import RAW, Course, Ground, Terms, machine_code, rooms
from backtesting.types import Floats, Integers, PercentEquity

FEWEST_SETS = 8  # a thread of its own costs more than so many sets of a year


class Bench:
    """The prices and terms that all sets share, and room for each thread."""

    def __init__(self, plan: Plan, loaded: LoadedBars, rule: Rule, threads: int) -> None:
        request, bars = plan.request, loaded.bars
        ends = _ends(loaded, request.delay)
        price = bars.open if request.fill == "next_open" else bars.close
        self._course = _course(price, bars.close, ends)
        self._terms = Terms(
            capital=request.initial_capital,
            commission=plan.costs.commission,
            slippage=plan.costs.slippage,
            history=loaded.history,
            delay=request.delay,
            earliest=max(first_fill(plan, loaded) - request.delay, 0),
            entry_crosses=rule.entry.crosses,
            exit_crosses=rule.exit.crosses,
        )
        self._rooms = [rooms(len(bars), len(ends)) for _ in range(threads)]

    def sums(self, lines: Floats, rows: Integers, sizes: Floats, pool: Executor) -> Any:
        """Return the kernel's sums for sets that compare these rows of the lines, the work split among the threads."""
        raw = np.zeros(len(rows), RAW)
        threads = max(min(len(self._rooms), len(rows) // FEWEST_SETS), 1)
        bounds = np.linspace(0, len(rows), threads + 1).astype(int)
        kernel, ground = machine_code(), Ground(self._course, self._terms, lines)
        waiting = [
            pool.submit(kernel, ground, room, rows[a:b], sizes[a:b], raw[a:b])
            for room, a, b in zip(self._rooms, bounds[:-1], bounds[1:], strict=False)
        ]
        for each in waiting:
            each.result()
        return raw


def fused(plan: Plan, loaded: LoadedBars, grid: ParameterGrid, threads: int) -> Iterator[Figures]:
    """Yield the figures of consecutive parts of the grid, whose strategy has a rule and whose orders are plain."""
    rule = plan.strategy.rule()
    if rule is None:
        raise ValueError(f"{plan.strategy.id()} declares no rule")
    compile_kernel()
    bench, bank = Bench(plan, loaded, rule, threads), LineBank(loaded.bars, ROOM)
    scale, sizes = _scale(plan, loaded), _sizes(plan, grid)
    with ThreadPoolExecutor(threads) as pool:
        for span, rows in bank.chunks(rule, grid):
            yield figures_of(bench.sums(bank.lines, rows, np.ascontiguousarray(sizes[span]), pool), scale)


def compile_kernel() -> tuple[Path, ...]:
    """Compile the kernel, or load what was compiled, by trading two bars; return the files that keep it."""
    two = np.ones(2)
    course = _course(two, two, np.arange(2))
    terms = Terms(1.0, 0.0, 0.0, 0, 1, 0, entry_crosses=True, exit_crosses=True)
    ground = Ground(course, terms, np.ones((1, 2)))
    machine_code()(ground, rooms(2, 2), np.zeros((1, 4), np.int64), np.ones(1), np.zeros(1, RAW))
    return files_of(machine_code())


def _ends(loaded: LoadedBars, delay: int) -> Integers:
    """Return the bars at whose closes returns are taken.

    Where the first bar is the base it is none of them (A4): nothing can fill there, so its level is the capital.
    """
    session = loaded.session[loaded.history :]
    ends = np.append(np.flatnonzero(session[1:] != session[:-1]), len(session) - 1)
    if base_time(loaded, delay) is None:
        ends = ends[ends > 0]
    return ends + loaded.history


def _course(price: Floats, close: Floats, ends: Integers) -> Course:
    ended = np.searchsorted(ends, np.arange(len(close) + 1))
    return Course(_fixed(price), _fixed(close), _fixed(ends), _fixed(ended))


def _scale(plan: Plan, loaded: LoadedBars) -> Scale:
    year, request = year_of(plan, loaded).periods, plan.request
    risk_free = float((1.0 + request.risk_free) ** (1.0 / year)) - 1.0
    return Scale(request.initial_capital, year, risk_free, len(loaded.bars) - loaded.history)


def _sizes(plan: Plan, grid: ParameterGrid) -> Floats:
    """Return the fraction of equity that an entry of each set spends."""
    sizing = plan.request.sizing
    if isinstance(sizing, PercentEquity):
        return np.broadcast_to(sizing.fraction, (len(grid),))
    if POSITION_SIZE in grid.columns:
        return grid.columns[POSITION_SIZE].astype(np.float64)
    return np.broadcast_to(plan.position_size, (len(grid),))


def _fixed(column: Any) -> Any:
    """Return the column in one piece of memory, read-only."""
    fixed = np.ascontiguousarray(column).view()
    fixed.flags.writeable = False
    return fixed
