"""Growth, risk and their ratios, from session returns r."""

from math import sqrt

import numpy as np

from backtesting.metrics.evidence import DAYS_A_YEAR, Evidence, needs_sessions
from backtesting.metrics.undefined import ROUNDING, Undefined, Value, product
from backtesting.types import Floats

RUIN = -1.0


def final_capital(evidence: Evidence) -> Value:
    """Equity at the last close."""
    return float(evidence.simulation.equity[-1])


def total_return(evidence: Evidence) -> Value:
    """Final / initial capital - 1."""
    return evidence.growth - 1.0


def total_return_optimistic(evidence: Evidence) -> Value:
    """Total return if in every ambiguous bar the target had come before the stop."""
    return evidence.simulation.optimistic_return


def cagr(evidence: Evidence) -> Value:
    """(final / initial capital)^(365.25 / calendar days) - 1; -1 if bankrupt."""
    if evidence.is_bankrupt:
        return RUIN
    if evidence.days < 1:
        return Undefined.TOO_SHORT
    return compounded(evidence.growth, DAYS_A_YEAR / evidence.days)


def annual_return(evidence: Evidence) -> Value:
    """product(1 + r)^(p / n) - 1; -1 if bankrupt."""
    if evidence.is_bankrupt:
        return RUIN
    if len(evidence.returns) < 2:  # noqa: PLR2004 - one return is no evidence about a year
        return Undefined.TOO_SHORT
    return compounded(evidence.compounded_returns, evidence.periods_per_year / len(evidence.returns))


@needs_sessions
def annual_volatility(evidence: Evidence) -> Value:
    """s(r) x sqrt(p)."""
    return evidence.spread * sqrt(evidence.periods_per_year)


def sharpe_ratio(evidence: Evidence) -> Value:
    """mean(r - rf) / s(r - rf) x sqrt(p) (Sharpe 1994)."""
    per_session = sharpe(evidence.mean_return, evidence.deviation, evidence.risk_free_per_session)
    return product(per_session, sqrt(evidence.periods_per_year))


@needs_sessions
def sortino_ratio(evidence: Evidence) -> Value:
    """mean(r) / sqrt(mean(min(r, 0)^2)) x sqrt(p), over all r (Sortino and van der Meer 1991)."""
    largest = max(-float(evidence.sorted_returns[0]), float(evidence.sorted_returns[-1]))
    if evidence.downside <= ROUNDING * largest:
        return Undefined.NO_DOWNSIDE
    return evidence.mean_return / evidence.downside * sqrt(evidence.periods_per_year)


@needs_sessions
def omega_ratio(evidence: Evidence) -> Value:
    """Sum of max(r, 0) / sum of max(-r, 0) (Keating and Shadwick 2002, threshold 0)."""
    gains = float(np.add.reduce(np.maximum(evidence.returns, 0.0)))
    losses = -float(np.add.reduce(evidence.losses))
    return Undefined.NO_LOSSES if losses <= ROUNDING * gains else gains / losses


@needs_sessions
def downside_deviation(evidence: Evidence) -> Value:
    """sqrt(mean(min(r, 0)^2)) x sqrt(p)."""
    return evidence.downside * sqrt(evidence.periods_per_year)


def compounded(growth: float, times: float) -> float:
    """growth^times - 1; infinite where Python's own power would raise OverflowError."""
    return float(np.power(growth, times)) - 1.0


def annualised(returns: Floats, periods_per_year: float) -> Value:
    """product(1 + r)^(p / n) - 1 of at least two returns."""
    if len(returns) < 2:  # noqa: PLR2004 - one return is no evidence about a year
        return Undefined.TOO_SHORT
    return compounded(float(np.multiply.reduce(1.0 + returns)), periods_per_year / len(returns))


def sharpe(mean_return: float, deviation: Value, risk_free: float) -> Value:
    """(mean(r) - rf) / s(r), all per session."""
    if isinstance(deviation, Undefined):
        return deviation
    return (mean_return - risk_free) / deviation
