"""What is measured: the period's bars and what the simulation did on them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from math import sqrt

import numpy as np

from backtesting.metrics.bootstrap import resampled_sharpe, resampling
from backtesting.metrics.curves import (
    deepest_drawdown_of,
    drawdown_of,
    returns_between,
    session_ends,
    session_levels,
    spells,
)
from backtesting.metrics.undefined import Undefined, Value, mean, spread, varying
from backtesting.types import NS_PER_DAY, Bars, Booleans, Floats, Integers, Simulation

DAYS_A_YEAR = 365.25


@dataclass(frozen=True, eq=False)
class Evidence:
    """A simulated period and the series all metrics are made of, each computed once.

    `session` labels each bar's session by midnight UTC of its day (A1). `base_time` is when the capital stood still for
    the last time, in ns UTC: the last bar before the period, if an order can fill in the first session; None if none
    can, so that the first bar is the base (contract A4).
    """

    bars: Bars
    session: Integers
    simulation: Simulation
    initial_capital: float
    periods_per_year: float
    risk_free: float
    base_time: int | None
    seed: int = 0

    @cached_property
    def session_ends(self) -> Integers:
        """The last bar of each session."""
        return session_ends(self.session)

    @cached_property
    def returns(self) -> Floats:
        """Session returns r of the strategy (A1)."""
        return self._session_returns(self.simulation.equity)

    @cached_property
    def benchmark_returns(self) -> Floats:
        """Session returns b of buy and hold (A6), of a chosen benchmark where there is one."""
        return self._session_returns(self.simulation.benchmark)

    @cached_property
    def held_returns(self) -> Floats:
        """Session returns of buy and hold of the asset itself."""
        held = self.simulation.held
        return self.benchmark_returns if held is None else self._session_returns(held)

    @cached_property
    def mean_return(self) -> float:
        """Mean of r."""
        return mean(self.returns)

    @cached_property
    def mean_benchmark_return(self) -> float:
        """Mean of b."""
        return mean(self.benchmark_returns)

    @cached_property
    def centred(self) -> Floats:
        """Differences of r from its mean."""
        return self.returns - self.mean_return

    @cached_property
    def centred_benchmark(self) -> Floats:
        """Differences of b from its mean."""
        return self.benchmark_returns - self.mean_benchmark_return

    @cached_property
    def spread(self) -> float:
        """Return s(r) of at least two returns, whatever made it."""
        return spread(self.centred)

    @cached_property
    def losses(self) -> Floats:
        """min(r, 0)."""
        return np.minimum(self.returns, 0.0)

    @cached_property
    def downside(self) -> float:
        """sqrt(mean(min(r, 0)^2))."""
        return sqrt(float(np.dot(self.losses, self.losses)) / len(self.losses))

    @cached_property
    def compounded_returns(self) -> float:
        """product(1 + r)."""
        return float(np.multiply.reduce(1.0 + self.returns))

    @cached_property
    def sorted_returns(self) -> Floats:
        """Session returns, worst first."""
        return np.sort(self.returns)

    @cached_property
    def deviation(self) -> Value:
        """Return s(r), which is also s(r - rf); there is none for an account that went bankrupt (H6)."""
        if self.is_bankrupt:
            return Undefined.BANKRUPT
        if len(self.returns) < 2:  # noqa: PLR2004 - n - 1 degrees of freedom
            return Undefined.TOO_SHORT
        return varying(self.spread, self.returns, Undefined.ZERO_VARIANCE)

    @cached_property
    def benchmark_deviation(self) -> Value:
        """Return s(b)."""
        if len(self.benchmark_returns) < 2:  # noqa: PLR2004
            return Undefined.TOO_SHORT
        return varying(spread(self.centred_benchmark), self.benchmark_returns, Undefined.BENCHMARK_ZERO_VARIANCE)

    @cached_property
    def resampled_sharpe(self) -> Floats:
        """Sharpe ratios per session of 1,000 bootstrap samples of returns whose deviation is defined, ascending.

        NaNs come last.
        """
        blocks = resampling(len(self.returns), self.seed)
        return np.sort(resampled_sharpe(self.returns, self.risk_free_per_session, blocks))

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Biased skewness g3 and kurtosis g4, not excess, of session returns whose deviation is defined."""
        scores = self.centred / (self.spread * sqrt((len(self.centred) - 1) / len(self.centred)))
        squares = scores * scores
        return float(np.dot(squares, scores)) / len(scores), float(np.dot(squares, squares)) / len(scores)

    @cached_property
    def drawdown(self) -> Floats:
        """Equity below its running maximum, as a fraction <= 0; the initial capital, then every bar: n + 1 values."""
        return drawdown_of(self._from_capital(self.simulation.equity))

    @cached_property
    def deepest_drawdown(self) -> float:
        """The deepest point of it."""
        return float(np.minimum.reduce(self.drawdown))

    @cached_property
    def spells(self) -> tuple[Integers, Integers]:
        """Where equity was under water, by numbers of `drawdown`: the last point before, the first after."""
        return spells(self.drawdown < 0)

    @cached_property
    def deepest_benchmark_drawdown(self) -> float:
        """The deepest point of buy and hold's."""
        return deepest_drawdown_of(self._from_capital(self.simulation.benchmark))

    @cached_property
    def exposure(self) -> Floats:
        """Value of the position at each close as a fraction of equity (0 without equity), shorts negative."""
        held, equity = self.simulation.units * self.bars.close, self.simulation.equity
        if np.minimum.reduce(equity) > 0:
            return np.divide(held, equity, out=held)
        return np.divide(held, equity, out=np.zeros_like(equity), where=equity > 0)

    @cached_property
    def gross_exposure(self) -> Floats:
        """Its size, whatever the direction."""
        return np.abs(self.exposure)

    @cached_property
    def closed(self) -> Booleans:
        """Which trades are closed (W6)."""
        return ~self.simulation.trades.is_open

    @cached_property
    def pnl(self) -> Floats:
        """Profits of the closed trades, after both sides' costs."""
        return self.simulation.trades.pnl[self.closed]

    @cached_property
    def wins(self) -> Floats:
        """Profits of the closed trades that have one."""
        return self.pnl[self.pnl > 0]

    @cached_property
    def defeats(self) -> Floats:
        """Losses of the closed trades that have one, negative."""
        return self.pnl[self.pnl < 0]

    @cached_property
    def trade_returns(self) -> Floats:
        """Returns of the closed trades: profit / (entry price x quantity)."""
        return self.simulation.trades.returns[self.closed]

    @cached_property
    def is_bankrupt(self) -> bool:
        """Whether equity was used up (H6)."""
        return self.simulation.bankrupt_bar is not None

    @property
    def growth(self) -> float:
        """Final over initial capital."""
        return float(self.simulation.equity[-1]) / self.initial_capital

    @cached_property
    def risk_free_per_session(self) -> float:
        """(1 + risk_free)^(1/p) - 1 (A5)."""
        return float((1.0 + self.risk_free) ** (1.0 / self.periods_per_year)) - 1.0

    @property
    def time_of_capital(self) -> int:
        """When the initial capital stood: the base of the period, ns UTC."""
        return int(self.bars.time[0]) if self.base_time is None else self.base_time

    @property
    def days(self) -> float:
        """Calendar days D from the base to the last bar."""
        return (int(self.bars.time[-1]) - self.time_of_capital) / NS_PER_DAY

    def _session_returns(self, equity: Floats) -> Floats:
        base = None if self.base_time is None else self.initial_capital
        return returns_between(session_levels(self.session_ends, equity, base))

    def _from_capital(self, equity: Floats) -> Floats:
        return np.concatenate([[self.initial_capital], equity])


Compute = Callable[[Evidence], Value]


def needs_sessions(compute: Compute) -> Compute:
    """Make a metric of session returns undefined when there are fewer than two."""

    @wraps(compute)
    def checked(evidence: Evidence) -> Value:
        return compute(evidence) if len(evidence.returns) > 1 else Undefined.TOO_SHORT

    return checked


def needs_trades(compute: Compute) -> Compute:
    """Make a metric of closed trades undefined when there are none."""

    @wraps(compute)
    def checked(evidence: Evidence) -> Value:
        return compute(evidence) if len(evidence.pnl) else Undefined.NO_TRADES

    return checked
