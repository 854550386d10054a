"""Runs side by side: first what makes them unlike, and a ranking only of like with like."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backtesting.errors import BacktestError
from backtesting.types import MetricValue, Run

FEWEST, MOST = 2, 6
RANKED_BY = "sharpe_ratio"

Look = Callable[[Run, Mapping[str, Any]], Any]

BASIS: Mapping[str, Look] = {
    "symbol": lambda run, _: run.request.asset_symbol,
    "timeframe": lambda run, _: run.request.timeframe.value,
    "period": lambda _, told: f"{told['first_bar'][:10]} to {told['last_bar'][:10]}, {told['bars']} bars",
    "costs": lambda _, told: told["costs"],
    "fill": lambda _, told: told["fill"],
    "adjustment": lambda _, told: told["adjustment"],
    "risk_free": lambda run, _: run.request.risk_free,
    "contract_version": lambda _, told: told["contract_version"],
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences` holds what is not the same in all, a value a run; `ranking` the ids, best first, of like runs."""

    runs: Sequence[Run]
    differences: Mapping[str, Sequence[Any]]
    ranking: Sequence[str] | None

    def metric(self, key: str) -> list[MetricValue]:
        """Return one metric of every run."""
        return [run.summary.metrics.get(key) if run.summary else None for run in self.runs]


def compare(runs: Sequence[Run]) -> Comparison:
    """Set completed runs side by side; runs on other data, costs or fills are not ranked."""
    differences = {name: values for name, look in BASIS.items() if not _is_same(values := _values(runs, look))}
    return Comparison(runs, differences, None if differences else _ranking(runs))


def _values(runs: Sequence[Run], look: Look) -> list[Any]:
    return [look(run, _completed(run)) for run in runs]


def _completed(run: Run) -> Mapping[str, Any]:
    if run.summary is None:
        raise BacktestError(
            f"backtest_ids: run {run.id} has {run.status}, so there is nothing to compare: leave it out"
        )
    return run.summary.provenance


def _is_same(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)


def _ranking(runs: Sequence[Run]) -> list[str]:
    scores = {run.id: run.summary.metrics[RANKED_BY] for run in runs if run.summary}
    return sorted(scores, key=lambda run_id: (scores[run_id] is None, -(scores[run_id] or 0.0)))
