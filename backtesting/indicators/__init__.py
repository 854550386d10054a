"""Indicators as pure functions of float64 arrays; their numbers, seeds included, equal TA-Lib's (contract T8).

Every function returns arrays of its input's length, NaN before the first defined bar. Output at bar t depends on
bars up to t alone and is the same, bit for bit, however many bars follow. Windows are at least 1. What a price that
never moves leaves undefined, as 0 / 0 does, is NaN, where TA-Lib says 0.
"""

from backtesting.indicators.averages import Macd, ema, macd, sma
from backtesting.indicators.channels import Channel, bollinger, donchian, keltner
from backtesting.indicators.crossings import crossed_above, crossed_below
from backtesting.indicators.oscillators import Stochastic, rate_of_change, rsi, stochastic
from backtesting.indicators.trends import Directional, Supertrend, adx, supertrend
from backtesting.indicators.volatility import atr, true_range

__all__ = [
    "Channel",
    "Directional",
    "Macd",
    "Stochastic",
    "Supertrend",
    "adx",
    "atr",
    "bollinger",
    "crossed_above",
    "crossed_below",
    "donchian",
    "ema",
    "keltner",
    "macd",
    "rate_of_change",
    "rsi",
    "sma",
    "stochastic",
    "supertrend",
    "true_range",
]
