"""Indicators as pure functions of float64 arrays; their numbers, seeds included, equal TA-Lib's (contract T8).

Every function returns arrays of its input's length, NaN before the first defined bar. Output at bar t depends on
bars up to t alone and is the same, bit for bit, however many bars follow. Windows are at least 1.
"""

from itertools import accumulate
from typing import NamedTuple

import numpy as np

from backtesting.types import Booleans, Floats


class Macd(NamedTuple):
    """The three lines of a MACD, each of the closes' length."""

    line: Floats
    signal: Floats
    histogram: Floats


def sma(values: Floats, window: int) -> Floats:
    """Return the mean of the last `window` values, shape (n,), from bar window-1; equals TA-Lib SMA.

    A NaN makes the windows that hold it NaN, and no others.
    """
    return _aligned(_means(values, window), len(values))


def ema(values: Floats, window: int) -> Floats:
    """Return the exponential mean with alpha 2/(window+1), shape (n,), from bar window-1; equals TA-Lib EMA.

    Its seed is the mean of the first `window` values; a NaN makes everything after it NaN.
    """
    return _aligned(_smoothed(values, window, 2 / (window + 1)), len(values))


def rsi(close: Floats, period: int) -> Floats:
    """Return the relative strength index in [0, 100], shape (n,), from bar `period`; Wilder 1978, equals TA-Lib RSI.

    NaN while the close has never moved, where TA-Lib says 0; a NaN makes everything after it NaN.
    """
    change = np.diff(close)
    gain = _smoothed(np.maximum(change, 0), period, 1 / period)
    loss = _smoothed(np.maximum(-change, 0), period, 1 / period)
    moved = gain + loss
    strength = np.divide(100 * gain, moved, out=np.full_like(moved, np.nan), where=moved > 0)
    return _aligned(strength, len(close))


def macd(close: Floats, fast: int, slow: int, signal: int) -> Macd:
    """Return the MACD, all three lines of shape (n,) from bar slow+signal-2; Appel 1979, equals TA-Lib MACD.

    Both means start at bar slow-1, each from the mean of its own last closes there; a NaN makes all after it NaN.
    """
    if fast >= slow:
        raise ValueError(f"fast {fast} must be below slow {slow}")
    line = _smoothed(close[slow - fast :], fast, 2 / (fast + 1)) - _smoothed(close, slow, 2 / (slow + 1))
    smooth = _smoothed(line, signal, 2 / (signal + 1))
    defined = line[signal - 1 :]
    return Macd(*(_aligned(outputs, len(close)) for outputs in (defined, smooth, defined - smooth)))


def crossed_above(a: Floats, b: Floats | float) -> Booleans:
    """Tell, shape (n,), where a is above b and was below it when they last differed; a NaN forgets the past (T9)."""
    return _turned_positive(a - b)


def crossed_below(a: Floats, b: Floats | float) -> Booleans:
    """Tell, shape (n,), where a is below b and was above it when they last differed; a NaN forgets the past (T9)."""
    return _turned_positive(b - a)


def _aligned(outputs: Floats, length: int) -> Floats:
    """Put the outputs at the end of an array of this length, after NaNs."""
    aligned = np.full(length, np.nan)
    aligned[length - len(outputs) :] = outputs
    return aligned


def _means(values: Floats, window: int) -> Floats:
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


def _smoothed(values: Floats, window: int, alpha: float) -> Floats:
    """Return the recursive mean from bar window-1, seeded with the mean of the first window."""
    if len(values) < window:
        return np.empty(0)
    return _recursive(float(_means(values[:window], window)[0]), values[window:], alpha)


def _recursive(seed: float, values: Floats, alpha: float) -> Floats:
    """Return the seed, then after each value the last output moved by alpha towards it."""
    outputs = accumulate(values.tolist(), lambda last, value: last + alpha * (value - last), initial=seed)
    return np.fromiter(outputs, dtype=np.float64, count=len(values) + 1)


def _turned_positive(difference: Floats) -> Booleans:
    """Tell where the difference is positive and its last value other than zero was negative."""
    decided = np.flatnonzero(difference != 0)
    before, now = difference[decided[:-1]], difference[decided[1:]]
    turned = np.zeros(len(difference), dtype=np.bool_)
    turned[decided[1:][(before < 0) & (now > 0)]] = True
    return turned
