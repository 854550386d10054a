"""Where one line passes another (contract T9)."""

import numpy as np

from backtesting.types import Booleans, Floats


def crossed_above(a: Floats, b: Floats | float) -> Booleans:
    """Tell, shape (n,), where a is above b and was below it when they last differed; a NaN forgets the past (T9)."""
    return _turned_positive(a - b)


def crossed_below(a: Floats, b: Floats | float) -> Booleans:
    """Tell, shape (n,), where a is below b and was above it when they last differed; a NaN forgets the past (T9)."""
    return _turned_positive(b - a)


def _turned_positive(difference: Floats) -> Booleans:
    """Tell where the difference is positive and its last value other than zero was negative."""
    if np.count_nonzero(difference) == len(difference):
        return np.concatenate([[False], (difference[:-1] < 0) & (difference[1:] > 0)])[: len(difference)]
    decided = np.flatnonzero(difference != 0)
    before, now = difference[decided[:-1]], difference[decided[1:]]
    turned = np.zeros(len(difference), dtype=np.bool_)
    turned[decided[1:][(before < 0) & (now > 0)]] = True
    return turned
