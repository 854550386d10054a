"""The combinations of a search space that a strategy accepts, as columns."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import compress, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from backtesting.errors import InvalidInputError, Problem, did_you_mean
from backtesting.strategy import Sizing, Strategy, parameter_names, split_position_size
from backtesting.types import Booleans, Integers, SearchSpace

MOST_COMBINATIONS = 1_000_000
POSITION_SIZE = "position_size"
Column = NDArray[Any]
Allowed = Callable[[Mapping[str, Any]], Booleans]


@dataclass(frozen=True, slots=True, eq=False)
class ParameterGrid:
    """Parameter sets of one strategy, in order: `fixed` are the parameters all share, `columns` (sets,) the others.

    `skipped` combinations were none of the strategy's, `reason` says why the first was not. `longest` and `slowest` are
    the sets with the most bars of warm-up, and of warm-up with what recursive indicators need to forget their seed.
    """

    strategy: type[Strategy]
    fixed: Mapping[str, Any]
    columns: Mapping[str, Column]
    skipped: int
    reason: str | None
    longest: Strategy
    slowest: Strategy

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, span: slice | Integers) -> "ParameterGrid":
        columns = {name: column[span] for name, column in self.columns.items()}
        return ParameterGrid(self.strategy, self.fixed, columns, self.skipped, self.reason, self.longest, self.slowest)

    def parameters(self, number: int) -> dict[str, Any]:
        """Return all parameters of one set, as a request has them."""
        return {**self.fixed, **self.own(number)}

    def own(self, number: int) -> dict[str, Any]:
        """Return the parameters that tell one set from the others."""
        return {name: column.item(number) for name, column in self.columns.items()}

    def column(self, name: str) -> Column:
        """Return one parameter of all sets; one that all share takes no memory."""
        if name in self.columns:
            return self.columns[name]
        return np.broadcast_to(np.array(self.fixed[name]), (len(self),))

    def made(self, number: int) -> tuple[Strategy, float]:
        """Return one set's strategy and its position_size."""
        size, own = split_position_size(self.parameters(number))
        return self.strategy.model_validate(own), size


def expand(
    strategy: type[Strategy],
    space: SearchSpace,
    fixed: Mapping[str, Any],
    most: int = MOST_COMBINATIONS,
    allowed: Allowed | None = None,
) -> ParameterGrid:
    """Return every combination of the space that the strategy accepts, the last parameter changing fastest.

    `fixed` are the parameters of the request; `allowed` tells of columns of combinations which to try.
    InvalidInputError where the space names an unknown parameter, has more than `most` combinations, or none that is
    allowed and that the strategy accepts.
    """
    axes = axes_of(strategy, space, most)
    count = prod(map(len, axes.values()))
    rest = {name: value for name, value in fixed.items() if name not in axes}
    tried = np.ones(count, np.bool_) if allowed is None else allowed(rest | _columns(axes, np.arange(count)))
    survey = _Survey(strategy)
    accepted = (survey.accepts(rest | each) for each in compress(_combinations(axes), tried))
    kept = tried.copy()
    kept[tried] = np.fromiter(accepted, np.bool_, np.count_nonzero(tried))
    if survey.longest is None or survey.slowest is None:
        reason = survey.reason or "the constraints exclude them all"
        raise InvalidInputError([Problem("space", f"none of {count:,} combinations is valid: {reason}")])
    return ParameterGrid(
        strategy=strategy,
        fixed=rest,
        columns=_columns(axes, np.flatnonzero(kept)),
        skipped=count - int(np.count_nonzero(kept)),
        reason=survey.reason,
        longest=survey.longest,
        slowest=survey.slowest,
    )


def axes_of(strategy: type[Strategy], space: SearchSpace, most: int = MOST_COMBINATIONS) -> dict[str, Column]:
    """Return the values to try of each parameter; InvalidInputError where one is unknown, or there are too many."""
    _require_known(strategy, space)
    axes = {name: _fitting(strategy, name, space) for name in space.parameters}
    if (count := prod(map(len, axes.values()))) > most:
        raise InvalidInputError(
            [Problem("space", f"{count:,} combinations, at most {most:,}: narrow a range, or raise its step")]
        )
    return axes


class _Survey:
    """Makes the strategy of each combination, and remembers those that need the most bars."""

    def __init__(self, strategy: type[Strategy]) -> None:
        self._strategy = strategy
        self._warmup = self._settled = -1
        self.longest: Strategy | None = None
        self.slowest: Strategy | None = None
        self.reason: str | None = None

    def accepts(self, parameters: dict[str, Any]) -> bool:
        """Tell whether the strategy's own validators take the parameters."""
        try:
            if POSITION_SIZE in parameters:
                Sizing.model_validate({POSITION_SIZE: parameters.pop(POSITION_SIZE)})
            made = self._strategy.model_validate(parameters)
        except ValidationError as error:
            self.reason = self.reason or str(InvalidInputError.of(error, under="parameters"))
            return False
        warmup = made.warmup
        settled = warmup + made.unstable
        if warmup > self._warmup:
            self._warmup, self.longest = warmup, made
        if settled > self._settled:
            self._settled, self.slowest = settled, made
        return True


def _require_known(strategy: type[Strategy], space: SearchSpace) -> None:
    known = parameter_names(strategy)
    problems = [
        Problem(f"space.{name}", f"unknown parameter{did_you_mean(name, known)} (known: {', '.join(known)})")
        for name in space.parameters
        if name not in known
    ]
    if problems:
        raise InvalidInputError(problems)


def _fitting(strategy: type[Strategy], name: str, space: SearchSpace) -> Column:
    """Return the values of one parameter as a column: whole numbers where it is one, else as they were told."""
    values = space.values(name)
    kind = strategy.model_fields[name].annotation if name in strategy.model_fields else float
    if kind is int and all(isinstance(value, int | float) and float(value).is_integer() for value in values):
        return np.array([int(value) for value in values], np.int64)
    if kind is float and all(isinstance(value, int | float) for value in values):
        return np.array(values, np.float64)
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _combinations(axes: Mapping[str, Column]) -> Iterator[dict[str, Any]]:
    for values in product(*(axis.tolist() for axis in axes.values())):
        yield dict(zip(axes, values, strict=True))


def _columns(axes: Mapping[str, Column], kept: Integers) -> dict[str, Column]:
    """Return the parameters of the combinations with these numbers, without going through them again."""
    numbers = np.unravel_index(kept, tuple(len(axis) for axis in axes.values()))
    columns = {name: axis[number] for (name, axis), number in zip(axes.items(), numbers, strict=True)}
    for column in columns.values():
        column.flags.writeable = False
    return columns
