"""What is refused is told in plain words: what would be right, under the name the caller gave it."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from backtesting.errors import InvalidInputError, UnknownNameError, nearest
from backtesting.types import BacktestRequest, Costs, Input, Timeframe, validated


class Inner(Input):
    alpha: int
    omega: float = 0.0


class Asked(Input):
    count: Annotated[int, Field(ge=1, lt=10)] = 1
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.5
    really: bool = False
    name: Annotated[str, Field(min_length=1, max_length=5, pattern="^[a-z]*$")] = "name"
    names: Annotated[list[str] | None, Field(min_length=2, max_length=3)] = None
    inner: Inner | None = None
    inners: dict[str, Inner] | None = None
    day: date | None = None
    mark: Literal[".", ","] = "."
    timeframe: Annotated[Timeframe, Field(strict=False)] = Timeframe.D1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"count": 0}, "count: has to be at least 1, got 0"),
        ({"count": 10}, "count: has to be below 10, got 10"),
        ({"count": "x"}, "count: has to be a whole number, got 'x'"),
        ({"count": 1.5}, "count: has to be a whole number, got 1.5"),
        ({"share": 0.0}, "share: has to be above 0, got 0.0"),
        ({"share": 0.75}, "share: has to be at most 0.5, got 0.75"),
        ({"share": "half"}, "share: has to be a number, got 'half'"),
        ({"share": float("nan")}, "share: has to be a finite number, got nan"),
        ({"really": "yes"}, "really: has to be true or false, got 'yes'"),
        ({"name": 1}, "name: has to be text, got 1"),
        ({"name": ""}, "name: has less than 1 characters, got ''"),
        ({"name": "abcdef"}, "name: has more than 5 characters, got 'abcdef'"),
        ({"name": "A"}, "name: holds characters that are not allowed here, got 'A'"),
        ({"names": "a"}, "names: has to be a list, got 'a'"),
        ({"names": ["a"]}, "names: holds 1, has to hold 2 at least, got ['a']"),
        ({"names": list("abcd")}, "names: holds 4, may hold 3 at most, got ['a', 'b', 'c', 'd']"),
        ({"inner": 1}, "inner: has to be an object of names and values, got 1"),
        ({"inner": {}}, "inner.alpha: is required"),
        ({"inner": {"alhpa": 1, "alpha": 1}}, "inner.alhpa: unknown field - did you mean 'alpha'? (known: alpha"),
        ({"inners": [1]}, "inners: has to be an object of names and values, got [1]"),
        ({"day": "yesterday"}, "day: a day is written like 2005-01-03, got 'yesterday'"),
        ({"mark": ";"}, "mark: unknown value ';'; known: '.', ','"),
        ({"timeframe": "1D"}, "timeframe: unknown value '1D' - did you mean '1d'?; known: '1m', '5m'"),
        ({"cuont": 1}, "cuont: unknown field - did you mean 'count'? (known: count, day, inner, inners, mark, name"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_told_with_what_would_be_right(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        validated(Asked, **given)

    assert str(refused.value).startswith(told)
    assert "nput should" not in told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"stop_loss": "2xyz"}, "stop_loss: has to be a number, the fraction of the price such as 0.05, or {"),
        ({"trailing_stop": {"art": 2}}, "trailing_stop.art: unknown field - did you mean 'atr'? (known: atr, period)"),
        ({"costs": "us_equty"}, "costs: unknown value 'us_equty' - did you mean 'us_equity'?; known: 'us_eq"),
        ({"costs": "us_equty"}, 'or rates such as {"commission": 0.001, "slippage": 0.0005}'),
        ({"costs": {"comission": 1}}, "costs.comission: unknown field - did you mean 'commission'?"),
        ({"sizing": "kelly"}, 'sizing: has to be an object such as {"method": "fixed_cash", "amount": 5000}, got'),
        ({"sizing": {"amount": 1}}, "sizing.method: is required"),
        ({"sizing": {"method": "fixedcash"}}, "sizing.method: unknown value 'fixedcash' - did you mean 'fixed_cash'?;"),
        ({"sizing": {"method": "kelly", "fracton": 1}}, "sizing.fracton: unknown field - did you mean 'fraction'?"),
    ],
)  # fmt: skip
def test_what_may_be_written_in_several_forms_is_told_with_them(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        validated(BacktestRequest, **given)

    assert told in str(refused.value)


def test_an_unknown_name_is_told_under_the_callers_name_for_it() -> None:
    error = UnknownNameError.among("symbol", "IBMM", ["IBM"], field="asset_symbol").called("symbols")

    assert str(error) == "symbols: unknown symbol 'IBMM' - did you mean 'IBM'?; known: IBM"
    assert error.field == "symbols"


def test_what_holds_no_letter_and_no_figure_is_near_to_nothing() -> None:
    assert nearest(";", [",", "."]) is None
    assert nearest("", ["a"]) is None


def test_rates_that_are_no_rates_are_told_one_by_one() -> None:
    with pytest.raises(InvalidInputError) as refused:
        validated(Costs, commission=-1, slippage="much")

    assert [problem.path for problem in refused.value.problems] == ["commission", "slippage"]
