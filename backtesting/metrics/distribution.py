"""The shape of session returns r: moments, tails and extremes."""

import numpy as np

from backtesting.metrics.evidence import Evidence, needs_sessions
from backtesting.metrics.undefined import Undefined, Value, mean, ratio
from backtesting.types import Floats

TAIL = 0.05
NORMAL_KURTOSIS = 3.0


def skewness(evidence: Evidence) -> Value:
    """Third standardised moment of r, biased."""
    if isinstance(evidence.deviation, Undefined):
        return evidence.deviation
    return evidence.moments[0]


def kurtosis_excess(evidence: Evidence) -> Value:
    """Fourth standardised moment of r, biased, - 3."""
    if isinstance(evidence.deviation, Undefined):
        return evidence.deviation
    return evidence.moments[1] - NORMAL_KURTOSIS


@needs_sessions
def var_95(evidence: Evidence) -> Value:
    """5th percentile of r: historical value at risk of one session."""
    return percentile(evidence.sorted_returns, TAIL)


@needs_sessions
def cvar_95(evidence: Evidence) -> Value:
    """Mean of the worst floor(0.05 (n - 1)) + 1 of r: expected shortfall."""
    worst = int((len(evidence.returns) - 1) * TAIL) + 1
    return mean(evidence.sorted_returns[:worst])


def tail_ratio(evidence: Evidence) -> Value:
    """|95th percentile| / |5th percentile| of r."""
    if isinstance(evidence.deviation, Undefined):
        return evidence.deviation
    upper, lower = (abs(percentile(evidence.sorted_returns, share)) for share in (1.0 - TAIL, TAIL))
    return ratio(upper, lower, Undefined.NO_DOWNSIDE)


@needs_sessions
def best_session(evidence: Evidence) -> Value:
    """Largest r."""
    return float(evidence.sorted_returns[-1])


@needs_sessions
def worst_session(evidence: Evidence) -> Value:
    """Smallest r."""
    return float(evidence.sorted_returns[0])


@needs_sessions
def positive_sessions(evidence: Evidence) -> Value:
    """Share of sessions with r > 0."""
    above = len(evidence.returns) - int(np.searchsorted(evidence.sorted_returns, 0.0, "right"))
    return above / len(evidence.returns)


def percentile(ascending: Floats, share: float) -> float:
    """Interpolate linearly between order statistics (Hyndman and Fan 1996, type 7)."""
    position = (len(ascending) - 1) * share
    below = int(position)
    low, high = float(ascending[below]), float(ascending[min(below + 1, len(ascending) - 1)])
    return low + (high - low) * (position - below)
