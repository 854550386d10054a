"""What may be asked for: validated once, refused with the field and the remedy."""

import re
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from backtesting.errors import shown
from backtesting.types.costs import CostChoice, Rate
from backtesting.types.market import Timeframe
from backtesting.types.orders import OrderOptions

ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

Fill = Literal["next_open", "next_close", "same_close"]


Adjustment = Literal["adjusted", "raw"]


StrategyId = Annotated[str, Field(min_length=1, max_length=64, description="A strategy id from list_strategies")]


AssetSymbol = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[\x20-\x7e]+$", description="A stored symbol, e.g. IBM")
]


def _iso_day(given: object) -> object:
    """Let only days through: pydantic would read numbers as seconds since 1970, and cut times off."""
    if isinstance(given, date) or (isinstance(given, str) and ISO_DAY.fullmatch(given)):
        return given
    raise ValueError(f"a day is written like 2005-01-03, got {shown(given)}")


Day = Annotated[date, Field(strict=False, description="ISO day, inclusive, e.g. 2005-01-03"), BeforeValidator(_iso_day)]


Capital = Annotated[
    float,
    Field(strict=True, ge=0.01, le=1e12, allow_inf_nan=False, description="Cash at the start, in the asset's currency"),
]


RiskFree = Annotated[float, Field(strict=True, gt=-1, lt=1, description="Risk-free return a year, as a fraction")]


PeriodsPerYear = Annotated[float, Field(strict=True, gt=0, le=1e6)]
HistoryBars = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


Parameters = Annotated[
    dict[str, Any],
    Field(description="The strategy's own parameters, plus position_size in (0, 1] (default 1); {} takes the defaults"),
]


def _told_apart(given: object) -> object:
    """Take a list of tags, as JSON has it, without repetitions."""
    return tuple(dict.fromkeys(given)) if isinstance(given, list) else given


Tags = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=32)], ...],
    Field(max_length=8),
    BeforeValidator(_told_apart),
]


class BacktestRequest(OrderOptions):
    """All that is needed to repeat a run; None where the asset or the strategy decides (see `BacktestEngine`)."""

    strategy_id: StrategyId
    asset_symbol: AssetSymbol
    start_date: Day
    end_date: Day
    initial_capital: Capital
    parameters: Parameters
    timeframe: Annotated[Timeframe, Field(strict=False)] = Timeframe.D1
    fill: Fill = "next_open"
    costs: CostChoice | None = None
    fees: Rate | None = None
    slippage: Rate | None = None
    adjustment: Adjustment | None = None
    risk_free: RiskFree = 0.0
    periods_per_year: PeriodsPerYear | None = None
    trade_from: Day | None = None
    history_bars: HistoryBars | None = None
    benchmark: AssetSymbol | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @property
    def delay(self) -> int:
        """Bars from a decision to its fill (T2)."""
        return 0 if self.fill == "same_close" else self.delay_bars

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.start_date > self.end_date:
            raise ValueError(
                f"start_date {self.start_date} is after end_date {self.end_date}: choose an earlier start_date"
            )
        if self.trade_from and self.trade_from > self.end_date:
            raise ValueError(
                f"trade_from {self.trade_from} is after end_date {self.end_date}: choose an earlier trade_from"
            )
        return self

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        if self.sizing is not None and "position_size" in self.parameters:
            raise ValueError("position_size is short for sizing percent_equity: give one of the two")
        if self.fill == "same_close" and self.delay_bars > 1:
            raise ValueError(f"fill same_close has no delay_bars {self.delay_bars}: use next_close or drop delay_bars")
        return self
