"""How far, how long and how often equity was under water, over every bar."""

from math import sqrt

import numpy as np

from backtesting.metrics.evidence import Evidence
from backtesting.metrics.returns import annual_return, total_return
from backtesting.metrics.undefined import Undefined, Value, mean, ratio
from backtesting.types import NS_PER_DAY


def max_drawdown(evidence: Evidence) -> Value:
    """Deepest equity / running maximum - 1, from the initial capital on; 0 if never under water."""
    return evidence.deepest_drawdown


def avg_drawdown(evidence: Evidence) -> Value:
    """Mean of the deepest point of each spell under water."""
    peaks, _ = evidence.spells
    if not len(peaks):
        return Undefined.NO_DRAWDOWN
    return mean(np.minimum.reduceat(evidence.drawdown, peaks))


def max_drawdown_days(evidence: Evidence) -> Value:
    """Longest time from a peak to its recovery, or to the end, in calendar days."""
    peaks, recoveries = evidence.spells
    if not len(peaks):
        return Undefined.NO_DRAWDOWN
    time = evidence.bars.time  # of the points but the first, which is that of the capital
    begun = np.where(peaks > 0, time[peaks - 1], evidence.time_of_capital)
    ended = time[np.minimum(recoveries, len(time)) - 1]
    return int((ended - begun).max()) / NS_PER_DAY


def ulcer_index(evidence: Evidence) -> Value:
    """Root mean square drawdown (Martin and McCann 1989)."""
    depth = evidence.drawdown[1:]
    return sqrt(float(np.dot(depth, depth)) / len(depth))


def martin_ratio(evidence: Evidence) -> Value:
    """(annual return - risk-free) / ulcer index (Martin and McCann 1989)."""
    annual = annual_return(evidence)
    if isinstance(annual, Undefined):
        return annual
    return ratio(annual - evidence.risk_free, ulcer_index(evidence), Undefined.NO_DRAWDOWN)


def calmar_ratio(evidence: Evidence) -> Value:
    """Annual return / |max drawdown| (Young 1991)."""
    return ratio(annual_return(evidence), -evidence.deepest_drawdown, Undefined.NO_DRAWDOWN)


def recovery_factor(evidence: Evidence) -> Value:
    """Total return / |max drawdown|."""
    return ratio(total_return(evidence), -evidence.deepest_drawdown, Undefined.NO_DRAWDOWN)
