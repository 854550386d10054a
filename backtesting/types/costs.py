"""What a fill costs: the rates that may be asked for, and the presets of each kind of market (C1-C5)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, WithJsonSchema

from backtesting.types.input import Input

Rate = Annotated[float, Field(ge=0, lt=0.5)]
Price = Annotated[float, Field(ge=0, le=1e9)]


class AtrMultiple(Input):
    """A distance in price: `atr` times Wilder's average true range over `period` bars."""

    atr: Annotated[float, Field(gt=0, le=100)]
    period: Annotated[int, Field(ge=1, le=5000)] = 14


class Costs(Input):
    """Costs of every fill, entry and exit.

    Commission is max(min_fee, commission x notional + per_unit x quantity + fixed) (C2). A market order's price worsens
    by the sum of `slippage` (a fraction), `half_spread` (in price), `slippage_atr` (measured a bar before the fill) and
    `participation` x sqrt(quantity / volume of the bar), the square-root law of market impact (Toth et al. 2011, Phys.
    Rev. X 1, 021006), a share of at most 1; by at most 95 % in all. `borrow` is a year's rate on the value of shorts
    and on borrowed money; None leaves it to the asset's class.
    """

    commission: Rate
    slippage: Rate
    per_unit: Price = 0.0
    fixed: Price = 0.0
    min_fee: Price = 0.0
    half_spread: Price = 0.0
    slippage_atr: AtrMultiple | None = None
    participation: Rate = 0.0
    borrow: Rate | None = None

    @property
    def are_rates(self) -> bool:
        """Whether commission and slippage are nothing but fractions of the notional."""
        extra = (self.per_unit, self.fixed, self.min_fee, self.half_spread, self.participation)
        return self.slippage_atr is None and not any(extra)

    @property
    def are_zero(self) -> bool:
        """Whether fills are free."""
        return self.are_rates and self.commission == self.slippage == 0

    def fee(self, price: float, quantity: float) -> float:
        """Return the commission of a fill, in money (C2)."""
        return max(self.min_fee, self.commission * price * quantity + self.per_unit * quantity + self.fixed)


COST_PRESETS: Mapping[str, Costs] = {
    "us_equity": Costs(commission=0.0001, slippage=0.0002, borrow=0.01),
    "crypto": Costs(commission=0.001, slippage=0.0005, borrow=0.05),
    "fx": Costs(commission=0.0, slippage=0.0001, borrow=0.0),
    "zero": Costs(commission=0.0, slippage=0.0, borrow=0.0),
}


CostPreset = Literal["us_equity", "crypto", "fx", "zero"]


def _kind_of_costs(given: object) -> str:
    return "preset" if isinstance(given, str) else "rates"


# pydantic's own schema of this union would take a tenth of what all tools may take of a client's context
COSTS_SCHEMA = {
    "anyOf": [
        {"type": "string", "enum": list(COST_PRESETS)},
        {
            "type": "object",
            "propertyNames": {"enum": list(Costs.model_fields)},
            "additionalProperties": {"type": "number"},
        },
    ]
}
CostChoice = Annotated[
    Annotated[CostPreset, Tag("preset")] | Annotated[Costs, Tag("rates")],
    Discriminator(_kind_of_costs),
    WithJsonSchema(COSTS_SCHEMA),
]


def kind_of_distance(given: Any) -> str:
    """Tell a fraction of a price from a multiple of the ATR."""
    return "multiple" if isinstance(given, AtrMultiple | Mapping) else "fraction"
