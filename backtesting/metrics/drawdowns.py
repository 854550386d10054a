"""How far, how long and how often equity was under water, over every bar."""

from math import sqrt

import numpy as np

from backtesting.metrics.curves import spells
from backtesting.metrics.evidence import Evidence
from backtesting.metrics.returns import annual_return, total_return
from backtesting.metrics.undefined import Undefined, Value, ratio
from backtesting.types import NS_PER_DAY


def max_drawdown(evidence: Evidence) -> Value:
    """Deepest equity / running maximum - 1, from the initial capital on; 0 if never under water."""
    return float(evidence.drawdown.min())


def avg_drawdown(evidence: Evidence) -> Value:
    """Mean of the deepest point of each spell under water."""
    peaks, _ = spells(evidence.drawdown < 0)
    if not len(peaks):
        return Undefined.NO_DRAWDOWN
    return float(np.minimum.reduceat(evidence.drawdown, peaks).mean())


def max_drawdown_days(evidence: Evidence) -> Value:
    """Longest time from a peak to its recovery, or to the end, in calendar days."""
    peaks, recoveries = spells(evidence.drawdown < 0)
    if not len(peaks):
        return Undefined.NO_DRAWDOWN
    time = np.concatenate([[evidence.time_of_capital], evidence.bars.time])
    return int((time[np.minimum(recoveries, len(time) - 1)] - time[peaks]).max()) / NS_PER_DAY


def ulcer_index(evidence: Evidence) -> Value:
    """Root mean square drawdown (Martin and McCann 1989)."""
    depth = evidence.drawdown[1:]
    return sqrt(float((depth * depth).mean()))


def martin_ratio(evidence: Evidence) -> Value:
    """(annual return - risk-free) / ulcer index (Martin and McCann 1989)."""
    annual = annual_return(evidence)
    if isinstance(annual, Undefined):
        return annual
    return ratio(annual - evidence.risk_free, ulcer_index(evidence), Undefined.NO_DRAWDOWN)


def calmar_ratio(evidence: Evidence) -> Value:
    """Annual return / |max drawdown| (Young 1991)."""
    return ratio(annual_return(evidence), -float(evidence.drawdown.min()), Undefined.NO_DRAWDOWN)


def recovery_factor(evidence: Evidence) -> Value:
    """Total return / |max drawdown|."""
    return ratio(total_return(evidence), -float(evidence.drawdown.min()), Undefined.NO_DRAWDOWN)
