"""What was ever tried on a market, so that luck can be priced."""

from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Self

import numpy as np

from backtesting.types.market import Floats, Timeframe
from backtesting.types.request import BacktestRequest
from backtesting.types.run import Run


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluated configuration; `sharpe` is per session, None where it is undefined, `kurtosis` is not excess.

    `data_hash` and `config_hash` tell repeats: the same request on the same bars is one trial, however often it ran.
    Many parameter sets of a search are one record: of `configurations` sets `defined` have a Sharpe ratio, `sharpe` is
    their mean, and `spread` the sum of their squared distances from it.
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
    configurations: int = 1
    defined: int = 1
    spread: float = 0.0

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
            defined=int(annual is not None),
        )

    @classmethod
    def of_sets(
        cls, request: BacktestRequest, hashes: tuple[str, str], sharpes: Floats, sessions: int, by: str
    ) -> Self:
        """Return the record of many sets of one request: the hashes of data and sets, Sharpe ratios per session."""
        known = sharpes[np.isfinite(sharpes)]
        mean = float(known.mean()) if len(known) else None
        return cls(
            *hashes,
            strategy_id=request.strategy_id,
            symbol=request.asset_symbol,
            timeframe=request.timeframe,
            start_date=request.start_date,
            end_date=request.end_date,
            sessions=sessions,
            sharpe=mean,
            skewness=None,
            kurtosis=None,
            source_id=by,
            configurations=len(sharpes),
            defined=len(known),
            spread=0.0 if mean is None else float(np.square(known - mean).sum()),
        )


@dataclass(frozen=True, slots=True)
class TrialCount:
    """How many trials compete, and the sample variance of their Sharpe ratios per session (None below two)."""

    counted: int
    variance: float | None
