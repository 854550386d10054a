"""How fast one backtest is, cache to trades, beside other engines that run in turns with it.

Run alone, from the project's folder: `python -m tests.benchmarks.bench_engine`. An engine of another environment takes
part where its interpreter is named, e.g. BENCH_BACKTESTING_PY=/path/to/python, BENCH_BACKTRADER or
BENCH_NAUTILUS_TRADER. Seconds are the processor's, which leaves out what others do on the machine meanwhile.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np

from backtesting.engine import BacktestEngine
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import (
    NS_PER_DAY,
    Asset,
    AssetClass,
    BacktestRequest,
    BacktestResult,
    Bars,
    Coverage,
    Run,
    Timeframe,
    instant,
    nanoseconds,
)
from database.bar_cache import BarCache
from tests.benchmarks.comparison import heading

PEERS = Path(__file__).with_name("peers.py")
START = datetime(2015, 1, 1, tzinfo=UTC)
LARGEST_DAILY, MINUTE = 5_000, 60_000_000_000
FASTER_THAN: Mapping[str, Mapping[int, float]] = {
    "vectorbt": {1_260: 150, 1_000_000: 10},
    "backtesting.py": {1_260: 35, 1_000_000: 45},
}
LARGEST_OF_SLOW = 100_000  # bars; beyond, these engines take minutes
SLOW = ("backtrader", "nautilus_trader")
SHORT, GATE = 1_260, 30.0  # 36 to 46 are measured on a busy machine, so a fifth less is regression enough


def walk(count: int) -> Bars:
    """Return a random walk: weekdays for as many as there are in some years, minutes for more."""
    noise = np.random.default_rng(7)
    daily = count <= LARGEST_DAILY
    close = 100 * np.exp(np.cumsum(noise.normal(0, 0.01 if daily else 0.0005, count)))
    open_, reach = np.concatenate([close[:1], close[:-1]]), 1 + np.abs(noise.normal(0, 0.001, count))
    first = nanoseconds(START)
    if daily:
        days = first // NS_PER_DAY + np.arange(2 * count)
        time_ = days[(days + 3) % 7 < 5][:count] * NS_PER_DAY  # 1970 began on a Thursday
    else:
        time_ = first + MINUTE * np.arange(count)
    high, low = np.maximum(open_, close) * reach, np.minimum(open_, close) / reach
    return Bars(time_, open_, high, low, close, noise.integers(1, 1000, count).astype(float))


class OneSeries:
    """A source of one series, mapped from the cache as the server maps it, and nowhere to keep runs."""

    def __init__(self, bars: Bars, folder: Path) -> None:
        daily = len(bars) <= LARGEST_DAILY
        self.timeframe = Timeframe.D1 if daily else Timeframe.M1
        exchange = "XNYS" if daily else None
        self._asset = Asset("WALK", "Walk", AssetClass.EQUITY if daily else AssetClass.CRYPTO, "USD", exchange)
        self._cache = BarCache(folder, "bench")
        self._cache.put(str(len(bars)), "1", bars)
        self._series = str(len(bars))
        self._coverage = [Coverage(self.timeframe, instant(bars.time[0]), instant(bars.time[-1]), "1")]

    def asset(self, _: str) -> Asset:
        """Return the asset."""
        return self._asset

    def coverage(self, _: str) -> Sequence[Coverage]:
        """Return the series."""
        return self._coverage

    def load(self, _: str, __: Timeframe, start: datetime, end: datetime, history: int) -> Bars:
        """Return the bars of a period."""
        bars = self._cache.get(self._series, "1")
        assert bars is not None
        return bars.window(start, end, history)

    def add(self, run: Run, result: BacktestResult | None) -> None:
        """Forget the run."""

    def completed(self, _: str) -> Sequence[Run]:
        """Return none."""
        return []


def ours(bars: Bars, folder: Path) -> Callable[[], object]:
    """Return the call: load from the cache, signals, simulation, metrics, review, trades."""
    source = OneSeries(bars, folder)
    engine = BacktestEngine(StrategyRegistry(STRATEGIES), source, source)
    request = BacktestRequest.model_validate(
        {
            "strategy_id": "sma_crossover",
            "asset_symbol": "WALK",
            "start_date": instant(bars.time[0]).date(),
            "end_date": instant(bars.time[-1]).date(),
            "initial_capital": 100_000.0,
            "parameters": {"fast_period": 10, "slow_period": 30},
            "timeframe": source.timeframe,
            "costs": {"commission": 0.001, "slippage": 0.0},
        }
    )
    return lambda: engine.run(request, rerun=True)


@contextmanager
def peer(interpreter: str, engine: str, data: Path) -> Iterator[Callable[[], float]]:
    """Start an engine on the data, and return what runs it once and tells the seconds."""
    command = [interpreter, str(PEERS), engine, str(data)]
    # as a program apart: in the project's folder, `import backtesting` would find ours
    with subprocess.Popen(
        command, cwd=data.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        pipe, answers = process.stdin, process.stdout
        if answers.readline() != "ready\n":
            raise RuntimeError(f"{engine} does not run in {interpreter}")

        def once() -> float:
            print(file=pipe, flush=True)
            return float(answers.readline())

        yield once
        pipe.close()


def timed(work: Callable[[], object]) -> float:
    """Return the processor's seconds it takes."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def interpreters() -> dict[str, str | None]:
    """Return where each peer runs; vectorbt is a dependency of ours."""
    named = {name: os.environ.get(f"BENCH_{name.upper().replace('.', '_')}") for name in ("backtesting.py", *SLOW)}
    return {"vectorbt": sys.executable} | named


def measured(count: int, rounds: int, chosen: Mapping[str, str | None]) -> dict[str, list[float]]:
    """Run ours and the chosen peers in turns; the seconds by name."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bars, data = walk(count), folder / "walk.npz"
        names = ("time", "open", "high", "low", "close", "volume")
        np.savez(data, **{name: getattr(bars, name) for name in names})
        works: dict[str, Callable[[], float]] = {}
        for name, interpreter in chosen.items():
            if interpreter and (name not in SLOW or count <= LARGEST_OF_SLOW):
                works[name] = stack.enter_context(peer(interpreter, name, data))
        call = ours(bars, folder / "cache")
        for _ in range(3):
            call()
        seconds: dict[str, list[float]] = {name: [] for name in ("ours", *works)}
        for _ in range(rounds):
            seconds["ours"].append(median(timed(call) for _ in range(5)))
            for name, once in works.items():
                seconds[name].append(once())
        return seconds


def rows(count: int, seconds: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Return the rows of the table: each engine's median and spread, and how much faster ours was, with the target."""
    own = median(seconds["ours"])
    for name, each in seconds.items():
        target = FASTER_THAN.get(name, {}).get(count)
        ratio = median(each) / own
        held = "" if target is None else f" (target {target:g}, {'holds' if ratio >= target else 'missed'})"
        told = "" if name == "ours" else f"{ratio:,.0f} times faster{held}"
        spread = f"{1e3 * min(each):,.2f} to {1e3 * max(each):,.2f}"
        yield f"| {count:,} | {name} | {1e3 * median(each):,.2f} | {spread} | {told} |"


def gate(rounds: int) -> int:
    """Return 1 where a short call is not clearly faster than vectorbt's in the same run, whatever the machine."""
    seconds = measured(SHORT, rounds, {"vectorbt": sys.executable})
    ratio = min(seconds["vectorbt"]) / min(seconds["ours"])  # what others on the machine disturbed least
    print(f"a run of {SHORT:,} bars is {ratio:,.0f} times faster than vectorbt's, at least {GATE:g}")
    return 0 if ratio >= GATE else 1


def main() -> int:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, nargs="*", default=[1_260, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--gate", action="store_true", help=f"only see that ours is {GATE:g} times vectorbt's speed")
    options = parser.parse_args()
    chosen = interpreters()
    if options.gate:
        return gate(options.rounds)
    print(f"{heading('numpy', 'vectorbt', 'vectorbt-rust', 'pandas')}\n")
    print("| bars | engine | median ms | from, to | ours is |\n|--:|---|--:|---|---|")
    for count in options.bars:
        print("\n".join(rows(count, measured(count, options.rounds if count < 1_000_000 else 3, chosen))), flush=True)
    for name in (name for name, interpreter in chosen.items() if not interpreter):
        print(f"\n{name} did not take part: its interpreter is not named")
    return 0


if __name__ == "__main__":
    sys.exit(main())
