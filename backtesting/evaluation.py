"""The product as one pure function: a complete request and its bars go in, signals, trades and metrics come out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from backtesting.calendars import periods_per_year
from backtesting.data_loader import LoadedBars, Period
from backtesting.diagnostics import diagnose
from backtesting.errors import NoBarsError
from backtesting.flags import Findings, flags_of
from backtesting.metrics import Evidence, measure
from backtesting.metrics.growth import Growth, years_of
from backtesting.provenance import config_hash, data_hash, versions
from backtesting.simulation import Terms, simulate
from backtesting.strategy import Strategy
from backtesting.types import (
    Adjustment,
    Asset,
    BacktestRequest,
    BacktestResult,
    Bars,
    Booleans,
    Costs,
    EquityCurve,
    Signals,
    Simulation,
    Summary,
    instant,
)

DECIDING_BARS = 2  # the bar before the period decides, and a crossing compares it with the one before


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

    @property
    def history(self) -> int:
        """Bars wanted before the period (W1)."""
        return self.strategy.warmup + self.strategy.unstable + DECIDING_BARS


def evaluate(plan: Plan, loaded: LoadedBars) -> BacktestResult:
    """Return what the plan's strategy would have done on the bars: no clock, no database, no protocol.

    NoBarsError when the bars end before the strategy can decide and fill.
    """
    signals = plan.strategy.signals(loaded.bars)
    terms = Terms(
        initial_capital=plan.request.initial_capital,
        position_size=plan.position_size,
        costs=plan.costs,
        fill=plan.request.fill,
        first_decision=first_decision(plan, loaded, signals),
        history=loaded.history,
    )
    simulation = simulate(loaded.bars, signals, terms)
    summary = _Report(plan, loaded, signals, terms, simulation).summary()
    curve = EquityCurve(loaded.bars.time[loaded.history :], simulation.equity)
    return BacktestResult(summary, simulation.trades, curve)


def first_decision(plan: Plan, loaded: LoadedBars, signals: Signals) -> int:
    """Return the number of the bar that decides first: the last one before the period, or the first defined (W2)."""
    defined = np.ones(len(loaded.bars), dtype=bool)
    for indicator in signals.indicators.values():
        defined &= np.isfinite(indicator)
    delay = 0 if plan.request.fill == "same_close" else 1
    earliest = max(loaded.history - delay, 0)
    deciding = np.flatnonzero(defined[earliest : len(defined) - delay])
    if not len(deciding) and len(defined) > plan.strategy.warmup + delay:
        raise NoBarsError(
            f"the indicators of {plan.request.strategy_id} are undefined on all {len(defined)} bars, as on prices that "
            "never move: choose another symbol or period",
            field="asset_symbol",
        )
    if not len(deciding):
        raise NoBarsError(
            f"{plan.request.strategy_id} needs {plan.strategy.warmup} bars of warm-up and then one that decides and "
            f"one that fills, but only {len(loaded.bars)} bars are stored up to {plan.request.end_date}: "
            "choose a later end_date or shorter periods",
            field="end_date",
        )
    return earliest + int(deciding[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Report:
    """Gathers what is said of a simulation."""

    plan: Plan
    loaded: LoadedBars
    signals: Signals
    terms: Terms
    simulation: Simulation

    def summary(self) -> Summary:
        evidence, calendar_assumed = self._evidence()
        metrics, undefined = measure(evidence)
        counters = self._counters()
        findings = Findings(
            request=self.plan.request,
            asset=self.plan.asset,
            series=self.plan.period.series,
            gaps=self.loaded.gaps,
            costs=self.plan.costs,
            costs_assumed=self.plan.costs_assumed,
            calendar_assumed=calendar_assumed,
            missing_history=self.plan.strategy.warmup + self.plan.strategy.unstable - self.loaded.history,
            first_tradable=instant(self._period.time[self._first_tradable]),
            bars=self._period,
            trades=self.simulation.trades,
            held=self.simulation.units != 0,
            bankrupt=self._bankrupt(),
            counters=counters,
            metrics=metrics,
            sessions=len(evidence.returns),
        )
        flags = flags_of(findings)
        provenance, years = self._provenance(evidence), self._benchmark_years(evidence)
        return Summary(metrics, undefined, flags, counters, provenance, diagnose(findings, flags), years)

    @property
    def _period(self) -> Bars:
        return self.loaded.bars[self.loaded.history :]

    @property
    def _delay(self) -> int:
        return 0 if self.terms.fill == "same_close" else 1

    @property
    def _first_tradable(self) -> int:
        return self.terms.first_decision + self._delay - self.loaded.history

    def _evidence(self) -> tuple[Evidence, bool]:
        period = self._period
        periods, assumed = periods_per_year(self.plan.asset.asset_class, self.plan.request.timeframe, period.time)
        evidence = Evidence(
            bars=period,
            session=self.loaded.session[self.loaded.history :],
            simulation=self.simulation,
            initial_capital=self.plan.request.initial_capital,
            periods_per_year=periods,
            risk_free=self.plan.request.risk_free,
            base_time=self._base_time(),
            seed=self.plan.request.seed,
        )
        return evidence, assumed

    def _bankrupt(self) -> datetime | None:
        bar = self.simulation.bankrupt_bar
        return None if bar is None else instant(self._period.time[bar])

    def _benchmark_years(self, evidence: Evidence) -> Mapping[str, float]:
        curve = EquityCurve(self._period.time, self.simulation.benchmark)
        growth = Growth(curve, evidence.initial_capital, evidence.base_time)
        return {str(each.year): each.total for each in years_of(growth)}

    def _base_time(self) -> int | None:
        """Return the instant returns start from, or None where the first bar is the base (A4)."""
        if self.loaded.history:
            return int(self.loaded.bars.time[self.loaded.history - 1])
        return int(self.loaded.bars.time[0]) if self._delay == 0 else None

    def _counters(self) -> Mapping[str, int | None]:
        """Count what happened to signals and orders (P4); without stops no bar is ambiguous."""
        decided = slice(self.terms.first_decision, None)
        entries, exits = self.signals.entries[decided], self.signals.exits[decided]
        holding = self._holding_before_decision()
        only_entry, only_exit = entries & ~exits, exits & ~entries
        last = only_exit[-1] if holding[-1] else only_entry[-1]
        return {
            "conflicting_signals": int(np.count_nonzero(entries & exits)),
            "ignored_signals": int(np.count_nonzero(only_entry & holding)),
            "clipped_orders": self.simulation.clipped_orders,
            "unfilled_orders": self.simulation.unfilled_orders,
            "ambiguous_bars": 0,
            "pending_signal": int(bool(last) and self._delay > 0),
            "zero_volume_fills": int(np.count_nonzero(self._period.volume[self.simulation.trades.fill_bars] == 0)),
            "missing_bars": self.loaded.gaps.count if self.loaded.gaps else None,
        }

    def _holding_before_decision(self) -> Booleans:
        """Say for each deciding bar whether a position is held when its decision is made."""
        held = np.concatenate([np.zeros(self.loaded.history + 1, dtype=bool), self.simulation.units > 0])
        return held[self.terms.first_decision + self._delay :][: len(self.loaded.bars) - self.terms.first_decision]

    def _provenance(self, evidence: Evidence) -> Mapping[str, object]:
        bars, request = self.loaded.bars, self.plan.request
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
            "fill": request.fill,
            "adjustment": self.loaded.adjustment,
            "costs": self.plan.costs.model_dump(),
            "seed": request.seed,
            "versions": versions(),
        }


def with_adjustment(plan: Plan, adjustment: Adjustment) -> Plan:
    """Write into the request which prices were used."""
    return replace(plan, request=plan.request.model_copy(update={"adjustment": adjustment}))
