"""What an equity curve looked like over time: months, years, rolling years, and its worst spells under water.

All of it is made from the stored curve when it is asked for, so none of it is stored.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Literal, Self

import numpy as np

from backtesting.metrics.curves import drawdown_of, returns_between, session_ends, session_levels, spells
from backtesting.metrics.undefined import ROUNDING
from backtesting.types import EPOCH, LATEST_SPANS, NS_PER_DAY, EquityCurve, Floats, Integers, Run, instant, nanoseconds


@dataclass(frozen=True, eq=False)
class Growth:
    """An equity curve and the capital it grew from.

    `base_time` is when the capital stood for the last time, in ns UTC; None if the first bar is the base (A4).
    """

    curve: EquityCurve
    capital: float
    base_time: int | None

    @classmethod
    def of(cls, run: Run, curve: EquityCurve) -> Self:
        """Return how a curve of a completed run, its own or that of buy and hold, grew from the run's capital."""
        base = run.require_summary().provenance.get("base_bar")
        base_time = nanoseconds(datetime.fromisoformat(base)) if base else None
        return cls(curve, run.request.initial_capital, base_time)

    @cached_property
    def drawdown(self) -> Floats:
        """Drawdown at each bar, shape (n,): a fraction <= 0, the capital counting as the first maximum."""
        return self.drawdown_drawdown_from_capital[1:]

    @cached_property
    def drawdown_drawdown_from_capital(self) -> Floats:
        """The same with the capital before it, shape (n + 1,)."""
        return drawdown_of(np.concatenate([[self.capital], self.curve.value]))

    @property
    def session_returns(self) -> Floats:
        """Returns from day to day UTC, which are sessions but for markets that trade over midnight UTC."""
        base = None if self.base_time is None else self.capital
        return returns_between(session_levels(session_ends(self.curve.time // NS_PER_DAY), self.curve.value, base))


@dataclass(frozen=True, slots=True)
class Year:
    """Returns as fractions: of each month, January first, None where there are no bars, and of the calendar year."""

    year: int
    months: tuple[float | None, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A spell under water: from its peak over its deepest bar to its recovery, None if it has not recovered.

    `days` are calendar days from the peak to the recovery, or to the last bar.
    """

    start: datetime
    trough: datetime
    recovery: datetime | None
    depth: float
    days: float


@dataclass(frozen=True, slots=True)
class RollingSharpe:
    """Sharpe ratios of every run of `sessions` sessions, a year; `positive` is the share of them above 0."""

    sessions: int
    windows: int
    lowest: float
    median: float
    highest: float
    last: float
    positive: float


def years_of(growth: Growth) -> tuple[Year, ...]:
    """Return every calendar year UTC of the curve; the months of a year multiply to it."""
    by_month = dict(_returns_by("M", growth))
    return tuple(
        Year(year, tuple(by_month.get((year - EPOCH.year) * 12 + each) for each in range(12)), total)
        for year, total in totals_of(growth).items()
    )


def totals_of(growth: Growth | None) -> Mapping[int, float]:
    """Return the return of every calendar year UTC; none where there is no curve."""
    return {EPOCH.year + year: total for year, total in _returns_by("Y", growth)} if growth else {}


def worst_drawdowns(growth: Growth) -> tuple[Drawdown, ...]:
    """Return every spell under water, the deepest first."""
    capital_time = growth.curve.time[0] if growth.base_time is None else growth.base_time
    time = np.concatenate([[capital_time], growth.curve.time])
    drawdown = growth.drawdown_drawdown_from_capital
    found = [_spell(time, drawdown, begin, end) for begin, end in zip(*spells(drawdown < 0), strict=True)]
    return tuple(sorted(found, key=lambda spell: spell.depth))


def rolling_sharpe(growth: Growth, periods_per_year: float, risk_free: float = 0.0) -> RollingSharpe | None:
    """Return how the Sharpe ratio of a year moved; None for less than a year, or when no year varies."""
    returns, sessions = growth.session_returns, round(periods_per_year)
    if len(returns) < sessions:
        return None
    excess = returns - (float((1.0 + risk_free) ** (1.0 / periods_per_year)) - 1.0)
    windows = np.lib.stride_tricks.sliding_window_view(excess, sessions)
    deviation = windows.std(axis=1, ddof=1)
    varies = deviation > ROUNDING
    if not varies.any():
        return None
    sharpe = windows[varies].mean(axis=1) / deviation[varies] * periods_per_year**0.5
    return RollingSharpe(
        sessions=sessions,
        windows=len(sharpe),
        lowest=float(sharpe.min()),
        median=float(np.median(sharpe)),
        highest=float(sharpe.max()),
        last=float(sharpe[-1]),
        positive=float((sharpe > 0).mean()),
    )


def _returns_by(unit: Literal["M", "Y"], growth: Growth) -> Iterator[tuple[int, float]]:
    """Pair each month or year since 1970 that has bars with its return from the end of the one before."""
    time = growth.curve.time
    period, ends = _periods(unit, int(time[0]), int(time[-1]))
    behind = np.searchsorted(time, ends)
    has_bars = np.diff(behind, prepend=0) > 0
    levels = np.concatenate([[growth.capital], growth.curve.value[behind[has_bars] - 1]])
    return zip(period[has_bars].tolist(), returns_between(levels).tolist(), strict=True)


@lru_cache(maxsize=LATEST_SPANS)
def _periods(unit: Literal["M", "Y"], first: int, last: int) -> tuple[Integers, Integers]:
    """Return the months or years since 1970 from one instant to another, and where they end, in ns UTC."""
    edges = np.array([first, last]).astype("datetime64[ns]").astype(f"datetime64[{unit}]").astype(np.int64)
    period = np.arange(edges[0], edges[1] + 1)
    return period, (period + 1).astype(f"datetime64[{unit}]").astype("datetime64[ns]").astype(np.int64)


def _spell(time: Integers, drawdown: Floats, begin: int, end: int) -> Drawdown:
    trough = begin + int(np.argmin(drawdown[begin:end]))
    recovered = end < len(time)
    last = end if recovered else end - 1
    return Drawdown(
        start=instant(time[begin]),
        trough=instant(time[trough]),
        recovery=instant(time[last]) if recovered else None,
        depth=float(drawdown[trough]),
        days=int(time[last] - time[begin]) / NS_PER_DAY,
    )
