"""The metrics of a simulated period: one line each in `METRICS`, definitions in the modules beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from backtesting.errors import InvalidInputError, Problem, UnknownNameError, did_you_mean, shown
from backtesting.metrics import activity, benchmark, distribution, drawdowns, returns, significance, trades
from backtesting.metrics.evidence import Compute, Evidence
from backtesting.metrics.undefined import Undefined, Value
from backtesting.types import MetricValue

__all__ = ["KEYS", "METRICS", "Evidence", "Metric", "Undefined", "measure", "require_few", "require_known"]

EXPLAINED = 20
Unit = Literal["fraction", "money", "ratio", "count", "days", "bars", "sessions"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number about a period; the docstring of `compute` is its definition."""

    key: str
    unit: Unit
    compute: Compute

    @property
    def definition(self) -> str:
        """Formula and source, one line."""
        return (self.compute.__doc__ or "").removesuffix(".")

    def measure(self, evidence: Evidence) -> Value:
        """Return the value, never a number that is not finite, nor a ratio of an account that went bankrupt (H6)."""
        if evidence.is_bankrupt and self.unit == "ratio" and self.compute is not benchmark.benchmark_sharpe:
            return Undefined.BANKRUPT
        value = self.compute(evidence)
        return value if isinstance(value, Undefined) or isfinite(value) else Undefined.NOT_COMPUTED


METRICS: tuple[Metric, ...] = (
    Metric("final_capital", "money", returns.final_capital),
    Metric("total_return", "fraction", returns.total_return),
    Metric("total_return_optimistic", "fraction", returns.total_return_optimistic),
    Metric("cagr", "fraction", returns.cagr),
    Metric("annual_return", "fraction", returns.annual_return),
    Metric("annual_volatility", "fraction", returns.annual_volatility),
    Metric("sharpe_ratio", "ratio", returns.sharpe_ratio),
    Metric("sortino_ratio", "ratio", returns.sortino_ratio),
    Metric("calmar_ratio", "ratio", drawdowns.calmar_ratio),
    Metric("omega_ratio", "ratio", returns.omega_ratio),
    Metric("max_drawdown", "fraction", drawdowns.max_drawdown),
    Metric("avg_drawdown", "fraction", drawdowns.avg_drawdown),
    Metric("max_drawdown_days", "days", drawdowns.max_drawdown_days),
    Metric("ulcer_index", "fraction", drawdowns.ulcer_index),
    Metric("martin_ratio", "ratio", drawdowns.martin_ratio),
    Metric("recovery_factor", "ratio", drawdowns.recovery_factor),
    Metric("downside_deviation", "fraction", returns.downside_deviation),
    Metric("skewness", "ratio", distribution.skewness),
    Metric("kurtosis_excess", "ratio", distribution.kurtosis_excess),
    Metric("var_95", "fraction", distribution.var_95),
    Metric("cvar_95", "fraction", distribution.cvar_95),
    Metric("tail_ratio", "ratio", distribution.tail_ratio),
    Metric("best_session", "fraction", distribution.best_session),
    Metric("worst_session", "fraction", distribution.worst_session),
    Metric("positive_sessions", "fraction", distribution.positive_sessions),
    Metric("benchmark_return", "fraction", benchmark.benchmark_return),
    Metric("benchmark_sharpe", "ratio", benchmark.benchmark_sharpe),
    Metric("benchmark_max_drawdown", "fraction", benchmark.benchmark_max_drawdown),
    Metric("excess_return", "fraction", benchmark.excess_return),
    Metric("exposure_matched_return", "fraction", benchmark.exposure_matched_return),
    Metric("beta", "ratio", benchmark.beta),
    Metric("correlation", "ratio", benchmark.correlation),
    Metric("alpha", "fraction", benchmark.alpha),
    Metric("tracking_error", "fraction", benchmark.tracking_error),
    Metric("information_ratio", "ratio", benchmark.information_ratio),
    Metric("up_capture", "ratio", benchmark.up_capture),
    Metric("down_capture", "ratio", benchmark.down_capture),
    Metric("total_trades", "count", trades.total_trades),
    Metric("winning_trades", "count", trades.winning_trades),
    Metric("losing_trades", "count", trades.losing_trades),
    Metric("open_trades", "count", trades.open_trades),
    Metric("win_rate", "fraction", trades.win_rate),
    Metric("profit_factor", "ratio", trades.profit_factor),
    Metric("avg_win", "money", trades.avg_win),
    Metric("avg_loss", "money", trades.avg_loss),
    Metric("payoff_ratio", "ratio", trades.payoff_ratio),
    Metric("expectancy", "money", trades.expectancy),
    Metric("avg_trade_return", "fraction", trades.avg_trade_return),
    Metric("best_trade", "fraction", trades.best_trade),
    Metric("worst_trade", "fraction", trades.worst_trade),
    Metric("max_consecutive_losses", "count", trades.max_consecutive_losses),
    Metric("avg_holding_bars", "bars", trades.avg_holding_bars),
    Metric("avg_holding_days", "days", trades.avg_holding_days),
    Metric("avg_mae", "fraction", trades.avg_mae),
    Metric("avg_mfe", "fraction", trades.avg_mfe),
    Metric("sqn", "ratio", trades.sqn),
    Metric("kelly", "fraction", trades.kelly),
    Metric("win_rate_incl_open", "fraction", trades.win_rate_incl_open),
    Metric("profit_factor_incl_open", "ratio", trades.profit_factor_incl_open),
    Metric("exposure_time", "fraction", activity.exposure_time),
    Metric("avg_gross_exposure", "fraction", activity.avg_gross_exposure),
    Metric("max_gross_exposure", "fraction", activity.max_gross_exposure),
    Metric("turnover_annual", "ratio", activity.turnover_annual),
    Metric("fees_paid", "money", activity.fees_paid),
    Metric("slippage_paid", "money", activity.slippage_paid),
    Metric("borrow_paid", "money", activity.borrow_paid),
    Metric("cost_drag", "fraction", activity.cost_drag),
    Metric("psr", "fraction", significance.psr),
    Metric("min_track_record", "sessions", significance.min_track_record),
    Metric("sharpe_ci95_low", "ratio", significance.sharpe_ci95_low),
    Metric("sharpe_ci95_high", "ratio", significance.sharpe_ci95_high),
)
KEYS: tuple[str, ...] = tuple(metric.key for metric in METRICS)


def measure(evidence: Evidence, wanted: Iterable[Metric] = METRICS) -> tuple[dict[str, MetricValue], dict[str, str]]:
    """Return every metric, None where it is undefined, and the reasons for those (contract N1)."""
    # Overflow becomes infinity, and that becomes not_computed.
    with np.errstate(all="ignore"):
        measured = {metric.key: metric.measure(evidence) for metric in wanted}
    undefined = {key: value.value for key, value in measured.items() if isinstance(value, Undefined)}
    return {key: None if isinstance(value, Undefined) else value for key, value in measured.items()}, undefined


def require_few(names: Sequence[str]) -> None:
    """Refuse to explain more metrics than fit into an answer, with some that would."""
    if len(names) > EXPLAINED:
        some = ", ".join(names[:EXPLAINED])
        told = f"name at most {EXPLAINED} of the {len(names)} to have them explained; for example {some}"
        raise InvalidInputError([Problem("metrics", told)])


def require_known(names: Iterable[str], *, field: str = "metrics") -> list[str]:
    """Return the names of metrics without repetition; UnknownNameError names all that are none."""
    wanted = list(dict.fromkeys(names))
    unknown = [f"{shown(name)}{did_you_mean(name, KEYS)}" for name in wanted if name not in KEYS]
    if unknown:
        listed = f"{', '.join(unknown)}; known: {', '.join(sorted(KEYS))}"
        raise UnknownNameError(f"{field}: unknown metric {listed}", field=field)
    return wanted
