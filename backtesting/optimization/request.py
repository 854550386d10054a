"""What an optimisation is asked for."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from backtesting.engine import BacktestEngine
from backtesting.objective import Objective
from backtesting.optimization.constraints import LONGEST, Constraint
from backtesting.sweep_figures import Statistic
from backtesting.types import (
    Adjustment,
    AssetSymbol,
    BacktestRequest,
    Capital,
    CostChoice,
    Day,
    Fill,
    OrderOptions,
    Parameters,
    PeriodsPerYear,
    Rate,
    RiskFree,
    StrategyId,
    Tags,
    Timeframe,
    ValueRange,
    Values,
)

Method = Literal["grid", "random", "tpe"]
LARGEST_TOP = 20


def _readable(text: str) -> str:
    Constraint.read(text)
    return text


Inequality = Annotated[str, Field(max_length=LONGEST), AfterValidator(_readable)]


class OptimizationRequest(OrderOptions):
    """A search on one symbol; without dates on all its stored bars, without a space in the strategy's own.

    `holdout` is the share at the end of the period that the search does not see, 0 for none. `trials` are those of
    the methods random and tpe; a grid tries every combination.
    """

    strategy_id: StrategyId
    asset_symbol: AssetSymbol
    start_date: Day | None = None
    end_date: Day | None = None
    initial_capital: Capital = 100_000.0
    parameters: Parameters = Field(default_factory=dict)
    space: Annotated[Mapping[str, ValueRange | Values], Field(min_length=1)] | None = None
    constraints: Annotated[tuple[Inequality, ...], Field(strict=False, max_length=10)] = ()
    metric: Statistic = "sharpe_ratio"
    beside: Annotated[tuple[Statistic, ...], Field(strict=False, max_length=3)] = ()
    min_trades: Annotated[int, Field(ge=0)] = 10
    method: Method = "grid"
    trials: Annotated[int, Field(ge=1)] = 100
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    holdout: Annotated[float, Field(ge=0, le=0.8)] = 0.3
    top_k: Annotated[int, Field(ge=1, le=LARGEST_TOP)] = 3
    timeframe: Annotated[Timeframe, Field(strict=False)] = Timeframe.D1
    fill: Fill = "next_open"
    costs: CostChoice | None = None
    fees: Rate | None = None
    slippage: Rate | None = None
    adjustment: Adjustment | None = None
    risk_free: RiskFree = 0.0
    periods_per_year: PeriodsPerYear | None = None
    tags: Tags = ()

    @property
    def objective(self) -> Objective:
        """What is looked for."""
        return Objective(metric=self.metric, beside=self.beside, min_trades=self.min_trades)

    def whole(self, engine: BacktestEngine) -> BacktestRequest:
        """Return a request over the whole period, with the strategy's own defaults."""
        given: dict[str, Any] = {
            name: value
            for name in BacktestRequest.model_fields
            if name not in {"strategy_id", "asset_symbol", "parameters", "seed"}
            and (value := getattr(self, name, None)) is not None
        }
        return engine.whole_request(self.strategy_id, self.asset_symbol, **given)
