"""Timeframes that are not stored: coarser bars made of finer ones, and a source that has them beside its own."""

from backtesting.resampling.any_timeframe import AnyTimeframe
from backtesting.resampling.bars import resample

__all__ = ["AnyTimeframe", "resample"]
