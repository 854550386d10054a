"""What luck alone would show after many trials, and how far a Sharpe ratio is above it.

Formulas of Bailey and Lopez de Prado, "The Deflated Sharpe Ratio" (2014), and of Bailey, Borwein, Lopez de Prado and
Zhu, "Pseudo-Mathematics and Financial Charlatanism" (2014). Sharpe ratios are per session, kurtosis is not excess.
"""

from math import e, sqrt
from statistics import NormalDist

from backtesting.metrics.significance import probabilistic_sharpe
from backtesting.metrics.undefined import Value
from backtesting.types import TrialCount

NORMAL = NormalDist()
EULER_MASCHERONI = 0.5772156649015329


def expected_maximum(trials: int) -> float:
    """(1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e)), the expected greatest of N standard normals; 0 for one."""
    if trials < 2:  # noqa: PLR2004 - of one, the greatest is the one
        return 0.0
    greatest, beyond = NORMAL.inv_cdf(1 - 1 / trials), NORMAL.inv_cdf(1 - 1 / (trials * e))
    return (1 - EULER_MASCHERONI) * greatest + EULER_MASCHERONI * beyond


def luckiest_sharpe(count: TrialCount) -> float:
    """SR0 = sqrt(V) E[max of N]: the greatest Sharpe ratio per session that N trials without any skill would show."""
    return sqrt(count.variance or 0.0) * expected_maximum(count.counted)


def deflated_sharpe(sharpe: float, sessions: int, skewness: float, kurtosis: float, count: TrialCount) -> Value:
    """PSR(SR0): the probability that the true Sharpe ratio is above the one luck alone would show (2014, eq. 9)."""
    return probabilistic_sharpe(sharpe, sessions, skewness, kurtosis, reference=luckiest_sharpe(count))


def minimum_backtest_length(trials: int, sharpe: float = 1.0) -> float:
    """(E[max of N] / SR)^2 years, below which N trials without skill are expected to show an annual SR (2014)."""
    return (expected_maximum(trials) / sharpe) ** 2
