"""Many runs, long work and comparisons in plain text."""

import json
from collections.abc import Sequence

from backtesting.comparison import Comparison
from backtesting.reporting.optimization import optimization_lines
from backtesting.reporting.text import headline, table, value
from backtesting.reporting.walk_forward import walk_forward_lines
from backtesting.types import NEWEST, Job, Run

SHOWN = ("sharpe_ratio", "total_return", "max_drawdown", "total_trades")


def is_told(job: Job) -> bool:
    """Whether the rows of its result tell which was best."""
    return job.kind == "optimization" and job.result is not None


def job_line(job: Job) -> str:
    """Return where long work stands, in one line."""
    progress = job.progress
    told = [f"{job.id} {job.kind} {job.status}"]
    stage = progress.stage if job.status.is_open else ""
    if progress.total:
        told.append(f"{progress.done} of {progress.total} {stage}".rstrip())
    elif stage:
        told.append(stage)
    if job.eta_seconds is not None:
        told.append(f"about {job.eta_seconds:,.0f} s left")
    if progress.best and not is_told(job):
        told.append(f"best so far {json.dumps(dict(progress.best))}")
    if job.error:
        told.append(job.error)
    return "; ".join(told)


def job_lines(job: Job, offset: int = 0) -> list[str]:
    """Return where long work stands, and what it came to where that is told in rows, from number `offset` on."""
    if job.kind == "walk_forward" and job.result:
        return [job_line(job), *walk_forward_lines(job, offset)]
    if job.kind == "optimization" and job.result:
        return [job_line(job), *optimization_lines(job)]
    return [job_line(job)]


def run_lines(runs: Sequence[Run], sort_by: str) -> list[str]:
    """Return the names of key metrics, the one it is sorted by first, and under them one line a run."""
    keys = tuple(dict.fromkeys([*([sort_by] if sort_by != NEWEST else []), *SHOWN]))
    return [", ".join(keys), *(f"{headline(run)}: {_figures(run, keys)}" for run in runs)] if runs else []


def comparison_lines(comparison: Comparison, metrics: Sequence[str]) -> list[str]:
    """Return what makes the runs unlike, then their metrics side by side, then their order where they are alike."""
    ids = [run.id for run in comparison.runs]
    unlike = [f"- {name}: {'; '.join(map(str, values))}" for name, values in comparison.differences.items()]
    lines = ["These runs are not alike, so they are not ranked. They differ in:", *unlike] if unlike else []
    rows = [["", *ids], *([key, *(_told(run, key) for run in comparison.runs)] for key in metrics)]
    lines += [*(headline(run) for run in comparison.runs), *table(rows)]
    if comparison.ranking:
        lines.append(f"Alike in data, period, costs and fills; by Sharpe ratio: {' > '.join(comparison.ranking)}")
    return lines


def _figures(run: Run, keys: Sequence[str]) -> str:
    if run.summary is None:
        return run.error or "no result yet"
    return ", ".join(_told(run, key) for key in keys)


def _told(run: Run, key: str) -> str:
    if run.summary is None:
        return ""
    return value(key, run.summary.metrics.get(key), run.summary.undefined.get(key, "not computed"))
