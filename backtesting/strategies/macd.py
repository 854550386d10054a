"""The MACD line and its signal line."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from backtesting.indicators import crossed_above, crossed_below, macd
from backtesting.rules import Line, Rule, crosses_above, crosses_below
from backtesting.strategy import LARGEST_WINDOW, RECURSIVE_UNSTABLE, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class MacdCrossover(Strategy):
    """Enters when the MACD line crosses above its signal line, leaves when it crosses below."""

    title: ClassVar[str] = "MACD crossover"
    idea: ClassVar[str] = "MACD line above its signal line"
    strategy_type: ClassVar[StrategyType] = "momentum"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "fast": SearchRange(6, 20, 2),
        "slow": SearchRange(20, 50, 2),
        "signal": SearchRange(5, 15, 2),
    }

    fast: int = Field(default=12, ge=1, le=LARGEST_WINDOW, description="Bars in the fast exponential mean")
    slow: int = Field(default=26, ge=2, le=LARGEST_WINDOW, description="Bars in the slow exponential mean, > fast")
    signal: int = Field(default=9, ge=1, le=LARGEST_WINDOW, description="Bars in the signal line's exponential mean")

    @model_validator(mode="after")
    def _fast_is_below_slow(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast {self.fast} must be below slow {self.slow}: lower fast or raise slow")
        return self

    @property
    def warmup(self) -> int:
        """The signal line needs `signal` values of a line that needs `slow` closes."""
        return self.slow + self.signal - 2

    @property
    def unstable(self) -> int:
        return RECURSIVE_UNSTABLE

    @classmethod
    def rule(cls) -> Rule:
        line, smooth = (Line(macd, parameters=("fast", "slow", "signal"), part=part) for part in ("line", "signal"))
        return Rule(crosses_above(line, smooth), crosses_below(line, smooth))

    def signals(self, bars: Bars) -> Signals:
        line, smooth, histogram = macd(bars.close, self.fast, self.slow, self.signal)
        indicators = {"macd": line, "macd_signal": smooth, "macd_histogram": histogram}
        above, below = crossed_above(line, smooth), crossed_below(line, smooth)
        return Signals(above, below, indicators, short_entries=below, short_exits=above)
