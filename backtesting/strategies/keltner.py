"""Out of Keltner's channel in Raschke's form: an exponential mean and ATRs around it."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from backtesting.indicators import crossed_above, crossed_below, keltner
from backtesting.rules import Line, Rule, crosses_above, crosses_below, price
from backtesting.strategy import LARGEST_WINDOW, RECURSIVE_UNSTABLE, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class KeltnerBreakout(Strategy):
    """Enters when the close crosses above the upper Keltner line, leaves when it crosses below the middle one."""

    title: ClassVar[str] = "Keltner breakout"
    idea: ClassVar[str] = "follows a close above the upper ATR line"
    strategy_type: ClassVar[StrategyType] = "trend_following"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "period": SearchRange(10, 50, 5),
        "atr_period": SearchRange(5, 30, 5),
        "multiplier": SearchRange(1.0, 4.0, 0.5),
    }

    period: int = Field(default=20, ge=1, le=LARGEST_WINDOW, description="Bars in the middle line's exponential mean")
    atr_period: int = Field(default=10, ge=1, le=LARGEST_WINDOW, description="Bars of the ATR")
    multiplier: float = Field(default=2.0, ge=0.1, le=50, description="ATRs from the middle to either line")

    @property
    def warmup(self) -> int:
        """The mean needs `period` closes, the ATR one close more than its period."""
        return max(self.period - 1, self.atr_period)

    @property
    def unstable(self) -> int:
        return RECURSIVE_UNSTABLE

    @classmethod
    def rule(cls) -> Rule:
        columns, names = ("high", "low", "close"), ("period", "atr_period", "multiplier")
        upper, middle = (Line(keltner, columns, names, part) for part in ("upper", "middle"))
        return Rule(crosses_above(price("close"), upper), crosses_below(price("close"), middle))

    def signals(self, bars: Bars) -> Signals:
        upper, middle, lower = keltner(bars.high, bars.low, bars.close, self.period, self.atr_period, self.multiplier)
        return Signals(
            entries=crossed_above(bars.close, upper),
            exits=crossed_below(bars.close, middle),
            indicators={"keltner_upper": upper, "keltner_middle": middle, "keltner_lower": lower},
            short_entries=crossed_below(bars.close, lower),
            short_exits=crossed_above(bars.close, middle),
        )
