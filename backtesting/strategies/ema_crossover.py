"""Two exponential moving averages."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from backtesting.indicators import crossed_above, crossed_below, ema
from backtesting.rules import Line, Rule, crosses_above, crosses_below
from backtesting.strategy import LARGEST_WINDOW, RECURSIVE_UNSTABLE, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class EmaCrossover(Strategy):
    """Enters when the fast exponential moving average of closes crosses above the slow one, leaves when below."""

    title: ClassVar[str] = "EMA crossover"
    idea: ClassVar[str] = "fast EMA above slow EMA"
    strategy_type: ClassVar[StrategyType] = "trend_following"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "fast_period": SearchRange(5, 50, 5),
        "slow_period": SearchRange(20, 200, 20),
    }

    fast_period: int = Field(default=12, ge=1, le=LARGEST_WINDOW, description="Bars in the fast average")
    slow_period: int = Field(default=26, ge=2, le=LARGEST_WINDOW, description="Bars in the slow average, > fast_period")

    @model_validator(mode="after")
    def _fast_is_below_slow(self) -> Self:
        if self.fast_period >= self.slow_period:
            raise ValueError(
                f"fast_period {self.fast_period} must be below slow_period {self.slow_period}: "
                "lower fast_period or raise slow_period"
            )
        return self

    @property
    def warmup(self) -> int:
        return self.slow_period - 1

    @property
    def unstable(self) -> int:
        return RECURSIVE_UNSTABLE

    @classmethod
    def rule(cls) -> Rule:
        fast, slow = (Line(ema, parameters=(name,)) for name in ("fast_period", "slow_period"))
        return Rule(crosses_above(fast, slow), crosses_below(fast, slow))

    def signals(self, bars: Bars) -> Signals:
        fast, slow = ema(bars.close, self.fast_period), ema(bars.close, self.slow_period)
        rises, falls = crossed_above(fast, slow), crossed_below(fast, slow)
        return Signals(rises, falls, {"ema_fast": fast, "ema_slow": slow}, falls, rises)
