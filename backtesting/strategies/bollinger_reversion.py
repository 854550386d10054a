"""Back to the mean from outside the Bollinger bands."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from backtesting.indicators import bollinger, crossed_above, crossed_below
from backtesting.rules import Line, Rule, crosses_above, crosses_below, price
from backtesting.strategy import LARGEST_WINDOW, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class BollingerReversion(Strategy):
    """Enters when the close crosses below the lower Bollinger band, leaves when it crosses above the middle one."""

    title: ClassVar[str] = "Bollinger reversion"
    idea: ClassVar[str] = "buys below the lower band, sells above the middle"
    strategy_type: ClassVar[StrategyType] = "mean_reversion"
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
        lower, middle = (Line(bollinger, ("close",), ("period", "deviations"), part) for part in ("lower", "middle"))
        return Rule(crosses_below(price("close"), lower), crosses_above(price("close"), middle))

    def signals(self, bars: Bars) -> Signals:
        upper, middle, lower = bollinger(bars.close, self.period, self.deviations)
        return Signals(
            entries=crossed_below(bars.close, lower),
            exits=crossed_above(bars.close, middle),
            indicators={"bollinger_upper": upper, "bollinger_middle": middle, "bollinger_lower": lower},
            short_entries=crossed_above(bars.close, upper),
            short_exits=crossed_below(bars.close, middle),
        )
