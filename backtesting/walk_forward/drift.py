"""How often and how far the chosen parameters changed from window to window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from backtesting.parameter_grid import Column, ParameterGrid


@dataclass(frozen=True, slots=True)
class Drift:
    """One parameter over the windows that chose: the share of changes, and their mean size.

    The size is a fraction of the searched range; it is None for a parameter that is no number. Both are None where
    fewer than two windows chose.
    """

    changed: float | None
    mean_step: float | None


def drift_of(chosen: Sequence[Mapping[str, Any]], grid: ParameterGrid) -> dict[str, Drift]:
    """Return the drift of every searched parameter; `chosen` are the sets in order, windows without one left out."""
    return {name: _drift([each[name] for each in chosen], column) for name, column in grid.columns.items()}


def changed(chosen: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the share of windows that chose another set than the one before."""
    return _share([before != after for before, after in pairwise(chosen)])


def _drift(values: Sequence[Any], searched: Column) -> Drift:
    share = _share([before != after for before, after in pairwise(values)])
    if share is None or searched.dtype == np.object_:
        return Drift(share, None)
    reach = float(searched.max() - searched.min())
    step = float(np.abs(np.diff(np.array(values, np.float64))).mean())
    return Drift(share, step / reach if reach else 0.0)


def _share(told: Sequence[bool]) -> float | None:
    return sum(told) / len(told) if told else None
