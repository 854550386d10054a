"""Which way prices go, and how decidedly."""

from typing import NamedTuple

import numpy as np

from backtesting.indicators.arrays import aligned, means, ratio, recursive, smoothed
from backtesting.indicators.volatility import atr, true_range
from backtesting.types import Floats


class Directional(NamedTuple):
    """The average directional index and the two directional indicators in [0, 100], each of the closes' length."""

    adx: Floats
    plus: Floats
    minus: Floats


class Supertrend(NamedTuple):
    """The trailing line, and 1 where it lies below prices that rise, -1 above those that fall; the closes' length."""

    line: Floats
    direction: Floats


def adx(high: Floats, low: Floats, close: Floats, period: int) -> Directional:
    """Return ADX from bar 2*period-1, +DI and -DI from bar `period`, shape (n,); Wilder 1978, equals TA-Lib.

    Needs a period of 2 or more. NaN before the first move, where TA-Lib says 0; a NaN makes everything after it NaN.
    """
    up, down = np.diff(high), -np.diff(low)
    plus = _wilder(np.where(up > down, np.maximum(up, 0), 0 * up), period)
    minus = _wilder(np.where(down > up, np.maximum(down, 0), 0 * down), period)
    span = _wilder(true_range(high, low, close)[1:], period)
    moved = plus + minus
    index = smoothed(np.nan_to_num(ratio(100 * np.abs(plus - minus), moved)), period, 1 / period)
    index[np.isnan(ratio(moved, span))[period - 1 :] | (moved[period - 1 :] == 0)] = np.nan
    return Directional(*(aligned(line, len(close)) for line in (index, *(100 * ratio(x, span) for x in (plus, minus)))))


def supertrend(high: Floats, low: Floats, close: Floats, period: int, multiplier: float) -> Supertrend:
    """Return the line `multiplier` ATRs from the middle of the bars that only follows the trend; Seban.

    Shape (n,), from bar `period`, as TradingView's ta.supertrend but for the ATR's seed, which is TA-Lib's: it starts
    falling, and turns where a close passes the line. A NaN makes everything after it NaN.
    """
    middle, width = (high + low) / 2, multiplier * atr(high, low, close, period)
    turned = _trailed((middle + width)[period:], (middle - width)[period:], close[period:])
    defined = np.where(np.isnan(width[period:]), np.nan, turned)
    return Supertrend(*(aligned(line, len(close)) for line in defined))


def _wilder(values: Floats, period: int) -> Floats:
    """Return Wilder's running sum / period from the value number period-1, seeded with the period-1 values before."""
    if len(values) < period:
        return np.empty(0)
    seed = float(means(values[: period - 1], period - 1)[0]) * (period - 1) / period
    return recursive(seed, values[period - 1 :], 1 / period)[1:]


def _trailed(upper: Floats, lower: Floats, close: Floats) -> Floats:
    """Return line and direction, shape (2, m): what a bar's line is depends on which way the one before had turned."""
    lines, directions, rising = [], [], False
    top, bottom, last = np.inf, -np.inf, 0.0
    for high, low, price in zip(upper.tolist(), lower.tolist(), close.tolist(), strict=True):
        top = high if high < top or last > top else top
        bottom = low if low > bottom or last < bottom else bottom
        rising = price >= bottom if rising else price > top
        lines.append(bottom if rising else top)
        directions.append(1.0 if rising else -1.0)
        last = price
    return np.array([lines, directions], dtype=np.float64).reshape(2, len(lines))
