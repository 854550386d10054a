"""Data quality: what is wrong with rows of prices, what becomes of them, and the bars that are left."""

from backtesting.data_quality.inspection import Inspection, inspect

__all__ = ["Inspection", "inspect"]
