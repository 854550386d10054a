"""Time-series momentum over the twelve months before the last one (Jegadeesh & Titman 1993)."""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from backtesting.indicators import rate_of_change
from backtesting.rules import Line, Rule, is_above, is_below, zero
from backtesting.strategy import LARGEST_WINDOW, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Floats, Signals


class Momentum(Strategy):
    """Holds while the close of `skip` bars ago is above that of `lookback` bars ago, leaves while it is below."""

    title: ClassVar[str] = "12-1 momentum"
    idea: ClassVar[str] = "rose over a year, the last month left out"
    strategy_type: ClassVar[StrategyType] = "momentum"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "lookback": SearchRange(63, 315, 21),
        "skip": SearchRange(0, 42, 21),
    }

    lookback: int = Field(default=252, ge=1, le=LARGEST_WINDOW, description="Bars back to where the return begins")
    skip: int = Field(default=21, ge=0, le=LARGEST_WINDOW, description="Latest bars left out of it, < lookback")

    @model_validator(mode="after")
    def _skip_is_below_lookback(self) -> Self:
        if self.skip >= self.lookback:
            raise ValueError(f"skip {self.skip} must be below lookback {self.lookback}: lower skip or raise lookback")
        return self

    @property
    def warmup(self) -> int:
        return self.lookback

    @classmethod
    def rule(cls) -> Rule:
        momentum = Line(past_change, parameters=("lookback", "skip"))
        return Rule(is_above(momentum, zero()), is_below(momentum, zero()))

    def signals(self, bars: Bars) -> Signals:
        momentum = past_change(bars.close, self.lookback, self.skip)
        rises, falls = momentum > 0, momentum < 0
        return Signals(rises, falls, {"momentum": momentum}, falls, rises)


def past_change(close: Floats, lookback: int, skip: int) -> Floats:
    """Return the change from `lookback` to `skip` bars ago as a fraction, shape (n,), from bar `lookback`."""
    change = rate_of_change(close, lookback - skip)
    return np.concatenate([np.full(skip, np.nan), change])[: len(close)]
