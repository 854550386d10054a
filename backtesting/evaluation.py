"""The product as one pure function: a complete request and its bars go in, signals, trades and metrics come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time

import numpy as np

from backtesting.benchmark import held
from backtesting.calendars import periods_per_year
from backtesting.conditions import Conditions, bars_before, conditions_of, needs_true_range
from backtesting.data_loader import LoadedBars, Period
from backtesting.decisions import Terms
from backtesting.diagnostics import diagnose
from backtesting.errors import NoBarsError
from backtesting.flags import Findings, flags_of
from backtesting.metrics import Evidence, measure
from backtesting.provenance import config_hash, data_hash, market_of, versions
from backtesting.simulation import simulate
from backtesting.strategy import RECURSIVE_UNSTABLE, Strategy
from backtesting.types import (
    Adjustment,
    Asset,
    BacktestRequest,
    BacktestResult,
    Bars,
    Costs,
    EquityCurve,
    Floats,
    Signals,
    Simulation,
    Summary,
    instant,
    nanoseconds,
)

FIRST_STRETCH = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that is complete: its strategy made, its asset and its bars found, its costs known."""

    request: BacktestRequest
    period: Period
    strategy: Strategy
    position_size: float
    asset: Asset
    costs: Costs
    costs_assumed: bool
    benchmark: Period | None = None

    @property
    def history(self) -> int:
        """Bars wanted before the period (W1), the one that decides and the one a crossing compares it with included."""
        if self.request.history_bars is not None:
            return self.request.history_bars
        return self.settled + self.request.delay_bars + 1

    @property
    def warmup(self) -> int:
        """Bars before the first one where the strategy and the order's options have all their indicators."""
        return max(self.strategy.warmup, self._before_conditions)

    @property
    def settled(self) -> int:
        """Bars before the first one where recursive indicators have forgotten their seed, too."""
        unstable = RECURSIVE_UNSTABLE if needs_true_range(self.request, self.costs) else 0
        return max(self.strategy.warmup + self.strategy.unstable, self._before_conditions + unstable)

    @property
    def _before_conditions(self) -> int:
        return bars_before(self.request, self.costs, self.request.timeframe)


def evaluate(plan: Plan, loaded: LoadedBars) -> BacktestResult:
    """Return what the plan's strategy would have done on the bars: no clock, no database, no protocol.

    NoBarsError when the bars end before the strategy can decide and fill.
    """
    request, year = plan.request, year_of(plan, loaded)
    signals = plan.strategy.signals(loaded.bars)
    conditions = conditions_of(loaded.bars, loaded.session, request, plan.costs, year.periods)
    terms = Terms(
        initial_capital=request.initial_capital,
        position_size=plan.position_size,
        costs=plan.costs,
        fill=request.fill,
        first_decision=first_decision(plan, loaded, signals, conditions),
        history=loaded.history,
        options=request,
    )
    simulation = simulate(loaded.bars, signals, terms, conditions)
    if loaded.benchmark:
        simulation = replace(simulation, benchmark=held(loaded.benchmark, terms), held=simulation.benchmark)
    summary = _Report(plan, loaded, year, terms, simulation).summary()
    time = loaded.period.time
    curves = EquityCurve(time, simulation.equity), EquityCurve(time, simulation.benchmark)
    return BacktestResult(summary, simulation.trades, *curves)


@dataclass(frozen=True, slots=True)
class Year:
    """Sessions a year, and whether the calendar was told by the bars alone (A2)."""

    periods: float
    assumed: bool


def year_of(plan: Plan, loaded: LoadedBars) -> Year:
    """Return the request's own periods a year, or those of the asset's class."""
    if plan.request.periods_per_year:
        return Year(plan.request.periods_per_year, assumed=False)
    return Year(*periods_per_year(plan.asset.asset_class, plan.request.timeframe, loaded.period.time))


def first_decision(plan: Plan, loaded: LoadedBars, signals: Signals, conditions: Conditions) -> int:
    """Return the number of the bar that decides first: the last one before the period, or the first defined (W2)."""
    series, bars, delay = [*conditions.series, *signals.indicators.values()], len(loaded.bars), plan.request.delay
    deciding = first_defined(series, max(first_fill(plan, loaded) - delay, 0), bars - delay)
    if deciding is None and bars > plan.warmup + delay and first_defined(series, 0, bars) is None:
        raise NoBarsError(
            f"the indicators of {plan.request.strategy_id} are undefined on all {bars} bars, as on prices that "
            "never move: choose another symbol or period",
            field="asset_symbol",
        )
    if deciding is None:
        raise NoBarsError(
            f"{plan.request.strategy_id} needs {plan.warmup} bars of warm-up and then one that decides and "
            f"one that fills, but only {bars} bars are stored up to {plan.request.end_date}: "
            "choose a later end_date or shorter periods",
            field="end_date",
        )
    return deciding


def first_defined(series: Sequence[Floats], first: int, behind: int) -> int | None:
    """Return the first number in [first, behind) where every series is finite, looked for in growing stretches."""
    stretch = FIRST_STRETCH
    while first < behind:
        end = min(first + stretch, behind)
        defined = np.ones(end - first, dtype=np.bool_)
        for each in series:
            defined &= np.isfinite(each[first:end])
        if defined.any():
            return first + int(defined.argmax())
        first, stretch = end, 2 * stretch
    return None


def first_fill(plan: Plan, loaded: LoadedBars) -> int:
    """Return the first bar of the period, or of `trade_from` where that is later."""
    day = plan.request.trade_from
    if day is None:
        return loaded.history
    start = nanoseconds(datetime.combine(day, time(), UTC))
    return max(loaded.history, int(np.searchsorted(loaded.session, start)))


def base_time(loaded: LoadedBars, delay: int) -> int | None:
    """Return the instant returns start from, or None where the first bar is the base (A4)."""
    if loaded.history and loaded.history >= delay:
        return int(loaded.bars.time[loaded.history - 1])
    return int(loaded.bars.time[0]) if delay == 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class _Report:
    """Gathers what is said of a simulation."""

    plan: Plan
    loaded: LoadedBars
    year: Year
    terms: Terms
    simulation: Simulation

    def summary(self) -> Summary:
        evidence = self._evidence()
        metrics, undefined = measure(evidence)
        counters = self._counters()
        findings = Findings(
            request=self.plan.request,
            asset=self.plan.asset,
            series=self.plan.period.series,
            gaps=self.loaded.gaps,
            costs=self.plan.costs,
            costs_assumed=self.plan.costs_assumed,
            calendar_assumed=self.year.assumed,
            missing_history=self.plan.settled - self.loaded.history,
            first_tradable=instant(self._period.time[self._first_tradable]),
            bars=self._period,
            trades=self.simulation.trades,
            held=self.simulation.units != 0,
            bankrupt=self._bankrupt(),
            counters=counters,
            metrics=metrics,
            sessions=len(evidence.returns),
            held_return=self._held_return(),
            carried=counters.get("benchmark_missing_bars") or 0,
        )
        flags = flags_of(findings)
        return Summary(metrics, undefined, flags, counters, self._provenance(evidence), diagnose(findings, flags))

    @property
    def _period(self) -> Bars:
        return self.loaded.period

    @property
    def _first_tradable(self) -> int:
        return self.terms.first_decision + self.terms.delay - self.loaded.history

    def _evidence(self) -> Evidence:
        return Evidence(
            bars=self._period,
            session=self.loaded.session[self.loaded.history :],
            simulation=self.simulation,
            initial_capital=self.plan.request.initial_capital,
            periods_per_year=self.year.periods,
            risk_free=self.plan.request.risk_free,
            base_time=base_time(self.loaded, self.terms.delay),
            seed=self.plan.request.seed,
        )

    def _bankrupt(self) -> datetime | None:
        bar = self.simulation.bankrupt_bar
        return None if bar is None else instant(self._period.time[bar])

    def _held_return(self) -> float:
        """Return the total return of buy and hold of the asset itself."""
        held = self.simulation.benchmark if self.simulation.held is None else self.simulation.held
        return float(held[-1]) / self.plan.request.initial_capital - 1.0

    def _counters(self) -> Mapping[str, int | None]:
        """Return what happened to signals and orders, and how many bars are missing (P4)."""
        other = self.loaded.benchmark
        idle = self._period.volume[self.simulation.trades.fill_bars] == 0
        return {
            **self.simulation.counters,
            "zero_volume_fills": int(np.count_nonzero(idle)),
            "missing_bars": self.loaded.gaps.count if self.loaded.gaps else None,
            **({} if other is None else {"benchmark_missing_bars": int(np.count_nonzero(~other.traded))}),
        }

    def _provenance(self, evidence: Evidence) -> Mapping[str, object]:
        bars, request, bankrupt = self.loaded.bars, self.plan.request, self._bankrupt()
        return {
            "contract_version": versions()["contract"],
            "config_hash": config_hash(request),
            "data_hash": data_hash(bars, self.loaded.adjustment),
            "bars": len(bars) - self.loaded.history,
            "history_bars": self.loaded.history,
            "base_bar": None if evidence.base_time is None else instant(evidence.base_time).isoformat(),
            "first_bar": instant(bars.time[self.loaded.history]).isoformat(),
            "last_bar": instant(bars.time[-1]).isoformat(),
            "resampled_from": self.plan.period.series.resampled_from,
            "first_tradable_bar": instant(self._period.time[self._first_tradable]).isoformat(),
            "periods_per_year": evidence.periods_per_year,
            "engine": self.simulation.engine,
            "bankrupt": None if bankrupt is None else bankrupt.date().isoformat(),
            "sessions": len(evidence.returns),
            "fill": request.fill,
            "adjustment": self.loaded.adjustment,
            "costs": self.plan.costs.model_dump(mode="json", exclude_defaults=True),
            "seed": request.seed,
            "market": market_of(self.plan.asset),
            "versions": versions(),
            **self._provenance_of_benchmark(),
        }

    def _provenance_of_benchmark(self) -> Mapping[str, object]:
        if (other := self.loaded.benchmark) is None:
            return {}
        return {
            "benchmark": other.asset.symbol,
            "benchmark_adjustment": other.adjustment,
            "benchmark_data_hash": data_hash(other.bars, other.adjustment),
        }


def with_adjustment(plan: Plan, adjustment: Adjustment) -> Plan:
    """Write into the request which prices were used."""
    return replace(plan, request=plan.request.model_copy(update={"adjustment": adjustment}))
