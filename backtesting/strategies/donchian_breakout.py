"""New highs and lows: Donchian's channels, as the Turtles traded them (Faith 2003)."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from backtesting.indicators import donchian
from backtesting.rules import Line, Rule, is_above, is_below, price
from backtesting.strategy import LARGEST_WINDOW, SearchRange, Strategy, StrategyType
from backtesting.types import Bars, Signals


class DonchianBreakout(Strategy):
    """Enters above the highest high of the `entry_period` bars before, leaves below the lowest low of `exit_period`."""

    title: ClassVar[str] = "Donchian breakout"
    idea: ClassVar[str] = "buys new highs, sells new lows"
    strategy_type: ClassVar[StrategyType] = "trend_following"
    search: ClassVar[Mapping[str, SearchRange]] = {
        "entry_period": SearchRange(10, 100, 10),
        "exit_period": SearchRange(5, 50, 5),
    }

    entry_period: int = Field(default=20, ge=1, le=LARGEST_WINDOW, description="Bars whose high a close must exceed")
    exit_period: int = Field(default=10, ge=1, le=LARGEST_WINDOW, description="Bars whose low a close must undercut")

    @property
    def warmup(self) -> int:
        return max(self.entry_period, self.exit_period)

    @classmethod
    def rule(cls) -> Rule:
        high = Line(donchian, ("high", "low"), ("entry_period",), "upper")
        low = Line(donchian, ("high", "low"), ("exit_period",), "lower")
        return Rule(is_above(price("close"), high), is_below(price("close"), low))

    def signals(self, bars: Bars) -> Signals:
        entry_high, _, entry_low = donchian(bars.high, bars.low, self.entry_period)
        exit_high, _, exit_low = donchian(bars.high, bars.low, self.exit_period)
        return Signals(
            entries=bars.close > entry_high,
            exits=bars.close < exit_low,
            indicators={
                "entry_high": entry_high,
                "entry_low": entry_low,
                "exit_high": exit_high,
                "exit_low": exit_low,
            },
            short_entries=bars.close < entry_low,
            short_exits=bars.close > exit_high,
        )
