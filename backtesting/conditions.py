"""What the terms of an order depend on, bar by bar: volatility and true range, each known at that bar's close."""

from dataclasses import dataclass, field

import numpy as np

from backtesting.indicators import atr
from backtesting.types import AtrMultiple, Bars, Costs, Floats, Integers, OrderOptions, Timeframe, VolTarget

VOLATILITY_SESSIONS = 60
BARS_A_DAY = {
    Timeframe.M1: 1440,
    Timeframe.M5: 288,
    Timeframe.M15: 96,
    Timeframe.M30: 48,
    Timeframe.H1: 24,
    Timeframe.H4: 6,
}


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Series of the bars' length, NaN where undefined; only those are there that an option asks for.

    `volatility` is empty otherwise.
    """

    true_range: dict[int, Floats] = field(default_factory=dict)
    volatility: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def series(self) -> list[Floats]:
        """All of them."""
        return [*self.true_range.values(), *([self.volatility] if len(self.volatility) else [])]

    def distance(self, asked: AtrMultiple | float | None, bars: int) -> Floats:
        """Return what was asked for at each bar: a fraction, or a distance in price; NaN for nothing."""
        if isinstance(asked, AtrMultiple):
            return asked.atr * self.true_range[asked.period]
        return np.full(bars, np.nan if asked is None else asked)


def conditions_of(
    bars: Bars, session: Integers, options: OrderOptions, costs: Costs, periods_per_year: float
) -> Conditions:
    """Return the series that the options and the costs are measured by; `session` labels each bar's session."""
    return Conditions(
        true_range={period: atr(bars.high, bars.low, bars.close, period) for period in _periods(options, costs)},
        volatility=volatility(bars, session, periods_per_year)
        if isinstance(options.sizing, VolTarget)
        else np.empty(0),
    )


def bars_before(options: OrderOptions, costs: Costs, timeframe: Timeframe) -> int:
    """Return the bars before the first one where every condition is defined, in a market that never closes."""
    a_day = BARS_A_DAY.get(timeframe, 1)
    for_volatility = VOLATILITY_SESSIONS if a_day == 1 else (VOLATILITY_SESSIONS + 1) * a_day
    return max([*_periods(options, costs), for_volatility if isinstance(options.sizing, VolTarget) else 0])


def needs_true_range(options: OrderOptions, costs: Costs) -> bool:
    """Tell whether an ATR is asked for, which is recursive."""
    return bool(_periods(options, costs))


def _periods(options: OrderOptions, costs: Costs) -> list[int]:
    """Return the periods of all ATRs asked for."""
    return sorted({*options.atr_periods, *([costs.slippage_atr.period] if costs.slippage_atr else [])})


def volatility(bars: Bars, session: Integers, periods_per_year: float) -> Floats:
    """Return the annualised standard deviation (n - 1) of the last 60 session returns, shape (n,).

    Where sessions have several bars, a bar knows the sessions before its own (T3).
    """
    ends = np.append(np.flatnonzero(session[1:] != session[:-1]), len(session) - 1)
    levels = bars.close[ends]
    returns = levels[1:] / levels[:-1] - 1.0
    of_session = np.full(len(ends), np.nan)
    if len(returns) >= VOLATILITY_SESSIONS:
        windows = np.lib.stride_tricks.sliding_window_view(returns, VOLATILITY_SESSIONS)
        of_session[VOLATILITY_SESSIONS:] = windows.std(axis=1, ddof=1) * np.sqrt(periods_per_year)
    own = np.searchsorted(ends, np.arange(len(bars)))
    known = own if len(ends) == len(bars) else own - 1
    return np.where(known >= 0, of_session[np.maximum(known, 0)], np.nan)
