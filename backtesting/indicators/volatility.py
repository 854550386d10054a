"""How far prices move in a bar; Wilder 1978."""

import numpy as np

from backtesting.indicators.arrays import aligned, smoothed
from backtesting.types import Floats


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return the span of each bar and the close before it, shape (n,), from bar 1; equals TA-Lib TRANGE."""
    before = close[:-1]
    return aligned(np.maximum(high[1:], before) - np.minimum(low[1:], before), len(close))


def atr(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Return Wilder's mean of the true range, shape (n,), from bar `period`; equals TA-Lib ATR.

    A NaN makes everything after it NaN.
    """
    return aligned(smoothed(true_range(high, low, close)[1:], period, 1 / period), len(close))
