"""How much was held and traded, and what it cost."""

import numpy as np

from backtesting.metrics.evidence import DAYS_A_YEAR, Evidence, needs_sessions
from backtesting.metrics.undefined import Undefined, Value, mean, ratio


def exposure_time(evidence: Evidence) -> Value:
    """Share of bars with a position at the close."""
    units = evidence.simulation.units
    return int(np.count_nonzero(units)) / len(units)


def avg_gross_exposure(evidence: Evidence) -> Value:
    """Mean over bars of |position| / equity, at the close."""
    return mean(evidence.gross_exposure)


def max_gross_exposure(evidence: Evidence) -> Value:
    """Largest |position| / equity at a close."""
    return float(np.maximum.reduce(evidence.gross_exposure))


@needs_sessions
def turnover_annual(evidence: Evidence) -> Value:
    """Money traded / 2 / mean equity, a year of 365.25 calendar days."""
    if evidence.days < 1:
        return Undefined.TOO_SHORT
    traded_a_year = evidence.simulation.traded / 2 / (evidence.days / DAYS_A_YEAR)
    return ratio(traded_a_year, mean(evidence.simulation.equity), Undefined.NOT_COMPUTED)


def fees_paid(evidence: Evidence) -> Value:
    """Commission over all fills."""
    return evidence.simulation.fees_paid


def slippage_paid(evidence: Evidence) -> Value:
    """Slippage over all fills."""
    return evidence.simulation.slippage_paid


def borrow_paid(evidence: Evidence) -> Value:
    """Borrow over all days short, or of money borrowed."""
    return evidence.simulation.borrow_paid


def cost_drag(evidence: Evidence) -> Value:
    """Total return - total return of the same signals at zero costs."""
    return evidence.growth - 1.0 - evidence.simulation.costless_return
