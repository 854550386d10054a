"""Wilder's relative strength index against two levels."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from backtesting.indicators import crossed_above, crossed_below, rsi
from backtesting.rules import Line, Rule, crosses_above, crosses_below, level
from backtesting.strategy import LARGEST_WINDOW, RECURSIVE_UNSTABLE, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class RsiReversal(Strategy):
    """Enters when Wilder's RSI crosses below the oversold level, leaves when it crosses above the overbought level."""

    title: ClassVar[str] = "RSI reversal"
    idea: ClassVar[str] = "Wilder's: buys oversold, sells overbought"
    strategy_type: ClassVar[StrategyType] = "mean_reversion"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "period": SearchRange(5, 30, 1),
        "oversold": SearchRange(20.0, 40.0, 5.0),
        "overbought": SearchRange(60.0, 80.0, 5.0),
    }

    period: int = Field(default=14, ge=2, le=LARGEST_WINDOW, description="Bars of Wilder's smoothing")
    oversold: float = Field(default=30.0, ge=0, le=100, description="RSI level to enter below")
    overbought: float = Field(default=70.0, ge=0, le=100, description="RSI level to leave above, > oversold")

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
        """The first RSI needs `period` changes of the close."""
        return self.period

    @property
    def unstable(self) -> int:
        return RECURSIVE_UNSTABLE

    @classmethod
    def rule(cls) -> Rule:
        strength = Line(rsi, parameters=("period",))
        return Rule(crosses_below(strength, level("oversold")), crosses_above(strength, level("overbought")))

    def signals(self, bars: Bars) -> Signals:
        strength = rsi(bars.close, self.period)
        entries, exits = crossed_below(strength, self.oversold), crossed_above(strength, self.overbought)
        return Signals(entries, exits, {"rsi": strength}, short_entries=exits, short_exits=entries)
