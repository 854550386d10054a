"""A completed run with all that is kept of it: what charts, reports and exports are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from backtesting.metrics.growth import Growth
from backtesting.types import Asset, Bars, EquityCurve, Run, Summary, Timeframe, Trade


@dataclass(frozen=True, eq=False)
class CompletedRun:
    """A run, its summary, all its trades and its curves as they were stored.

    `benchmark` is None where the run was stored without; `bars` are those of the period, where a picture needs them.
    """

    run: Run
    summary: Summary
    trades: Sequence[Trade]
    equity: EquityCurve
    benchmark: EquityCurve | None
    asset: Asset
    bars: Bars | None = None

    @property
    def capital(self) -> float:
        """The cash at the start."""
        return self.run.request.initial_capital

    @cached_property
    def growth(self) -> Growth:
        """How equity grew."""
        return Growth.of(self.run, self.equity)

    @cached_property
    def held(self) -> Growth | None:
        """How buy and hold grew, where that is kept."""
        return None if self.benchmark is None else Growth.of(self.run, self.benchmark)

    @property
    def name(self) -> str:
        """The strategy with its own parameters, and what it traded."""
        request = self.run.request
        own = [f"{name}={value}" for name, value in request.parameters.items() if name != "position_size"]
        return f"{request.strategy_id}({', '.join(own)}) on {request.asset_symbol} {request.timeframe}"

    @property
    def period(self) -> str:
        """First and last day asked for."""
        return f"{self.run.request.start_date} to {self.run.request.end_date}"

    @property
    def is_daily(self) -> bool:
        """Whether no time of day is worth showing."""
        return self.run.request.timeframe in {Timeframe.D1, Timeframe.W1}
