"""What an optimiser looks for: which of many parameter sets are better, and which may win at all."""

from typing import Annotated

import numpy as np
from pydantic import Field

from backtesting.sweep_figures import Figures, Statistic
from backtesting.types import Booleans, Floats, Input, Integers

# of all others more is better; a drawdown is negative, so that more is less deep
LESS_IS_BETTER = frozenset({"annual_volatility", "fees_paid"})


class Objective(Input):
    """The statistic to be best in, those that count as much `beside` it, and the fewest closed trades of a winner."""

    metric: Statistic = "sharpe_ratio"
    beside: Annotated[tuple[Statistic, ...], Field(strict=False, max_length=3)] = ()
    min_trades: Annotated[int, Field(ge=0)] = 10

    @property
    def metrics(self) -> tuple[Statistic, ...]:
        """All statistics that count, each once."""
        return tuple(dict.fromkeys((self.metric, *self.beside)))


def rank(figures: Figures, objective: Objective) -> Integers:
    """Return the numbers of the sets that may win, the best first, shape (eligible,); of equal ones the first is first.

    A set that failed, has too few trades, or leaves a statistic undefined never wins. Of several statistics the sum of
    the places counts (Borda 1781): whoever is first there, no other is better in one and not worse in the rest.
    """
    numbers = np.flatnonzero(_eligible(figures, objective))
    columns = [scores(figures, metric)[numbers] for metric in objective.metrics]
    total = columns[0] if len(columns) == 1 else -np.sum([_places(column) for column in columns], axis=0)
    return np.asarray(numbers[np.argsort(-total, kind="stable")], np.int64)


def scores(figures: Figures, metric: Statistic) -> Floats:
    """Return a statistic of all sets with the sign that makes more better, NaN where it is undefined."""
    column = figures.columns[metric]
    return np.asarray(-column if metric in LESS_IS_BETTER else column, np.float64)


def _eligible(figures: Figures, objective: Objective) -> Booleans:
    with np.errstate(invalid="ignore"):
        eligible = ~figures.failed & (figures.columns["total_trades"] >= objective.min_trades)
    for metric in objective.metrics:
        eligible &= np.isfinite(figures.columns[metric])
    return np.asarray(eligible, np.bool_)


def _places(column: Floats) -> Integers:
    """Return how many values are greater than each; equal ones share their place."""
    ordered = np.sort(column)
    return np.asarray(len(column) - np.searchsorted(ordered, column, side="right"), np.int64)
