"""How sure a Sharpe ratio is, given its sessions and their shape."""

from math import isnan, sqrt
from statistics import NormalDist

from backtesting.metrics.distribution import percentile
from backtesting.metrics.evidence import Evidence
from backtesting.metrics.returns import sharpe
from backtesting.metrics.undefined import ROUNDING, Undefined, Value

NORMAL = NormalDist()
CONFIDENCE = 0.95
LOW, HIGH = 0.025, 0.975


def psr(evidence: Evidence) -> Value:
    """Probability that the true Sharpe ratio is above 0 (Bailey and Lopez de Prado 2012)."""
    per_session = sharpe(evidence.mean_return, evidence.deviation, evidence.risk_free_per_session)
    if isinstance(per_session, Undefined):
        return per_session
    return probabilistic_sharpe(per_session, len(evidence.returns), *evidence.moments)


def min_track_record(evidence: Evidence) -> Value:
    """Sessions that show a Sharpe ratio above 0 at 95 % (Bailey and Lopez de Prado 2012)."""
    per_session = sharpe(evidence.mean_return, evidence.deviation, evidence.risk_free_per_session)
    if isinstance(per_session, Undefined):
        return per_session
    return minimum_track_record(per_session, *evidence.moments)


def sharpe_ci95_low(evidence: Evidence) -> Value:
    """2.5th percentile of the Sharpe ratio, stationary bootstrap (Politis and Romano 1994)."""
    return _resampled(evidence, LOW)


def sharpe_ci95_high(evidence: Evidence) -> Value:
    """97.5th percentile of the Sharpe ratio, stationary bootstrap (Politis and Romano 1994)."""
    return _resampled(evidence, HIGH)


def probabilistic_sharpe(
    sharpe_ratio: float, sessions: int, skewness: float, kurtosis: float, reference: float = 0.0
) -> Value:
    """Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR^2)); SR and SR* per session, g4 not excess."""
    variance = _variance(sharpe_ratio, skewness, kurtosis)
    if variance <= ROUNDING:
        return Undefined.ZERO_VARIANCE
    return NORMAL.cdf((sharpe_ratio - reference) * sqrt((sessions - 1) / variance))


def minimum_track_record(sharpe_ratio: float, skewness: float, kurtosis: float, reference: float = 0.0) -> Value:
    """1 + (1 - g3 SR + (g4 - 1)/4 SR^2) (z / (SR - SR*))^2 sessions, z the 95 % quantile; only if SR > SR*."""
    if sharpe_ratio <= reference:
        return Undefined.SHARPE_NOT_POSITIVE
    quantile = NORMAL.inv_cdf(CONFIDENCE) / (sharpe_ratio - reference)
    return 1.0 + _variance(sharpe_ratio, skewness, kurtosis) * quantile * quantile


def _resampled(evidence: Evidence, share: float) -> Value:
    """Return a quantile of the resampled Sharpe ratio, undefined where even one sample does not vary."""
    if isinstance(evidence.deviation, Undefined):
        return evidence.deviation
    if isnan(evidence.resampled_sharpe[-1]):
        return Undefined.ZERO_VARIANCE
    return percentile(evidence.resampled_sharpe, share) * sqrt(evidence.periods_per_year)


def _variance(sharpe_ratio: float, skewness: float, kurtosis: float) -> float:
    """Asymptotic variance of an estimated Sharpe ratio, times n - 1 (Mertens 2002)."""
    return 1.0 - skewness * sharpe_ratio + (kurtosis - 1.0) / 4.0 * sharpe_ratio * sharpe_ratio
