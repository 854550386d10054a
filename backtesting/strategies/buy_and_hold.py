"""The benchmark every strategy is measured against."""

from typing import ClassVar

import numpy as np

from backtesting.strategy import Strategy, StrategyType
from backtesting.types import Bars, Signals


class BuyAndHold(Strategy):
    """Enters at the first chance and never leaves."""

    title: ClassVar[str] = "Buy and hold"
    idea: ClassVar[str] = "buys once and never sells"
    strategy_type: ClassVar[StrategyType] = "benchmark"

    @property
    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars) -> Signals:
        return Signals(np.ones(len(bars), dtype=np.bool_), np.zeros(len(bars), dtype=np.bool_))
