"""Wilder's directional movement, where it is strong enough (1978)."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from backtesting.indicators import adx
from backtesting.strategy import LARGEST_WINDOW, RECURSIVE_UNSTABLE, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class AdxTrend(Strategy):
    """Enters while +DI is above -DI and ADX above the threshold, leaves when +DI is below -DI."""

    title: ClassVar[str] = "ADX trend"
    idea: ClassVar[str] = "+DI above -DI, and ADX shows a trend"
    strategy_type: ClassVar[StrategyType] = "trend_following"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "period": SearchRange(7, 28, 7),
        "threshold": SearchRange(15.0, 40.0, 5.0),
    }

    period: int = Field(default=14, ge=2, le=LARGEST_WINDOW, description="Bars of Wilder's smoothing")
    threshold: float = Field(default=25.0, ge=0, le=100, description="ADX level above which there is a trend")

    @property
    def warmup(self) -> int:
        """ADX is the mean of `period` values that need `period` moves."""
        return 2 * self.period - 1

    @property
    def unstable(self) -> int:
        return RECURSIVE_UNSTABLE

    def signals(self, bars: Bars) -> Signals:
        strength, plus, minus = adx(bars.high, bars.low, bars.close, self.period)
        strong, rises, falls = strength > self.threshold, plus > minus, plus < minus
        indicators = {"adx": strength, "plus_di": plus, "minus_di": minus}
        return Signals(strong & rises, falls, indicators, strong & falls, rises)
