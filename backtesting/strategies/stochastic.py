"""Lane's stochastic oscillator against two levels."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from backtesting.indicators import crossed_above, crossed_below, stochastic
from backtesting.strategy import LARGEST_WINDOW, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class StochasticReversal(Strategy):
    """Enters when slow %K crosses above %D and %D is oversold, leaves when it crosses below and %D is overbought."""

    title: ClassVar[str] = "Stochastic reversal"
    idea: ClassVar[str] = "%K crosses %D, oversold or overbought"
    strategy_type: ClassVar[StrategyType] = "mean_reversion"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "k_period": SearchRange(5, 30, 1),
        "k_smoothing": SearchRange(1, 5, 2),
        "d_period": SearchRange(3, 9, 2),
        "oversold": SearchRange(10.0, 40.0, 5.0),
        "overbought": SearchRange(60.0, 90.0, 5.0),
    }

    k_period: int = Field(default=14, ge=1, le=LARGEST_WINDOW, description="Bars of the range %K is measured in")
    k_smoothing: int = Field(default=3, ge=1, le=LARGEST_WINDOW, description="Bars in the mean that slows %K")
    d_period: int = Field(default=3, ge=1, le=LARGEST_WINDOW, description="Bars in the mean of %K that is %D")
    oversold: float = Field(default=20.0, ge=0, le=100, description="%D level to enter below")
    overbought: float = Field(default=80.0, ge=0, le=100, description="%D level to leave above, > oversold")

    @model_validator(mode="after")
    def _oversold_is_below_overbought(self) -> Self:
        if self.oversold >= self.overbought:
            raise ValueError(
                f"oversold {self.oversold} must be below overbought {self.overbought}: "
                "lower oversold or raise overbought"
            )
        return self

    @property
    def warmup(self) -> int:
        """The range, then the two means."""
        return self.k_period + self.k_smoothing + self.d_period - 3

    def signals(self, bars: Bars) -> Signals:
        k, d = stochastic(bars.high, bars.low, bars.close, self.k_period, self.k_smoothing, self.d_period)
        rises = crossed_above(k, d) & (d < self.oversold)
        falls = crossed_below(k, d) & (d > self.overbought)
        return Signals(rises, falls, {"stochastic_k": k, "stochastic_d": d}, falls, rises)
