"""Seban's Supertrend."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from backtesting.indicators import crossed_above, crossed_below, supertrend
from backtesting.strategy import LARGEST_WINDOW, RECURSIVE_UNSTABLE, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class SupertrendReversal(Strategy):
    """Enters when the close passes the Supertrend line upwards, leaves when it passes downwards."""

    title: ClassVar[str] = "Supertrend"
    idea: ClassVar[str] = "close above the Supertrend line"
    strategy_type: ClassVar[StrategyType] = "trend_following"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "period": SearchRange(5, 30, 5),
        "multiplier": SearchRange(1.0, 5.0, 0.5),
    }

    period: int = Field(default=10, ge=1, le=LARGEST_WINDOW, description="Bars of the ATR")
    multiplier: float = Field(default=3.0, ge=0.1, le=50, description="ATRs between the bars' middle and the line")

    @property
    def warmup(self) -> int:
        return self.period

    @property
    def unstable(self) -> int:
        return RECURSIVE_UNSTABLE

    def signals(self, bars: Bars) -> Signals:
        line, direction = supertrend(bars.high, bars.low, bars.close, self.period, self.multiplier)
        rises, falls = crossed_above(direction, 0.0), crossed_below(direction, 0.0)
        return Signals(rises, falls, {"supertrend": line, "supertrend_direction": direction}, falls, rises)
