"""The shapes of what is said of many runs, and of long work."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel

from backtesting.comparison import Comparison
from backtesting.reporting.runs import is_told
from backtesting.types import Job, MetricValue, Run
from mcp_server.schemas.optimization import optimization_result
from mcp_server.schemas.walk_forward import walk_forward_result

KEYS_OF_A_ROW = ("sharpe_ratio", "total_return", "max_drawdown", "total_trades")


class StatusReply(BaseModel):
    """Where a run or long work stands."""

    backtest_id: str
    kind: str
    status: str
    done: int = 0
    total: int | None = None
    stage: str = ""
    eta_seconds: float | None = None
    best: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: str | None = None

    @classmethod
    def of(cls, found: Run | Job, offset: int = 0) -> Self:
        """Shape a run, which is one piece of work, or long work, rows of its result from number `offset` on."""
        if isinstance(found, Run):
            done = int(found.completed_at is not None)
            return cls(
                backtest_id=found.id,
                kind="backtest",
                status=found.status.value,
                done=done,
                total=1,
                error=found.error,
            )
        return cls(
            backtest_id=found.id,
            kind=found.kind,
            status=found.status.value,
            done=found.progress.done,
            total=found.progress.total,
            stage=found.progress.stage,
            eta_seconds=found.eta_seconds,
            best=None if is_told(found) else _plain(found.progress.best),
            result=_result(found, offset),
            error=found.error,
        )


class RunsReply(BaseModel):
    """Stored runs, and the long work that is under way."""

    runs: list[dict[str, Any]]
    total: int
    next_offset: int | None
    jobs: list[dict[str, Any]]


class ComparisonReply(BaseModel):
    """Runs side by side, each list in the order of `backtest_ids`; `ranking` is null where the runs are not alike."""

    backtest_ids: list[str]
    differences: dict[str, list[Any]]
    metrics: dict[str, list[int | float | None]]
    ranking: list[str] | None

    @classmethod
    def of(cls, comparison: Comparison, metrics: Sequence[str]) -> Self:
        """Shape a comparison."""
        return cls(
            backtest_ids=[run.id for run in comparison.runs],
            differences={name: list(values) for name, values in comparison.differences.items()},
            metrics={key: comparison.metric(key) for key in metrics},
            ranking=list(comparison.ranking) if comparison.ranking else None,
        )


def run_row(run: Run, sort_by: str) -> dict[str, Any]:
    """Return a run in few words: what was tested, key metrics and the one it is sorted by, to six digits."""
    request = run.request
    metrics = run.summary.metrics if run.summary else {}
    keys = dict.fromkeys([*KEYS_OF_A_ROW, *([sort_by] if sort_by in metrics else [])])
    return {
        "backtest_id": run.id,
        "status": run.status.value,
        "strategy_id": request.strategy_id,
        "parameters": {name: each for name, each in request.parameters.items() if name != "position_size"},
        "asset_symbol": request.asset_symbol,
        "timeframe": request.timeframe.value,
        "period": f"{request.start_date} to {request.end_date}",
        **{key: _short(metrics[key]) for key in keys if key in metrics},
    }


def job_row(job: Job) -> dict[str, Any]:
    """Return long work in few words."""
    progress = job.progress
    return {
        "backtest_id": job.id,
        "kind": job.kind,
        "status": job.status.value,
        "done": progress.done,
        "total": progress.total,
    }


def _result(job: Job, offset: int) -> dict[str, Any] | None:
    if job.kind == "walk_forward" and job.result:
        return walk_forward_result(job.result, offset)
    if job.kind == "optimization" and job.result:
        return optimization_result(job.result)
    return _plain(job.result)


def _plain(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if told is None else dict(told)


def _short(number: MetricValue) -> MetricValue:
    return float(f"{number:.6g}") if isinstance(number, float) else number
