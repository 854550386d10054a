"""How strong a move is, without its price."""

from typing import NamedTuple

import numpy as np

from backtesting.indicators.arrays import aligned, highest, lowest, means, ratio, smoothed
from backtesting.types import Floats


class Stochastic(NamedTuple):
    """The two lines of a stochastic oscillator in [0, 100], each of the closes' length."""

    k: Floats
    d: Floats


def rsi(close: Floats, period: int) -> Floats:
    """Return the relative strength index in [0, 100], shape (n,), from bar `period`; Wilder 1978, equals TA-Lib RSI.

    NaN while the close has never moved, where TA-Lib says 0; a NaN makes everything after it NaN.
    """
    change = np.diff(close)
    gain = smoothed(np.maximum(change, 0), period, 1 / period)
    loss = smoothed(np.maximum(-change, 0), period, 1 / period)
    return aligned(ratio(100 * gain, gain + loss), len(close))


def rate_of_change(close: Floats, period: int) -> Floats:
    """Return the change over `period` bars as a fraction, shape (n,), from bar `period`; equals TA-Lib ROCP."""
    before = close[: max(len(close) - period, 0)]
    return aligned(close[period:] / before - 1, len(close))


def stochastic(  # noqa: PLR0913, PLR0917 - three prices and three windows
    high: Floats, low: Floats, close: Floats, k_period: int, k_smoothing: int, d_period: int
) -> Stochastic:
    """Return slow %K and %D, shape (n,), both from bar k_period+k_smoothing+d_period-3; Lane, equals TA-Lib STOCH.

    %K is where the close lies in the range of the last `k_period` bars, both lines are simple means; NaN in windows
    that hold a range without height, where TA-Lib says 0.
    """
    bottom = lowest(low, k_period)
    height = highest(high, k_period) - bottom
    k = means(ratio(100 * (close[k_period - 1 :] - bottom), height), k_smoothing)
    return Stochastic(*(aligned(line, len(close)) for line in (k[d_period - 1 :], means(k, d_period))))
