"""Means of the last values, and the difference of two."""

from typing import NamedTuple

from backtesting.indicators.arrays import aligned, means, smoothed
from backtesting.types import Floats


class Macd(NamedTuple):
    """The three lines of a MACD, each of the closes' length."""

    line: Floats
    signal: Floats
    histogram: Floats


def sma(values: Floats, window: int) -> Floats:
    """Return the mean of the last `window` values, shape (n,), from bar window-1; equals TA-Lib SMA.

    A NaN makes the windows that hold it NaN, and no others.
    """
    return aligned(means(values, window), len(values))


def ema(values: Floats, window: int) -> Floats:
    """Return the exponential mean with alpha 2/(window+1), shape (n,), from bar window-1; equals TA-Lib EMA.

    Its seed is the mean of the first `window` values; a NaN makes everything after it NaN.
    """
    return aligned(smoothed(values, window, 2 / (window + 1)), len(values))


def macd(close: Floats, fast: int, slow: int, signal: int) -> Macd:
    """Return the MACD, all three lines of shape (n,) from bar slow+signal-2; Appel 1979, equals TA-Lib MACD.

    Both means start at bar slow-1, each from the mean of its own last closes there; a NaN makes all after it NaN.
    """
    if fast >= slow:
        raise ValueError(f"fast {fast} must be below slow {slow}")
    line = smoothed(close[slow - fast :], fast, 2 / (fast + 1)) - smoothed(close, slow, 2 / (slow + 1))
    smooth = smoothed(line, signal, 2 / (signal + 1))
    defined = line[signal - 1 :]
    return Macd(*(aligned(outputs, len(close)) for outputs in (defined, smooth, defined - smooth)))
