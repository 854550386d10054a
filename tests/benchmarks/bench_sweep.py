"""How fast a sweep is, as ratios to a hand-written loop and to vectorbt's broadcast, in turns in one run.

Run alone, from the project's folder: `python -m tests.benchmarks.bench_sweep`; `--help` tells how to make it smaller.
The crossovers of moving averages are swept: 10,000 sets of 1,260 daily bars and 1,000 sets of 100,000 hourly ones.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backtesting.data_loader import LoadedBars
from backtesting.evaluation import Plan
from backtesting.parameter_grid import ParameterGrid, expand
from backtesting.sweep import sweep, warm, with_history
from backtesting.types import NS_PER_DAY, Asset, AssetClass, Bars, SearchSpace, Timeframe
from tests.benchmarks.comparison import Target, bounded, heading, in_turns, told
from tests.benchmarks.sweep_floor import averages, crossovers
from tests.fixtures.in_memory import FIRST_INSTANT, Desk

COIN = Asset("COIN", "Coin", AssetClass.CRYPTO, "USD")
RATE = 0.001
MOST_OF_FLOOR, MOST_OF_BROADCAST, MOST_MEGABYTES = 3, 1 / 40, 300
CELLS = 5_000_000  # bars x sets that vectorbt broadcasts at once; more takes gigabytes
GROWTH = (100, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Job:
    """A sweep: its bars, its windows, and what is loaded of it."""

    name: str
    bars: Bars
    fast: range
    slow: range
    plan: Plan
    loaded: LoadedBars
    space: SearchSpace

    @property
    def pairs(self) -> Any:
        """The places of both windows of each set among all windows."""
        fast, slow = np.meshgrid(np.arange(len(self.fast)), np.arange(len(self.slow)), indexing="ij")
        return np.stack([fast.ravel(), slow.ravel() + len(self.fast)], axis=1)

    @property
    def windows(self) -> Any:
        """All windows, the fast ones first."""
        return np.array([*self.fast, *self.slow])

    def grid(self) -> ParameterGrid:
        """Expand the space."""
        return expand(type(self.plan.strategy), self.space, self.plan.request.parameters)

    def ours(self, threads: int = 1) -> object:
        """Sweep, from the search space to the figures."""
        return sweep(self.plan, self.loaded, self.grid(), threads=threads)


def job(name: str, n: int, timeframe: Timeframe, fast: range, slow: range, sizes: int = 1) -> Job:  # noqa: PLR0913, PLR0917 - what is swept
    """Make a random walk, and a request over it."""
    random = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, n)))
    open_ = close * np.exp(random.normal(0, 0.002, n))
    step = NS_PER_DAY if timeframe is Timeframe.D1 else NS_PER_DAY // 24
    high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    bars = Bars(FIRST_INSTANT + step * np.arange(n), open_, high, low, close, np.full(n, 1000.0))
    desk = Desk(bars, COIN, timeframe)
    ranges = {
        name: {"low": each[0], "high": each[-1], "step": each.step}
        for name, each in (("fast_period", fast), ("slow_period", slow))
    }
    shares = [number / sizes for number in range(1, sizes + 1)]
    space = SearchSpace.model_validate({"parameters": ranges | {"position_size": shares}})
    options = {"timeframe": timeframe.value, "fees": RATE, "slippage": RATE}
    plan = desk.engine.plan(desk.request("sma_crossover", **options))
    plan = with_history(plan, expand(type(plan.strategy), space, plan.request.parameters))
    return Job(name, bars, fast, slow, plan, desk.load(plan.history, **options), space)


def years() -> Job:
    """Return 10,000 sets of five years of days."""
    return job("10,000 sets x 1,260 bars", 1260, Timeframe.D1, range(2, 102), range(102, 202))


def decade() -> Job:
    """Return 1,000 sets of eleven years of hours."""
    return job("1,000 sets x 100,000 bars", 100_000, Timeframe.H1, range(5, 105, 4), range(110, 510, 10))


def floor(job: Job) -> Callable[[], object]:
    """Return the hand-written sweep of the same sets."""
    day = job.bars.time // NS_PER_DAY
    ends = np.append(day[1:] != day[:-1], True)

    def run() -> object:
        lines = averages(job.bars.close, job.windows)
        return crossovers(job.bars.open, job.bars.close, lines, job.pairs, (RATE, RATE), ends)

    return run


def broadcast(job: Job, share: int) -> Callable[[], object]:
    """Return vectorbt's sweep of one set in `share`, as many at once as its memory allows."""
    import pandas as pd  # noqa: PLC0415 - the peers alone need them
    import vectorbt as vbt  # noqa: PLC0415

    index = pd.DatetimeIndex(job.bars.time, tz="UTC")
    close, price = pd.Series(job.bars.close, index), pd.Series(job.bars.open, index)
    windows, pairs = job.windows, job.pairs[::share]
    most = max(CELLS // len(close), 1)

    def chunk(some: Any) -> object:
        fast, slow = (pd.DataFrame(vbt.MA.run(close, windows[some[:, side]]).ma.values, index) for side in (0, 1))
        decided = [fast.vbt.crossed_above(slow), fast.vbt.crossed_below(slow)]
        entries, exits = (each.vbt.fshift(1, fill_value=False).astype(bool) for each in decided)
        book = vbt.Portfolio.from_signals(close, entries, exits, price=price, fees=RATE, slippage=RATE, freq="1D")
        figures = [book.final_value(), book.total_return(), book.max_drawdown(), book.sharpe_ratio()]
        figures += [book.annualized_return(), book.annualized_volatility()]
        return [*figures, book.trades.count(), book.trades.win_rate()]

    def run() -> object:
        return [chunk(pairs[first : first + most]) for first in range(0, len(pairs), most)]

    return run


def compared(job: Job, rounds: int, share: int) -> bool:
    """Time a sweep beside its peers, and hold the ratios against the targets."""
    works = {"floor, one thread": floor(job), "ours, one thread": job.ours}
    seconds = in_turns(rounds + 1, works, clock=time.process_time)
    least = Target("ours, one thread", "floor, one thread", MOST_OF_FLOOR)
    held = told(f"{job.name}, time of the processor", _warm(seconds), [least])
    if not share:
        return held
    name = f"vectorbt, 1 in {share} sets"
    works = {"ours, one thread": job.ours, "ours, two threads": lambda: job.ours(2), name: broadcast(job, share)}
    broad = Target("ours, two threads", name, share * MOST_OF_BROADCAST)
    return told(f"{job.name}, time that passes", _warm(in_turns(rounds + 1, works)), [broad]) and held


def _warm(seconds: dict[str, list[float]]) -> dict[str, list[float]]:
    """Leave out the first round, which compiles and fills caches."""
    return {name: each[1:] for name, each in seconds.items()}


def memory(name: str) -> bool:
    """Sweep in a process of its own and look at the most memory it ever held."""
    told_by = subprocess.run(command("--only", name), check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return bounded(f"most memory of {name}", float(told_by[0]), MOST_MEGABYTES, " MB")


def growth(sets: int) -> tuple[float, float, float]:
    """Sweep so many sets in a process of its own; seconds of the processor, megabytes before and at most."""
    told_by = subprocess.run(command("--sets", str(sets)), check=True, stdout=subprocess.PIPE, text=True)
    seconds, before, most = map(float, told_by.stdout.split())
    return seconds, before, most


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", __spec__.name if __spec__ else __name__, *arguments]


def peak() -> float:
    """Return the most memory this process held, in megabytes.

    Linux hands the `ru_maxrss` of a parent on to its children, but not the high-water mark of its memory.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    lines = status.read_text(encoding="utf-8").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024 / 1e6


def many(sets: int) -> None:
    """Sweep so many sets of five years, and print what it took."""
    side = min(round(sets**0.5), 100)
    wide = job("growth", 1260, Timeframe.D1, range(2, 2 + side), range(102, 102 + side), sets // side**2)
    warm()
    before, begun = peak(), time.process_time()
    wide.ours(2)
    print(time.process_time() - begun, before, peak())


def grown() -> bool:
    """Show time and memory against the number of sets: the one linear, the other what parameters and figures take."""
    print("\nfrom 100 to 1,000,000 sets x 1,260 bars, each in a process of its own")
    found = {sets: growth(sets) for sets in GROWTH}
    for sets, (seconds, before, most) in found.items():
        print(
            f"  {sets:>9,} sets  {1e6 * seconds / sets:>10,.1f} us of processor each   {before:,.0f} to {most:,.0f} MB"
        )
    (few, *_), (most_seconds, before, most) = found[GROWTH[-2]], found[GROWTH[-1]]
    ratio = most_seconds / few / (GROWTH[-1] / GROWTH[-2])
    return bounded("time a set at 1,000,000 / at 100,000", ratio, 1.5) and bounded(
        "memory a set at 1,000,000", 1e6 * (most - before) / GROWTH[-1], 500, " bytes"
    )


def main() -> int:
    """Measure all, print the table, and end with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=int, default=20, help="vectorbt sweeps one set in so many; 0 leaves it out")
    parser.add_argument("--no-growth", action="store_true")
    parser.add_argument("--only", choices=["years", "decade"], help=argparse.SUPPRESS)
    parser.add_argument("--sets", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        {"years": years, "decade": decade}[options.only]().ours(2)
        print(peak())
        return 0
    if options.sets:
        many(options.sets)
        return 0
    if options.share:
        import vectorbt  # noqa: F401, PLC0415 - before our kernels provide its records in its place
    print(heading("numpy", "numba", "vectorbt", "vectorbt-rust"))
    warm()
    held = [compared(each(), options.rounds, options.share) for each in (years, decade)]
    held += [memory("years"), memory("decade")]
    held += [] if options.no_growth else [grown()]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
