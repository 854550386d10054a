"""Parameter sets as places on a lattice: who is near whom, and the surface as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from backtesting.parameter_grid import Column, ParameterGrid
from backtesting.types import Floats, Integers

REACH = 10  # a neighbour is at most one step away, or a tenth of the values where there are more than twenty
SIDE = 5  # rows and columns of the surface
DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The values of one parameter that occur in some set, and the place among them of every set, (sets,)."""

    values: tuple[Any, ...]
    places: Integers
    is_ordered: bool

    @classmethod
    def of(cls, column: Column) -> Self:
        """Make the axis of a column; what is no number is in the order it came in, and has no neighbours."""
        if column.dtype != object:
            values, places = np.unique(column, return_inverse=True)
            return cls(tuple(values.tolist()), places.astype(np.int64), is_ordered=True)
        known = {value: place for place, value in enumerate(dict.fromkeys(column.tolist()))}
        return cls(tuple(known), np.array([known[each] for each in column.tolist()], np.int64), is_ordered=False)

    @property
    def reach(self) -> int:
        """How many places away a neighbour may be."""
        return max(1, len(self.values) // REACH) if self.is_ordered else 0


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """How many neighbours a set has, their median statistic, and what share of its advantage they have.

    `stability` is (median of the neighbours - median of all) / (its own - median of all): near 1 on a plateau, near or
    below 0 on a lone peak. Pardo, "The Evaluation and Optimization of Trading Strategies" (2008), asks for the plateau.
    """

    count: int
    median: float | None
    stability: float | None


class Lattice:
    """The axes of a grid along which its sets differ."""

    def __init__(self, grid: ParameterGrid) -> None:
        axes = {name: Axis.of(column) for name, column in grid.columns.items()}
        self.axes: Mapping[str, Axis] = {name: axis for name, axis in axes.items() if len(axis.values) > 1}

    def neighbourhood(self, number: int, tried: Integers, scores: Floats) -> Neighbourhood:
        """Look at what was tried around a set; a neighbour that may not win counts as the worst there is."""
        is_near = np.ones(len(tried), np.bool_)
        for axis in self.axes.values():
            is_near &= np.abs(axis.places[tried] - axis.places[number]) <= axis.reach
        near = scores[tried[is_near & (tried != number)]]
        if not len(near):
            return Neighbourhood(0, None, None)
        middle = float(np.median(np.where(np.isnan(near), -np.inf, near)))
        usual, own = float(np.nanmedian(scores)), float(scores[number])
        if not np.isfinite(middle):
            return Neighbourhood(len(near), None, 0.0)
        return Neighbourhood(len(near), middle, (middle - usual) / (own - usual) if own > usual else None)

    def surface(self, scores: Floats, sign: int) -> dict[str, Any]:
        """Return the best statistic over all other parameters, along the two with the most values, in groups."""
        names = sorted(self.axes, key=lambda name: -len(self.axes[name].values))[:2]
        sides = [_Side.of(name, self.axes[name]) for name in self.axes if name in names]
        if len(sides) < 2:  # noqa: PLR2004 - a line is a table of one row
            sides = [_Side("", np.zeros(len(scores), np.int64), ("all",)), *sides]
        table = np.full((len(sides[0].labels), len(sides[-1].labels)), -np.inf)
        known = np.flatnonzero(~np.isnan(scores))
        np.maximum.at(table, (sides[0].group[known], sides[-1].group[known]), scores[known])
        return {
            "rows": sides[0].name,
            "row_values": list(sides[0].labels),
            "columns": sides[-1].name,
            "column_values": list(sides[-1].labels),
            "best": [[_rounded(sign * each) for each in row] for row in table.tolist()],
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One side of the surface: the group of every set, and what each group is called."""

    name: str
    group: Integers
    labels: tuple[str, ...]

    @classmethod
    def of(cls, name: str, axis: Axis) -> Self:
        groups = np.array_split(np.arange(len(axis.values)), min(SIDE, len(axis.values)))
        group_of = np.repeat(np.arange(len(groups)), [len(each) for each in groups])
        return cls(name, group_of[axis.places], tuple(_label(axis, each) for each in groups))


def _label(axis: Axis, group: Integers) -> str:
    first, last = axis.values[group[0]], axis.values[group[-1]]
    if len(group) == 1:
        return _short(first)
    return f"{_short(first)}..{_short(last)}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
