"""The statistics of a sweep, column by column, with the reasons for those that are undefined (contract N1)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from backtesting.metrics.undefined import ROUNDING, ROUNDING_OF_RETURNS, Undefined
from backtesting.types import Booleans, Floats, MetricValue, Summary

T = TypeVar("T", bound=np.generic)
Statistic = Literal[
    "final_capital",
    "total_return",
    "max_drawdown",
    "sharpe_ratio",
    "annual_return",
    "annual_volatility",
    "total_trades",
    "win_rate",
    "profit_factor",
    "exposure_time",
    "fees_paid",
]
STATISTICS: tuple[str, ...] = get_args(Statistic)
COUNTED = frozenset({"total_trades"})
REASONS: tuple[str | None, ...] = (None, *Undefined)
CODES = {reason: code for code, reason in enumerate(REASONS)}
LEAST_RETURNS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Statistics of parameter sets: float64 columns (sets,), NaN for what `codes` (uint8) has the reason of.

    `failed` tells the sets whose single run would be refused, `failure` why the first of them would.
    """

    columns: Mapping[str, Floats]
    codes: Mapping[str, NDArray[np.uint8]]
    failed: Booleans
    failure: str | None = None

    def __len__(self) -> int:
        return len(self.failed)

    def metrics(self, number: int) -> dict[str, MetricValue]:
        """Return the statistics of one set as a single run has them."""
        return {name: self._value(name, number) for name in STATISTICS}

    def undefined(self, number: int) -> dict[str, str]:
        """Return why some of one set's statistics have no value."""
        reasons = {name: REASONS[codes[number]] for name, codes in self.codes.items()}
        return {name: str(reason) for name, reason in reasons.items() if reason}

    def _value(self, name: str, number: int) -> MetricValue:
        if self.codes[name][number]:
            return None
        value = self.columns[name][number].item()
        return int(value) if name in COUNTED else value


@dataclass(frozen=True, slots=True)
class Scale:
    """What turns sums into statistics: the capital, sessions a year, the risk-free return a session, bars."""

    capital: float
    periods_per_year: float
    risk_free: float
    bars: int


def figures_of(raw: Any, scale: Scale) -> Figures:
    """Return the statistics that the kernel's sums make up, by the float operations of `metrics`, so bit for bit."""
    with np.errstate(all="ignore"):
        found = {**_of_equity(raw, scale), **_of_returns(raw, scale), **_of_trades(raw)}
    failed = (raw["first_decision"] < 0) | ~np.isfinite(raw["peak"])
    columns, codes = {}, {}
    for name in STATISTICS:
        values, reasons = found[name]
        reasons = np.where((reasons == 0) & ~np.isfinite(values), CODES[Undefined.NOT_COMPUTED], reasons)
        reasons = np.where(failed, CODES[Undefined.NOT_COMPUTED], reasons).astype(np.uint8)
        columns[name], codes[name] = np.where(reasons, np.nan, values), reasons
    return Figures(columns, codes, failed)


def figures_from(summaries: Sequence[Summary | str]) -> Figures:
    """Return the statistics of single runs; a run that was refused is its error's text."""
    columns, codes = {}, {}
    for name in STATISTICS:
        columns[name] = np.array([_metric(each, name) for each in summaries], np.float64)
        codes[name] = np.array([_code(each, name) for each in summaries], np.uint8)
    refused = [each for each in summaries if isinstance(each, str)]
    failed = np.array([isinstance(each, str) for each in summaries], np.bool_)
    return Figures(columns, codes, failed, next(iter(refused), None))


def joined(parts: Iterable[Figures]) -> Figures:
    """Return the figures of consecutive parts of a grid as one."""
    told = list(parts)
    return Figures(
        columns={name: _frozen([each.columns[name] for each in told]) for name in STATISTICS},
        codes={name: _frozen([each.codes[name] for each in told]) for name in STATISTICS},
        failed=_frozen([each.failed for each in told]),
        failure=next((each.failure for each in told if each.failure), None),
    )


def _frozen(parts: Sequence[NDArray[T]]) -> NDArray[T]:
    """Return the parts as one column, read-only."""
    column = np.concatenate(parts)
    column.flags.writeable = False
    return column


def _metric(summary: Summary | str, name: str) -> float:
    value = None if isinstance(summary, str) else summary.metrics[name]
    return np.nan if value is None else float(value)


def _code(summary: Summary | str, name: str) -> int:
    if isinstance(summary, str):
        return CODES[Undefined.NOT_COMPUTED]
    return CODES[summary.undefined.get(name)]


Column = tuple[Floats, Any]


def _of_equity(raw: Any, scale: Scale) -> dict[str, Column]:
    deepest = raw["lowest"] - 1.0
    return {
        "final_capital": (raw["final"], 0),
        "total_return": (raw["final"] / scale.capital - 1.0, 0),
        "max_drawdown": (np.where(deepest > -ROUNDING, 0.0, deepest), 0),
        "exposure_time": (raw["held"] / scale.bars, 0),
    }


def _of_returns(raw: Any, scale: Scale) -> dict[str, Column]:
    count, root = raw["returns"], np.sqrt(scale.periods_per_year)
    deviation = np.sqrt(raw["squares"] / (count - 1))
    too_short = np.where(count < LEAST_RETURNS, CODES[Undefined.TOO_SHORT], 0)
    noise = np.maximum(ROUNDING * raw["largest"], ROUNDING_OF_RETURNS)
    flat = np.where(deviation <= noise, CODES[Undefined.ZERO_VARIANCE], 0)
    return {
        "annual_volatility": (deviation * root, too_short),
        "sharpe_ratio": (
            (raw["summed"] / count - scale.risk_free) / deviation * root,
            np.where(too_short, too_short, flat),
        ),
        "annual_return": (np.power(raw["product"], scale.periods_per_year / count) - 1.0, too_short),
    }


def _of_trades(raw: Any) -> dict[str, Column]:
    none = np.where(raw["closed"] == 0, CODES[Undefined.NO_TRADES], 0)
    unbeaten = np.where(raw["lost_money"] == 0, CODES[Undefined.NO_LOSING_TRADES], 0)
    return {
        "total_trades": (raw["closed"].astype(np.float64), 0),
        "win_rate": (raw["won"] / raw["closed"], none),
        "profit_factor": (raw["won_money"] / -raw["lost_money"], np.where(none, none, unbeaten)),
        "fees_paid": (raw["fees"], 0),
    }
