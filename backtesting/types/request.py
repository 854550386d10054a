"""What may be asked for: validated once, refused with the field and the remedy."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from backtesting.errors import shown
from backtesting.types.input import Input
from backtesting.types.market import Timeframe

ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

Fill = Literal["next_open", "next_close", "same_close"]


Adjustment = Literal["adjusted", "raw"]


Rate = Annotated[float, Field(ge=0, lt=0.5)]


class Costs(Input):
    """Costs of every fill, entry and exit, as fractions of the notional (contract C1)."""

    commission: Rate
    slippage: Rate


COST_PRESETS: Mapping[str, Costs] = {
    "us_equity": Costs(commission=0.0001, slippage=0.0002),
    "crypto": Costs(commission=0.001, slippage=0.0005),
    "fx": Costs(commission=0.0, slippage=0.0001),
    "zero": Costs(commission=0.0, slippage=0.0),
}


CostPreset = Literal["us_equity", "crypto", "fx", "zero"]


def _kind_of_costs(given: object) -> str:
    return "preset" if isinstance(given, str) else "rates"


CostChoice = Annotated[
    Annotated[CostPreset, Tag("preset")] | Annotated[Costs, Tag("rates")], Discriminator(_kind_of_costs)
]


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


Parameters = Annotated[
    dict[str, Any],
    Field(description="The strategy's own parameters, plus position_size in (0, 1] (default 1); {} takes the defaults"),
]


class BacktestRequest(Input):
    """All that is needed to repeat a run; None where the asset decides (see `BacktestEngine`)."""

    strategy_id: StrategyId
    asset_symbol: AssetSymbol
    start_date: Day
    end_date: Day
    initial_capital: Capital
    parameters: Parameters
    timeframe: Annotated[Timeframe, Field(strict=False)] = Timeframe.D1
    fill: Fill = "next_open"
    costs: CostChoice | None = None
    adjustment: Adjustment | None = None
    risk_free: RiskFree = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.start_date > self.end_date:
            raise ValueError(
                f"start_date {self.start_date} is after end_date {self.end_date}: choose an earlier start_date"
            )
        return self
