"""How decisions become orders: size, direction, stops and targets (contract sections 1, 4, 6 and 7)."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from backtesting.types.costs import AtrMultiple, kind_of_distance
from backtesting.types.input import Input

Direction = Literal["long", "short", "both"]
StopBase = Literal["fill", "signal_close"]
Intrabar = Literal["pessimistic", "optimistic"]

LARGEST_LEVERAGE = 4.0
Fraction = Annotated[float, Field(gt=0, le=LARGEST_LEVERAGE)]
DelayBars = Annotated[int, Field(strict=True, ge=1, le=10)]
LotSize = Annotated[float, Field(strict=True, ge=0, le=1e9)]
MinNotional = Annotated[float, Field(strict=True, ge=0, le=1e12)]
MaxLeverage = Annotated[float, Field(strict=True, ge=1, le=LARGEST_LEVERAGE)]
MaxHolding = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
StopDistance = Annotated[
    Annotated[float, Field(gt=0, lt=1), Tag("fraction")] | Annotated[AtrMultiple, Tag("multiple")],
    Discriminator(kind_of_distance),
]
TargetDistance = Annotated[
    Annotated[float, Field(gt=0, le=100), Tag("fraction")] | Annotated[AtrMultiple, Tag("multiple")],
    Discriminator(kind_of_distance),
]


class PercentEquity(Input):
    """Spend a fraction of equity per entry."""

    method: Literal["percent_equity"]
    fraction: Fraction = 1.0


class FixedCash(Input):
    """Spend the same amount of money per entry."""

    method: Literal["fixed_cash"]
    amount: Annotated[float, Field(gt=0, le=1e12)]


class FixedUnits(Input):
    """Trade the same quantity per entry."""

    method: Literal["fixed_units"]
    units: Annotated[float, Field(gt=0, le=1e12)]


class VolTarget(Input):
    """Spend target / annualised volatility of the last 60 session returns, of equity, at most max_leverage."""

    method: Literal["vol_target"]
    target: Annotated[float, Field(gt=0, le=10)]


class RiskPerTrade(Input):
    """Size so that the stop's distance costs this fraction of equity; needs stop_loss or trailing_stop."""

    method: Literal["risk_per_trade"]
    fraction: Annotated[float, Field(gt=0, lt=1)]


class CappedKelly(Input):
    """Spend min(cap, fraction x Kelly) of equity, nothing where Kelly is not positive.

    Kelly is W - (1 - W) / R over the trades closed before the bar of the fill: W their share of winners, R mean winning
    over mean losing return; 1 without a loss. Until `min_trades` are closed, cap of equity.
    """

    method: Literal["kelly"]
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
    cap: Fraction = 1.0
    min_trades: Annotated[int, Field(ge=1, le=10_000)] = 30


Sizing = Annotated[
    PercentEquity | FixedCash | FixedUnits | VolTarget | RiskPerTrade | CappedKelly,
    Field(discriminator="method"),
]


class OrderOptions(Input):
    """Everything that decides how signals are traded, apart from the bar of the fill and the costs.

    With neither stops nor anything else set, an entry spends `position_size` of the equity.
    """

    delay_bars: DelayBars = 1
    sizing: Sizing | None = None
    lot_size: LotSize = 0.0
    min_notional: MinNotional = 0.0
    max_leverage: MaxLeverage = 1.0
    direction: Direction = "long"
    stop_loss: StopDistance | None = None
    take_profit: TargetDistance | None = None
    trailing_stop: StopDistance | None = None
    stop_base: StopBase = "fill"
    intrabar: Intrabar = "pessimistic"
    limit_touch: bool = False
    max_holding: MaxHolding | None = None
    close_at_end: bool = False

    @property
    def has_stops(self) -> bool:
        """Whether an order waits inside the bars."""
        return not self.stop_loss is self.take_profit is self.trailing_stop is None

    @property
    def atr_periods(self) -> tuple[int, ...]:
        """The periods of the ATRs that stops and targets are measured by."""
        distances = (self.stop_loss, self.take_profit, self.trailing_stop)
        return tuple(each.period for each in distances if isinstance(each, AtrMultiple))

    @model_validator(mode="after")
    def _risk_needs_a_stop(self) -> Self:
        if isinstance(self.sizing, RiskPerTrade) and self.stop_loss is self.trailing_stop is None:
            raise ValueError("sizing risk_per_trade needs a stop: add stop_loss or trailing_stop")
        return self

    @model_validator(mode="after")
    def _size_is_within_leverage(self) -> Self:
        match self.sizing:
            case PercentEquity(fraction=asked) | CappedKelly(cap=asked) if asked > self.max_leverage:
                raise ValueError(
                    f"sizing asks for {asked:g} of equity, above max_leverage {self.max_leverage:g}: "
                    f"lower it or raise max_leverage (at most {LARGEST_LEVERAGE:g})"
                )
        return self
