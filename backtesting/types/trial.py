"""What was ever tried on a market, so that luck can be priced."""

from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Self

from backtesting.types.market import Timeframe
from backtesting.types.run import Run


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluated configuration; `sharpe` is per session, None where it is undefined, `kurtosis` is not excess.

    `data_hash` and `config_hash` tell repeats: the same request on the same bars is one trial, however often it ran.
    """

    data_hash: str
    config_hash: str
    strategy_id: str
    symbol: str
    timeframe: Timeframe
    start_date: date
    end_date: date
    sessions: int
    sharpe: float | None
    skewness: float | None
    kurtosis: float | None
    source_id: str

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """Return the trial that a completed run was; None for a run without a result."""
        if run.summary is None:
            return None
        metrics, provenance = run.summary.metrics, run.summary.provenance
        annual, skewness, excess = (metrics.get(key) for key in ("sharpe_ratio", "skewness", "kurtosis_excess"))
        return cls(
            data_hash=provenance["data_hash"],
            config_hash=provenance["config_hash"],
            strategy_id=run.request.strategy_id,
            symbol=run.request.asset_symbol,
            timeframe=run.request.timeframe,
            start_date=run.request.start_date,
            end_date=run.request.end_date,
            sessions=provenance["sessions"],
            sharpe=None if annual is None else annual / sqrt(provenance["periods_per_year"]),
            skewness=skewness,
            kurtosis=None if excess is None else excess + 3.0,
            source_id=run.id,
        )


@dataclass(frozen=True, slots=True)
class TrialCount:
    """How many trials compete, and the sample variance of their Sharpe ratios per session (None below two)."""

    counted: int
    variance: float | None
