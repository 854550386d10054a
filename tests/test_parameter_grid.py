"""Search spaces become columns of the combinations that a strategy accepts."""

import pytest
from pydantic import ValidationError

from backtesting.errors import InvalidInputError
from backtesting.parameter_grid import ParameterGrid, expand
from backtesting.strategies.macd import MacdCrossover
from backtesting.strategies.rsi import RsiReversal
from backtesting.strategies.sma_crossover import SmaCrossover
from backtesting.types import SearchSpace, ValueRange, validated

FIXED = {"fast_period": 20, "slow_period": 50, "position_size": 1.0}


def space(**parameters: object) -> SearchSpace:
    return SearchSpace.model_validate({"parameters": parameters})


def rows(grid: ParameterGrid) -> list[tuple[object, ...]]:
    return list(zip(*(column.tolist() for column in grid.columns.values()), strict=True))


def test_the_last_parameter_changes_fastest_and_invalid_combinations_are_counted() -> None:
    grid = expand(SmaCrossover, space(fast_period=[5, 10], slow_period={"low": 5, "high": 15, "step": 5}), FIXED)

    assert rows(grid) == [(5, 10), (5, 15), (10, 15)]
    assert grid.skipped == 3
    assert grid.reason and "fast_period 5 must be below slow_period 5" in grid.reason


def test_parameters_that_are_not_searched_stay_as_requested() -> None:
    grid = expand(SmaCrossover, space(fast_period=[5, 10]), FIXED)

    assert grid.parameters(1) == {"slow_period": 50, "position_size": 1.0, "fast_period": 10}
    assert grid.made(1) == (SmaCrossover(fast_period=10), 1.0)
    assert grid[1:].parameters(0) == grid.parameters(1)


def test_whole_numbers_stay_whole_however_they_are_written() -> None:
    grid = expand(SmaCrossover, space(fast_period={"low": 5.0, "high": 10.0, "step": 5.0}), FIXED)

    assert grid.columns["fast_period"].dtype.kind == "i"


def test_numbers_of_a_fractional_parameter_are_fractional_however_they_are_written() -> None:
    grid = expand(RsiReversal, space(oversold=[20, 30]), RsiReversal.default_parameters())

    assert grid.columns["oversold"].dtype.kind == "f"


def test_the_sets_that_need_most_bars_are_known() -> None:
    grid = expand(MacdCrossover, space(slow=[20, 40], signal=[5, 9]), MacdCrossover.default_parameters())

    assert (grid.longest.warmup, grid.slowest.warmup + grid.slowest.unstable) == (40 + 9 - 2, 40 + 9 - 2 + 250)


def test_a_value_that_is_none_of_the_parameters_is_skipped_with_its_reason() -> None:
    grid = expand(SmaCrossover, space(fast_period=[0, 2.5, 5]), FIXED)

    assert (rows(grid), grid.skipped) == ([(5,)], 2)
    assert grid.reason and "fast_period" in grid.reason


def test_an_unknown_parameter_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(InvalidInputError, match=r"space.fast: unknown parameter - did you mean 'fast_period'\?"):
        expand(SmaCrossover, space(fast=[5]), FIXED)


def test_too_many_combinations_are_refused_by_their_number_and_the_limit() -> None:
    wide = {"low": 1, "high": 4000, "step": 1}

    with pytest.raises(InvalidInputError, match="16,000,000 combinations, at most 1,000,000"):
        expand(SmaCrossover, space(fast_period=wide, slow_period=wide), FIXED)


def test_a_space_without_a_valid_combination_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidInputError, match=r"none of 1 combinations is valid: .*must be below"):
        expand(SmaCrossover, space(fast_period=[50]), FIXED)


@pytest.mark.parametrize(("low", "high", "step"), [(5, 5, 1), (5, 10, 0), (5, 10, 3), (0, 1e9, 1)])
def test_what_is_no_range_is_refused(low: float, high: float, step: float) -> None:
    with pytest.raises(ValidationError):
        ValueRange(low=low, high=high, step=step)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"low": 50, "high": 5, "step": 5}, "high has to be one or more whole steps above low"),
        ({"low": 5, "high": 50, "step": 0}, "step above 0"),
        ({"low": 5, "high": 50}, "is required"),
        ("5-50", "has to be an object of names and values, got '5-50'"),
        ([], "has to hold 1 at least"),
    ],
)
def test_a_space_that_cannot_be_meant_is_refused_in_one_plain_sentence(given: object, told: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        validated(SearchSpace, parameters={"fast_period": given})

    assert told in str(refused.value) and str(refused.value).count("fast_period") == 1
