"""What every set came to, as far as it decides: kept column by column, so that a million sets stay small."""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from backtesting.objective import Objective, rank, scores
from backtesting.sweep_figures import Figures
from backtesting.types import Floats, Integers

COUNTED = ("sharpe_ratio", "total_return", "total_trades")


class Scoreboard:
    """Statistics of all sets of a grid, NaN where a set has none or was not tried."""

    def __init__(self, sets: int, objective: Objective) -> None:
        self.objective = objective
        self._names = tuple(dict.fromkeys((*objective.metrics, *COUNTED)))
        self._columns = {name: np.full(sets, np.nan) for name in self._names}
        self._is_tried = np.zeros(sets, np.bool_)
        self._best: tuple[float, int] | None = None

    @property
    def tried(self) -> Integers:
        """The numbers of the sets that were tried, in order."""
        return np.flatnonzero(self._is_tried)

    @property
    def best(self) -> int | None:
        """The best set so far by the objective's own statistic, None before one may win."""
        return None if self._best is None else self._best[1]

    def column(self, name: str) -> Floats:
        """Return a statistic of all sets."""
        return self._columns[name]

    def packed(self, figures: Figures) -> dict[str, str]:
        """Return of the figures of a chunk what is kept, as JSON: exact, eight bytes a number before compression."""
        return {name: _packed(figures.columns[name]) for name in self._names}

    def add(self, numbers: Integers, chunk: Mapping[str, Any]) -> None:
        """Take in what a chunk kept of these sets."""
        for name in self._names:
            self._columns[name][numbers] = _unpacked(chunk[name])
        self._is_tried[numbers] = True
        self._remember(numbers)

    def ranked(self) -> Integers:
        """Return the sets that may win, the best first."""
        return rank(self._figures(slice(None)), self.objective)

    def scores(self) -> Floats:
        """Return the objective's own statistic of the sets that may win, more is better, NaN of all others."""
        eligible = self.ranked()
        found = np.full(len(self._is_tried), np.nan)
        found[eligible] = scores(self._figures(slice(None)), self.objective.metric)[eligible]
        return found

    def _remember(self, numbers: Integers) -> None:
        figures = self._figures(numbers)
        order = rank(figures, Objective(metric=self.objective.metric, min_trades=self.objective.min_trades))
        if not len(order):
            return
        score, number = scores(figures, self.objective.metric)[order[0]].item(), int(numbers[order[0]])
        if self._best is None or (score, -number) > (self._best[0], -self._best[1]):
            self._best = score, number

    def _figures(self, numbers: Integers | slice) -> Figures:
        columns = {name: column[numbers] for name, column in self._columns.items()}
        return Figures(columns, {}, np.isnan(columns["total_trades"]))


def _packed(column: Floats) -> str:
    return base64.b64encode(zlib.compress(column.astype("<f8").tobytes(), 1)).decode("ascii")


def _unpacked(packed: str) -> Floats:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), "<f8")
