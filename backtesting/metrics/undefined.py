"""Why a metric has no value (contract N1), and the arithmetic that keeps such reasons from becoming numbers."""

from enum import StrEnum
from math import nan, sqrt

import numpy as np

from backtesting.types import Floats, Integers

ROUNDING = 1e-12
ROUNDING_OF_RETURNS = 1e-15  # a return is a ratio near 1, which float64 rounds to 2e-16, minus 1


class Undefined(StrEnum):
    """The reason a metric has no value."""

    NO_TRADES = "no_trades"
    NO_WINNING_TRADES = "no_winning_trades"
    NO_LOSING_TRADES = "no_losing_trades"
    ZERO_VARIANCE = "zero_variance"
    BENCHMARK_ZERO_VARIANCE = "benchmark_zero_variance"
    NO_DOWNSIDE = "no_downside"
    NO_LOSSES = "no_losses"
    NO_DRAWDOWN = "no_drawdown"
    TOO_SHORT = "too_short"
    BANKRUPT = "bankrupt"
    SHARPE_NOT_POSITIVE = "sharpe_not_positive"
    NOT_COMPUTED = "not_computed"


Value = float | int | Undefined


def ratio(numerator: Value, denominator: Value, if_zero: Undefined) -> Value:
    """Divide; an undefined part makes the ratio undefined for the same reason, a denominator of 0 for `if_zero`."""
    if isinstance(numerator, Undefined):
        return numerator
    if isinstance(denominator, Undefined):
        return denominator
    return numerator / denominator if denominator else if_zero


def product(left: Value, right: Value) -> Value:
    """Multiply; an undefined factor makes the product undefined for the same reason."""
    if isinstance(left, Undefined):
        return left
    return right if isinstance(right, Undefined) else left * right


def standard_deviation(values: Floats, returns: Floats, if_zero: Undefined = Undefined.ZERO_VARIANCE) -> Value:
    """Return s of the values (n - 1), undefined where rounding errors alone make it (contract N2).

    That is up to 1e-12 of the largest return, and up to 1e-15: N2's own bound misses a constant return of 0.0001.
    """
    if len(values) < 2:  # noqa: PLR2004 - n - 1 degrees of freedom
        return Undefined.TOO_SHORT
    return varying(spread(values - mean(values)), returns, if_zero)


def varying(deviation: float, returns: Floats, if_zero: Undefined) -> Value:
    """Return the deviation, undefined where rounding errors alone make it (contract N2)."""
    largest = max(float(np.maximum.reduce(returns)), -float(np.minimum.reduce(returns)))
    return if_zero if deviation <= max(ROUNDING * largest, ROUNDING_OF_RETURNS) else deviation


def mean(values: Floats | Integers) -> float:
    """Return the mean, NaN of nothing."""
    return float(np.add.reduce(values)) / len(values) if len(values) else nan


def spread(centred: Floats) -> float:
    """Return s (n - 1) of at least two values, of which their mean was taken off."""
    return sqrt(float(np.add.reduce(centred * centred)) / (len(centred) - 1))
