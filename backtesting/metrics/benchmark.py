"""The strategy beside buy and hold, from session returns r and b."""

from math import sqrt

import numpy as np

from backtesting.metrics.evidence import Evidence, needs_sessions
from backtesting.metrics.returns import annualised, compounded, sharpe
from backtesting.metrics.undefined import Undefined, Value, mean, product, ratio, spread, varying
from backtesting.types import Integers


def benchmark_return(evidence: Evidence) -> Value:
    """Total return of buy and hold, costs included."""
    return float(evidence.simulation.benchmark[-1]) / evidence.initial_capital - 1.0


def benchmark_sharpe(evidence: Evidence) -> Value:
    """Sharpe ratio of buy and hold."""
    per_session = sharpe(evidence.mean_benchmark_return, evidence.benchmark_deviation, evidence.risk_free_per_session)
    return product(per_session, sqrt(evidence.periods_per_year))


def benchmark_max_drawdown(evidence: Evidence) -> Value:
    """Max drawdown of buy and hold."""
    return evidence.deepest_benchmark_drawdown


def excess_return(evidence: Evidence) -> Value:
    """Total return - total return of buy and hold."""
    return float(evidence.simulation.equity[-1] - evidence.simulation.benchmark[-1]) / evidence.initial_capital


@needs_sessions
def exposure_matched_return(evidence: Evidence) -> Value:
    """product(1 + w a + (1 - w) rf) - 1, w the mean net exposure, a: b of the asset itself."""
    held = mean(evidence.exposure)
    idle = (1.0 - held) * evidence.risk_free_per_session
    return float(np.multiply.reduce(1.0 + held * evidence.held_returns + idle)) - 1.0


def beta(evidence: Evidence) -> Value:
    """cov(r, b) / var(b) (Sharpe 1964)."""
    relative = ratio(evidence.deviation, evidence.benchmark_deviation, Undefined.BENCHMARK_ZERO_VARIANCE)
    return product(correlation(evidence), relative)


def correlation(evidence: Evidence) -> Value:
    """cov(r, b) / (s(r) s(b)) (Pearson)."""
    own, other = evidence.deviation, evidence.benchmark_deviation
    if isinstance(other, Undefined):
        return other
    if isinstance(own, Undefined):
        return own
    covariance = float(np.dot(evidence.centred, evidence.centred_benchmark)) / (len(evidence.centred) - 1)
    return max(-1.0, min(1.0, covariance / (own * other)))


def alpha(evidence: Evidence) -> Value:
    """(1 + mean(r - rf - beta (b - rf)))^p - 1 (Jensen 1968)."""
    slope = beta(evidence)
    if isinstance(slope, Undefined):
        return slope
    risk_free = evidence.risk_free_per_session
    explained = risk_free + slope * (evidence.mean_benchmark_return - risk_free)
    return compounded(1.0 + evidence.mean_return - explained, evidence.periods_per_year)


@needs_sessions
def tracking_error(evidence: Evidence) -> Value:
    """s(r - b) x sqrt(p)."""
    return spread(evidence.centred - evidence.centred_benchmark) * sqrt(evidence.periods_per_year)


def information_ratio(evidence: Evidence) -> Value:
    """mean(r - b) / s(r - b) x sqrt(p) (Grinold and Kahn 1999)."""
    if len(evidence.returns) < 2:  # noqa: PLR2004 - n - 1 degrees of freedom
        return Undefined.TOO_SHORT
    active = spread(evidence.centred - evidence.centred_benchmark)
    deviation = varying(active, evidence.returns, Undefined.ZERO_VARIANCE)
    per_session = sharpe(evidence.mean_return - evidence.mean_benchmark_return, deviation, 0.0)
    return product(per_session, sqrt(evidence.periods_per_year))


def up_capture(evidence: Evidence) -> Value:
    """Annual return / that of buy and hold, over sessions with b > 0."""
    return _capture(evidence, np.flatnonzero(evidence.benchmark_returns > 0))


def down_capture(evidence: Evidence) -> Value:
    """Annual return / that of buy and hold, over sessions with b < 0."""
    return _capture(evidence, np.flatnonzero(evidence.benchmark_returns < 0))


def _capture(evidence: Evidence, chosen: Integers) -> Value:
    own, other = (
        annualised(returns.take(chosen), evidence.periods_per_year)
        for returns in (evidence.returns, evidence.benchmark_returns)
    )
    return ratio(own, other, Undefined.BENCHMARK_ZERO_VARIANCE)
