"""Sweeps against single runs: every figure of every set, bit for bit, over random bars, costs, fills and parameters."""

import pickle
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import Field

from backtesting.errors import InvalidInputError, NoBarsError
from backtesting.indicators import sma
from backtesting.line_bank import LineBank
from backtesting.rules import Line, Rule, is_above, price
from backtesting.strategies import STRATEGIES
from backtesting.strategy import SearchRange, Strategy, StrategyType
from backtesting.sweep import evaluate_chunk, path_of, sweep, with_first_day
from backtesting.sweep_figures import STATISTICS, joined
from backtesting.types import Asset, AssetClass, Bars, Run, SearchSpace, Signals, Timeframe
from tests.fixtures.in_memory import Desk
from tests.fixtures.series import bars_of, sample_bars
from tests.fixtures.sweeps import prepared, told, wandering

ROOT = Path(__file__).parents[1]
DECLARED = [strategy for strategy in STRATEGIES if strategy.rule()]
SEEDS = range(12)
CROSSOVERS = SearchSpace(parameters={"fast_period": (2, 3, 5, 8), "slow_period": (8, 13, 21, 34)})


class Quarrel(Strategy):
    """Enters while the close is above one mean and leaves while it is above another, so that it often wants both."""

    title: ClassVar[str] = "Quarrel"
    strategy_type: ClassVar[StrategyType] = "benchmark"

    enter: int = Field(default=5, ge=1, description="Bars in the mean to enter above")
    leave: int = Field(default=20, ge=1, description="Bars in the mean to leave above")

    @property
    def warmup(self) -> int:
        return max(self.enter, self.leave) - 1

    @classmethod
    def rule(cls) -> Rule:
        enter, leave = (Line(sma, parameters=(name,)) for name in ("enter", "leave"))
        return Rule(is_above(price("close"), enter), is_above(price("close"), leave))

    def signals(self, bars: Bars) -> Signals:
        enter, leave = sma(bars.close, self.enter), sma(bars.close, self.leave)
        return Signals(bars.close > enter, bars.close > leave, {"enter": enter, "leave": leave})


def some_values(given: SearchRange, kind: type, random: np.random.Generator) -> tuple[Any, ...]:
    """Return up to four values around a parameter's own range, short windows among them."""
    values = np.array(given.values)
    picked = random.choice(np.concatenate([values, values[:3] / (5 if kind is int else 1)]), 4)
    return tuple(dict.fromkeys(max(int(each), 1) if kind is int else float(each) for each in picked))


def space_of(strategy: type[Strategy], random: np.random.Generator) -> SearchSpace:
    fields = strategy.model_fields
    values = {name: some_values(given, fields[name].annotation, random) for name, given in strategy.search.items()}
    return SearchSpace(parameters=values | {name: (*told, fields[name].default) for name, told in values.items()})


def options_of(random: np.random.Generator, n: int) -> dict[str, Any]:
    """Return costs, a fill, a size and a period as a request has them."""
    first = int(random.integers(0, n // 2))
    start = np.datetime64("2020-01-01") + first
    return {
        "fill": str(random.choice(["next_open", "next_close", "same_close"])),
        "fees": float(random.choice([0.0, 0.0001, 0.01, 0.1])),
        "slippage": float(random.choice([0.0, 0.0005, 0.05])),
        "initial_capital": float(10 ** random.uniform(-2, 7)),
        "risk_free": float(random.choice([0.0, 0.03])),
        "start_date": str(start) if random.random() < 0.7 else "2020-01-01",
        "trade_from": str(start + 20) if random.random() < 0.3 else None,
        "sizing": {"method": "percent_equity", "fraction": 0.37} if random.random() < 0.3 else None,
    }


@pytest.mark.parametrize("strategy", DECLARED, ids=lambda each: each.id())
def test_a_declared_rule_gives_every_set_the_figures_of_its_single_run_bit_for_bit(strategy: type[Strategy]) -> None:
    compared = traded = 0
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        n = int(random.integers(60, 700))
        desk = Desk(wandering(seed, n))
        try:
            plan, loaded, grid = prepared(desk, space_of(strategy, random), strategy.id(), **options_of(random, n))
            result = sweep(plan, loaded, grid)
        except NoBarsError:
            continue
        assert result.path == "fused"
        for number in random.permutation(len(grid))[:8]:
            assert_as_single(desk, result, int(number))
            compared += 1
            traded += result.figures.metrics(int(number))["total_trades"] or 0

    assert compared > 40 and traded > compared


def assert_as_single(desk: Desk, result: Any, number: int) -> Run | None:
    if result.figures.failed[number]:
        with pytest.raises(NoBarsError):
            desk.engine.run(result.request_of(number))
        return None
    run = desk.engine.run(result.request_of(number))
    metrics, undefined = told(run)
    assert result.figures.metrics(number) == metrics
    assert result.figures.undefined(number) == undefined
    return run


def test_the_best_set_is_the_single_run_of_its_own_echoed_request() -> None:
    desk = Desk(sample_bars("ibm"))
    plan, loaded, grid = prepared(desk, CROSSOVERS, "sma_crossover", start_date=date(2005, 1, 3))

    result = sweep(plan, loaded, grid)
    best = int(np.nanargmax(result.figures.columns["sharpe_ratio"]))
    run = desk.engine.run(result.request_of(best))

    # 34 closes of the slowest average, less the deciding one, one that fills, one a crossing compares with
    assert result.request.history_bars == 33 + 1 + 1
    assert told(run)[0] == result.figures.metrics(best)
    assert run.summary is not None and run.summary.provenance["history_bars"] == 35


def test_without_stored_history_all_sets_start_on_the_day_the_slowest_can() -> None:
    desk = Desk(wandering(3, 300))
    plan, loaded, grid = prepared(desk, CROSSOVERS, "sma_crossover")

    result = sweep(plan, loaded, grid)
    starts = {desk.engine.run(result.request_of(number)).summary.provenance["first_tradable_bar"] for number in (0, 14)}

    # bar 33 is the first with a mean of 34 closes, bar 34 fills: 2020-02-04
    assert result.request.trade_from == date(2020, 2, 4)
    assert starts == {"2020-02-04T00:00:00+00:00"}


def test_sessions_of_many_bars_are_measured_as_in_single_runs() -> None:
    hours = wandering(8, 24 * 90)
    hourly = Bars(hours.time[0] + 3_600_000_000_000 * np.arange(len(hours)), *hours.ohlcv)
    desk = Desk(hourly, Asset("COIN", "Coin", AssetClass.CRYPTO, "USD"), Timeframe.H1)
    plan, loaded, grid = prepared(desk, CROSSOVERS, "ema_crossover", timeframe="1h")

    result = sweep(plan, loaded, grid)

    # 33 bars and 250 until the mean forgot its seed are wanted, none are stored: the day after 34 hours is the third
    assert result.request.trade_from == date(2020, 1, 3)
    for number in range(len(grid)):
        assert_as_single(desk, result, number)


def test_no_set_depends_on_threads_chunks_or_room_for_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(wandering(5, 400))
    plan, loaded, grid = prepared(desk, CROSSOVERS, "sma_crossover")
    whole = sweep(plan, loaded, grid, threads=1).figures
    common = with_first_day(plan, loaded, grid)

    monkeypatch.setattr("backtesting.line_bank.LEAST", 3)
    monkeypatch.setattr("backtesting.fused_sweep.ROOM", 1)
    parts = [grid[first : first + 5] for first in range(0, len(grid), 5)]
    arrived = pickle.loads(pickle.dumps([(common, loaded, part) for part in parts]))  # noqa: S301 - our own
    chunked = joined(evaluate_chunk(*each, threads=2) for each in arrived)

    assert all(chunked.columns[name].tobytes() == whole.columns[name].tobytes() for name in STATISTICS)


def test_each_line_is_computed_once_however_many_sets_compare_it() -> None:
    plan, loaded, grid = prepared(Desk(wandering(5, 400)), CROSSOVERS, "sma_crossover")
    bank, rule = LineBank(loaded.bars), plan.strategy.rule()
    assert rule is not None

    spans = [span for span, _ in bank.chunks(rule, grid)]

    # windows 2, 3, 5, 8 as fast ones and 8, 13, 21, 34 as slow ones; 8 and 8 is no set, but 8 is both
    assert (spans, len(grid), bank.computed) == ([slice(0, 15)], 15, 7)


@pytest.mark.parametrize(
    "options",
    [{"stop_loss": 0.05}, {"direction": "both"}, {"costs": {"commission": 0.0, "slippage": 0.0, "fixed": 1.0}}],
    ids=["stops", "shorts", "fixed fees"],
)
def test_orders_that_the_kernel_does_not_know_are_run_one_by_one(options: dict[str, Any]) -> None:
    desk = Desk(wandering(6, 200))
    plan, loaded, grid = prepared(desk, CROSSOVERS, "sma_crossover", **options)

    result = sweep(plan, loaded, grid)

    assert result.path == path_of(plan) == "single"
    for number in (0, 7, 14):
        assert_as_single(desk, result, number)


def test_a_strategy_without_a_rule_is_swept_all_the_same() -> None:
    desk = Desk(wandering(7, 300))
    space = SearchSpace(parameters={"period": (5, 7), "multiplier": (1.0, 2.0)})
    plan, loaded, grid = prepared(desk, space, "supertrend")

    result = sweep(plan, loaded, grid)

    assert (result.path, len(result.figures)) == ("single", 4)
    for number in range(4):
        assert_as_single(desk, result, number)


def test_an_exit_beats_an_entry_of_the_same_bar_in_a_sweep_too() -> None:
    desk = Desk(wandering(4, 400), strategies=[Quarrel])
    space = SearchSpace(parameters={"enter": (2, 5, 30), "leave": (3, 20, 60)})
    plan, loaded, grid = prepared(desk, space, Quarrel.id())

    result = sweep(plan, loaded, grid)

    assert result.path == "fused" and (result.figures.columns["total_trades"] > 0).sum() > 4
    for number in range(len(grid)):
        run = assert_as_single(desk, result, number)
        assert run and run.summary and run.summary.counters["conflicting_signals"]


def test_position_size_is_a_parameter_like_any_other() -> None:
    desk = Desk(wandering(9, 300))
    space = SearchSpace(parameters={"period": (5, 7), "position_size": (0.25, 1.0, 1.5)})
    plan, loaded, grid = prepared(desk, space, "rsi")

    result = sweep(plan, loaded, grid)

    assert (len(grid), grid.skipped, result.path) == (4, 2, "fused")
    for number in range(4):
        assert_as_single(desk, result, number)


def test_position_size_beside_a_sizing_is_refused() -> None:
    desk = Desk(wandering(9, 300))
    space = SearchSpace(parameters={"position_size": (0.25, 1.0)})

    with pytest.raises(InvalidInputError, match="space: position_size is short for sizing"):
        sweep(*prepared(desk, space, "rsi", sizing={"method": "fixed_cash", "amount": 100.0}))


def test_figures_are_frozen() -> None:
    figures = sweep(*prepared(Desk(wandering(9, 300)), CROSSOVERS, "sma_crossover")).figures

    with pytest.raises(ValueError, match="read-only"):
        figures.columns["total_return"][0] = 1.0


def test_prices_that_never_move_fail_a_set_in_the_words_of_its_single_run() -> None:
    desk = Desk(bars_of(np.full(100, 10.0)))
    space = SearchSpace(parameters={"period": (5, 7)})

    figures = sweep(*prepared(desk, space, "bollinger_reversion")).figures

    assert figures.failed.all() and "undefined on all 100 bars" in str(figures.failure)
    assert figures.metrics(0) == dict.fromkeys(STATISTICS)
    assert set(figures.undefined(0).values()) == {"not_computed"}


def test_bars_that_end_before_the_slowest_set_can_fill_are_refused() -> None:
    plan, loaded, grid = prepared(Desk(wandering(1, 34)), CROSSOVERS, "sma_crossover")

    with pytest.raises(NoBarsError, match="33 bars of warm-up, and 34 bars are stored"):
        sweep(plan, loaded, grid)


def test_a_sweep_tells_how_far_it_is_and_ends_when_told_to() -> None:
    plan, loaded, grid = prepared(Desk(wandering(2, 120)), CROSSOVERS, "sma_crossover", stop_loss=0.1)
    heard = []

    sweep(plan, loaded, grid, on_chunk=lambda done, total: heard.append((done, total)))

    def stop(done: int, total: int) -> None:
        raise InterruptedError(done, total)

    assert heard[-1] == (15, 15)
    with pytest.raises(InterruptedError):
        sweep(plan, loaded, grid, on_chunk=stop)


def test_a_change_of_any_source_is_never_hidden_by_machine_code_kept_on_disk(tmp_path: Path) -> None:
    # with the machine code that is kept beside the sources, if any; others may be writing there
    half_written = shutil.ignore_patterns("*.pyc*", "*.tmp*")
    shutil.copytree(ROOT / "backtesting", tmp_path / "backtesting", ignore=half_written)
    source = tmp_path / "backtesting" / "sweep_kernel" / "account.py"

    before = final_capital_in(tmp_path)
    source.write_text(source.read_text().replace("fill = price * (1 - terms.slippage)", "fill = 2.0 * price"))

    # 100 bought at 1 and sold at 1, or at 2
    assert (before, final_capital_in(tmp_path)) == ("100.0", "200.0")


def final_capital_in(folder: Path) -> str:
    """Return what 100 become by one trade of the package in this folder."""
    code = """
import numpy as np
from backtesting.sweep_kernel import RAW, Course, Ground, Terms, machine_code, rooms
def fixed(column):
    column.flags.writeable = False
    return column
course = Course(fixed(np.ones(4)), fixed(np.ones(4)), fixed(np.arange(4)), fixed(np.arange(5)))
terms = Terms(100.0, 0.0, 0.0, 0, 1, 0, False, False)
lines, raw = np.array([[1.0, 0, 0, 0], [0, 0, 0, 0], [0, 1.0, 0, 0]]), np.zeros(1, RAW)
machine_code()(Ground(course, terms, lines), rooms(4, 4), np.array([[0, 1, 2, 1]]), np.ones(1), raw)
print(raw["final"][0])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_machine_code_is_loaded_and_run_by_a_process_that_did_not_compile_it() -> None:
    code = "from backtesting.sweep import warm; warm()\nfrom backtesting.sweep_kernel import machine_code\n"
    code += "print(sum(machine_code().stats.cache_hits.values()))"

    told_by = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]

    assert told_by[1].stdout.split() == ["1"]
