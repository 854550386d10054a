"""What indicators are made of: full windows, recursive means, and outputs put where they belong."""

from itertools import accumulate

import numpy as np

from backtesting.types import Floats


def aligned(outputs: Floats, length: int) -> Floats:
    """Put the outputs at the end of an array of this length, after NaNs."""
    column = np.full(length, np.nan)
    column[length - len(outputs) :] = outputs
    return column


def means(values: Floats, window: int) -> Floats:
    """Return the means of all full windows, each summed by halves: no drift, and equal windows have equal means."""
    count = len(values) - window + 1
    if count < 1:
        return np.empty(0)
    total, summed = np.zeros(count), 0
    partial, span = values, 1
    while span <= window:
        if window & span:
            total += partial[summed : summed + count]
            summed += span
        partial, span = partial[:-span] + partial[span:], 2 * span
    return total / window


def moments(values: Floats, window: int) -> tuple[Floats, Floats]:
    """Return mean and variance (ddof 0) of all full windows, 0 where a window never moves.

    Windows are merged by halves (Chan, Golub & LeVeque 1979), so no large squares cancel.
    """
    count = len(values) - window + 1
    if count < 1:
        return np.empty(0), np.empty(0)
    mean, squares, merged = np.zeros(count), np.zeros(count), 0
    part_mean, part_squares, span = values, np.zeros(len(values)), 1
    while span <= window:
        if window & span:
            part = slice(merged, merged + count)
            mean, squares = _merged(mean, squares, merged, part_mean[part], part_squares[part], span)
            merged += span
        left, right = slice(None, -span), slice(span, None)
        part_mean, part_squares = _merged(
            part_mean[left], part_squares[left], span, part_mean[right], part_squares[right], span
        )
        span *= 2
    return mean, squares / window


def highest(values: Floats, window: int) -> Floats:
    """Return the largest value of each full window."""
    return _extremes(values, window, np.maximum)


def lowest(values: Floats, window: int) -> Floats:
    """Return the smallest value of each full window."""
    return _extremes(values, window, np.minimum)


def smoothed(values: Floats, window: int, alpha: float) -> Floats:
    """Return the recursive mean from bar window-1, seeded with the mean of the first window.

    Values that never move are their own mean, to the last bit.
    """
    if len(values) < window:
        return np.empty(0)
    seed = values[0] + means(values[:window] - values[0], window)[0]
    return recursive(float(seed), values[window:], alpha)


def recursive(seed: float, values: Floats, alpha: float) -> Floats:
    """Return the seed, then after each value the last output moved by alpha towards it."""
    outputs = accumulate(values.tolist(), lambda last, value: last + alpha * (value - last), initial=seed)
    return np.fromiter(outputs, dtype=np.float64, count=len(values) + 1)


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole != 0)


def _merged(  # noqa: PLR0913, PLR0917 - two samples of mean, squares and size
    mean: Floats, squares: Floats, size: int, other_mean: Floats, other_squares: Floats, other_size: int
) -> tuple[Floats, Floats]:
    """Return mean and summed squared deviations of two samples taken together."""
    apart, both = other_mean - mean, size + other_size
    together = squares + other_squares + apart * apart * (size * other_size / both)
    return mean + apart * (other_size / both), together


def _extremes(values: Floats, window: int, pick: np.ufunc) -> Floats:
    """Return the extreme of each full window, picked from two overlapping spans of a power of two."""
    count = len(values) - window + 1
    if count < 1:
        return np.empty(0)
    partial, span = values, 1
    while 2 * span <= window:
        partial, span = pick(partial[:-span], partial[span:]), 2 * span
    extremes: Floats = pick(partial[:count], partial[window - span :])
    return extremes
