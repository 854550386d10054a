"""How a sweep is called: threads, progress, the word to end, and parameters of every kind."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import Field

from backtesting.errors import InvalidInputError
from backtesting.evaluation import first_defined
from backtesting.fused_sweep import fused
from backtesting.indicators import sma
from backtesting.parameter_grid import expand
from backtesting.strategy import Strategy, StrategyType
from backtesting.sweep import SweepResult, evaluate_chunk, sweep, with_first_day
from backtesting.sweep_figures import STATISTICS, joined
from backtesting.types import Bars, SearchSpace, Signals
from tests.fixtures.in_memory import Desk
from tests.fixtures.sweeps import prepared, told, wandering

CROSSOVERS = SearchSpace(parameters={"fast_period": (2, 3, 5, 8), "slow_period": (8, 13, 21, 34)})
SETS = 15  # 8 and 8 is none
STOPS = {"stop_loss": 0.05}  # which the sweep's own kernel does not know


class Above(Strategy):
    """Holds while a price is above its mean; which price is a word."""

    title: ClassVar[str] = "Above"
    strategy_type: ClassVar[StrategyType] = "benchmark"

    price: Literal["open", "close"] = Field(default="close", description="The price that is compared")
    strict: bool = Field(default=True, description="Whether to leave as soon as the price is not above")
    period: int = Field(default=10, ge=1, description="Bars in the mean")

    @property
    def warmup(self) -> int:
        return self.period - 1

    def signals(self, bars: Bars) -> Signals:
        mean, price = sma(bars.close, self.period), getattr(bars, self.price)
        return Signals(price > mean, price <= mean if self.strict else price < 0.99 * mean, {"mean": mean})


def bits(result: SweepResult) -> list[bytes]:
    return [result.figures.columns[name].tobytes() for name in STATISTICS]


@pytest.mark.parametrize("options", [{}, STOPS], ids=["fused", "single"])
def test_any_number_of_threads_comes_to_the_same(options: dict[str, Any]) -> None:
    call = prepared(Desk(wandering(5, 400)), CROSSOVERS, "sma_crossover", **options)

    results = [sweep(*call, threads=count) for count in (1, 2, 5)]

    assert {each.path for each in results} == {"single" if options else "fused"}
    assert bits(results[0]) == bits(results[1]) == bits(results[2])


def test_both_paths_come_to_the_same_where_both_can() -> None:
    call = prepared(Desk(wandering(11, 300)), CROSSOVERS, "sma_crossover")
    never = prepared(Desk(wandering(11, 300)), CROSSOVERS, "sma_crossover", stop_loss=0.999_999)

    ours, theirs = sweep(*call), sweep(*never)

    assert (ours.path, theirs.path) == ("fused", "single")
    for number in range(SETS):
        assert ours.figures.metrics(number) == pytest.approx(theirs.figures.metrics(number), rel=1e-12)
        assert ours.figures.undefined(number) == theirs.figures.undefined(number)


def test_words_and_truths_are_parameters_like_numbers() -> None:
    desk = Desk(wandering(12, 200), strategies=[Above])
    space = SearchSpace(parameters={"price": ("close", "open"), "strict": (True, False), "period": (5, 20)})
    result = sweep(*prepared(desk, space, Above.id()))

    singles = [desk.engine.run(result.request_of(number)) for number in range(8)]

    assert result.grid.parameters(3) == {"price": "close", "strict": False, "period": 20, "position_size": 1.0}
    assert [result.figures.metrics(number) for number in range(8)] == [told(each)[0] for each in singles]
    assert len({each.summary.metrics["total_return"] for each in singles if each.summary}) == 8


def test_a_word_that_the_parameter_does_not_take_is_no_set() -> None:
    space = SearchSpace(parameters={"price": ("close", "clsoe"), "period": (5, 20)})

    grid = expand(Above, space, {})

    assert (len(grid), grid.skipped) == (2, 2)
    assert grid.reason and "clsoe" in grid.reason and "'close'" in grid.reason


def test_one_set_is_a_sweep_too() -> None:
    desk = Desk(wandering(13, 200))
    result = sweep(*prepared(desk, SearchSpace(parameters={"slow_period": (30,)}), "sma_crossover"))

    single = desk.engine.run(result.request_of(0))

    assert (len(result.figures), result.path) == (1, "fused")
    assert (result.figures.metrics(0), result.figures.undefined(0)) == told(single)


def test_progress_is_told_after_each_part_up_to_the_last_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backtesting.line_bank.MOST_SETS", 6)
    heard: list[tuple[int, int]] = []

    sweep(*prepared(Desk(wandering(2, 120)), CROSSOVERS, "sma_crossover"), on_chunk=lambda *told: heard.append(told))

    assert heard == [(6, SETS), (12, SETS), (15, SETS)]


@pytest.mark.parametrize("options", [{}, STOPS], ids=["fused", "single"])
def test_no_further_part_is_begun_once_the_sweep_was_told_to_end(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backtesting.line_bank.MOST_SETS", 4)
    monkeypatch.setattr("backtesting.sweep.RUNS_AT_ONCE", 4)
    heard: list[int] = []

    def stop_at_the_second(done: int, _: int) -> None:
        heard.append(done)
        if len(heard) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        sweep(*prepared(Desk(wandering(2, 120)), CROSSOVERS, "sma_crossover", **options), on_chunk=stop_at_the_second)

    assert heard == [4, 8]


def test_a_part_of_a_grid_has_the_figures_of_its_place_in_the_whole() -> None:
    plan, loaded, grid = prepared(Desk(wandering(5, 400)), CROSSOVERS, "sma_crossover")
    whole, common = sweep(plan, loaded, grid).figures, with_first_day(plan, loaded, grid)

    part = evaluate_chunk(common, loaded, grid[7:9])

    assert len(part) == 2
    assert [part.metrics(number) for number in (0, 1)] == [whole.metrics(number) for number in (7, 8)]


def test_joined_parts_keep_the_first_reason_of_a_failure() -> None:
    figures = sweep(*prepared(Desk(wandering(5, 400)), CROSSOVERS, "sma_crossover")).figures
    parts = [replace(figures, failure=reason) for reason in (None, "the first", "the second")]

    whole = joined(parts)

    assert (len(whole), whole.failure) == (3 * SETS, "the first")


def test_a_space_of_which_no_set_is_valid_is_refused_with_the_reason() -> None:
    space = SearchSpace(parameters={"fast_period": (50, 60), "slow_period": (10, 20)})

    with pytest.raises(InvalidInputError, match=r"none of 4 combinations is valid: .*fast_period 50 must be below"):
        prepared(Desk(wandering(1, 100)), space, "sma_crossover")


def test_the_kernel_asks_for_a_rule() -> None:
    desk, space = Desk(wandering(1, 100), strategies=[Above]), SearchSpace(parameters={"period": (5, 7)})
    plan, loaded, grid = prepared(desk, space, Above.id())

    with pytest.raises(ValueError, match=f"{Above.id()} declares no rule"):
        next(fused(plan, loaded, grid, 1))


@pytest.mark.parametrize("at", [0, 1, 255, 256, 257, 767, 768, 999])
def test_the_first_defined_bar_is_found_wherever_it_is(at: int) -> None:
    late, gaps = np.full(1000, np.nan), np.ones(1000)
    late[at:] = 1.0
    gaps[[0, at]] = np.nan, np.inf

    assert first_defined([late], 0, 1000) == at
    assert first_defined([late], min(at + 3, 999), 1000) == min(at + 3, 999)
    assert first_defined([late], 0, at) is None
    assert first_defined([late, gaps], 0, 1000) == (at + 1 if at < 999 else None)
    assert first_defined([], 5, 6) == 5
