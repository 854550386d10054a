"""Channels around the price."""

from typing import NamedTuple

import numpy as np

from backtesting.indicators.arrays import aligned, highest, lowest, moments
from backtesting.indicators.averages import ema
from backtesting.indicators.volatility import atr
from backtesting.types import Floats


class Channel(NamedTuple):
    """The three lines of a channel, each of the closes' length."""

    upper: Floats
    middle: Floats
    lower: Floats


def bollinger(close: Floats, period: int, deviations: float) -> Channel:
    """Return the mean and the lines `deviations` standard deviations (ddof 0) away, shape (n,), from bar period-1.

    Bollinger 2001, equals TA-Lib BBANDS. NaN where the last `period` closes are all the same.
    """
    mean, variance = moments(close, period)
    width = deviations * np.sqrt(np.where(variance == 0, np.nan, variance))
    middle = mean + 0 * width
    return Channel(*(aligned(line, len(close)) for line in (middle + width, middle, middle - width)))


def donchian(high: Floats, low: Floats, period: int) -> Channel:
    """Return the highest high and lowest low of the `period` bars before this one, shape (n,), from bar `period`.

    The bar itself is left out, so it can break out; the middle is the mean of both.
    """
    upper, lower = highest(high[:-1], period), lowest(low[:-1], period)
    return Channel(*(aligned(line, len(high)) for line in (upper, (upper + lower) / 2, lower)))


def keltner(  # noqa: PLR0913, PLR0917 - three prices, two windows and a width
    high: Floats, low: Floats, close: Floats, period: int, atr_period: int, multiplier: float
) -> Channel:
    """Return the exponential mean of closes and the lines `multiplier` ATRs away, shape (n,).

    The middle is defined from bar period-1, the others where the ATR, from bar `atr_period`, is too; Keltner 1960 in
    Raschke's form, the parts equal TA-Lib EMA and ATR.
    """
    middle, width = ema(close, period), multiplier * atr(high, low, close, atr_period)
    return Channel(middle + width, middle, middle - width)
