"""Out of the Bollinger bands with the move."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from backtesting.indicators import bollinger, crossed_above, crossed_below
from backtesting.rules import Line, Rule, crosses_above, crosses_below, price
from backtesting.strategy import LARGEST_WINDOW, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class BollingerBreakout(Strategy):
    """Enters when the close crosses above the upper Bollinger band, leaves when it crosses below the middle one."""

    title: ClassVar[str] = "Bollinger breakout"
    idea: ClassVar[str] = "follows a close above the upper band"
    strategy_type: ClassVar[StrategyType] = "trend_following"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "period": SearchRange(10, 50, 5),
        "deviations": SearchRange(1.0, 3.0, 0.25),
    }

    period: int = Field(default=20, ge=2, le=LARGEST_WINDOW, description="Bars in the middle band's mean")
    deviations: float = Field(default=2.0, ge=0.1, le=10, description="Standard deviations from middle to band")

    @property
    def warmup(self) -> int:
        return self.period - 1

    @classmethod
    def rule(cls) -> Rule:
        upper, middle = (Line(bollinger, ("close",), ("period", "deviations"), part) for part in ("upper", "middle"))
        return Rule(crosses_above(price("close"), upper), crosses_below(price("close"), middle))

    def signals(self, bars: Bars) -> Signals:
        upper, middle, lower = bollinger(bars.close, self.period, self.deviations)
        return Signals(
            entries=crossed_above(bars.close, upper),
            exits=crossed_below(bars.close, middle),
            indicators={"bollinger_upper": upper, "bollinger_middle": middle, "bollinger_lower": lower},
            short_entries=crossed_below(bars.close, lower),
            short_exits=crossed_above(bars.close, middle),
        )
