"""Rules a machine can read: which lines a strategy compares, so that a sweep computes each line once for all sets.

A strategy that declares none is swept as well, one run after the other. Where it does, its `signals` stay the truth; a
shared test compares the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtesting.types import Bars, Floats


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the length of the bars: `indicator` of columns of the bars and of the strategy's parameters.

    `part` names the line where the indicator returns several.
    """

    indicator: Callable[..., Any]
    columns: tuple[str, ...] = ("close",)
    parameters: tuple[str, ...] = ()
    part: str | None = None

    def values(self, outcome: Any) -> Floats:
        """Return this line of what the indicator returned."""
        line: Floats = outcome if self.part is None else getattr(outcome, self.part)
        return line

    def computed(self, bars: Bars, values: tuple[Any, ...]) -> Any:
        """Return what the indicator says of the bars for these values of its parameters."""
        return self.indicator(*(getattr(bars, column) for column in self.columns), *values)

    def of(self, bars: Bars, parameters: Mapping[str, Any]) -> Floats:
        """Return the line for a strategy's parameters."""
        return self.values(self.computed(bars, tuple(parameters[name] for name in self.parameters)))


@dataclass(frozen=True, slots=True)
class Condition:
    """One line above another: at every bar where it is, or, if it `crosses`, at the bar where it comes to be (T9)."""

    above: Line
    below: Line
    crosses: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """When a strategy enters and leaves long positions.

    Its lines are undefined where any of the strategy's indicators is.
    """

    entry: Condition
    exit: Condition

    @property
    def lines(self) -> tuple[Line, Line, Line, Line]:
        """The lines compared: above and below at the entry, above and below at the exit."""
        return self.entry.above, self.entry.below, self.exit.above, self.exit.below


def crosses_above(line: Line, other: Line) -> Condition:
    """Hold where the line comes to be above the other."""
    return Condition(line, other, crosses=True)


def crosses_below(line: Line, other: Line) -> Condition:
    """Hold where the line comes to be below the other."""
    return Condition(other, line, crosses=True)


def is_above(line: Line, other: Line) -> Condition:
    """Hold where the line is above the other."""
    return Condition(line, other, crosses=False)


def is_below(line: Line, other: Line) -> Condition:
    """Hold where the line is below the other."""
    return Condition(other, line, crosses=False)


def price(column: str) -> Line:
    """Return a column of the bars as a line."""
    return Line(_itself, (column,))


def level(parameter: str) -> Line:
    """Return a parameter as a line that never moves."""
    return Line(np.full_like, ("close",), (parameter,))


def zero() -> Line:
    """Return the line at 0."""
    return Line(np.zeros_like)


def _itself(column: Floats) -> Floats:
    return column
