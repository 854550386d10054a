"""Tools that find stored runs, set them side by side, and look after long work."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field, TypeAdapter, ValidationError

from backtesting.comparison import FEWEST, MOST, compare
from backtesting.errors import BacktestError, InvalidInputError, RunNotFoundError, UnknownNameError
from backtesting.metrics import require_known
from backtesting.reporting.runs import comparison_lines, job_line, job_lines, run_lines
from backtesting.reporting.text import headline
from backtesting.types import NEWEST, Day, Job, Run, RunFilter, RunPage, RunStatus
from mcp_server.schemas.answers import reply
from mcp_server.schemas.runs import ComparisonReply, RunsReply, StatusReply, job_row, run_row
from mcp_server.services import Services

COMPARED = (
    "total_return",
    "annual_return",
    "sharpe_ratio",
    "sortino_ratio",
    "max_drawdown",
    "total_trades",
    "exposure_time",
    "cost_drag",
    "benchmark_return",
    "psr",
    "dsr",
    "trials_counted",
)
RUNS_A_PAGE, LARGEST_LIST, LARGEST_OFFSET, JOBS_SHOWN = 10, 50, 1_000_000_000, 3
BYTES_OF_RUNS = 3400
OPEN = ("pending", "running")
LUCK = "The best of many is lucky: get_backtest_results tells dsr, which counts every trial."

STORED = ("completed", "failed")
Words = Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]


class RunTools:
    """The tools; the services are opened by the first call that needs them."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def get_backtest_status(self, backtest_id: str, offset: int = 0) -> Annotated[CallToolResult, StatusReply]:
        """Tell how far a run or batch is. Use it when an answer was `running`."""
        found = self._services().find(backtest_id)
        offset = min(max(offset, 0), LARGEST_OFFSET)
        return reply(StatusReply.of(found, offset), _status(found, offset))

    def cancel_backtest(self, backtest_id: str) -> Annotated[CallToolResult, StatusReply]:
        """Stop a run or job for good; what it stored stays. Use it when it is no longer wanted."""
        try:
            found: Run | Job = self._services().jobs.cancel(backtest_id)
        except RunNotFoundError:
            self._services().runner.cancel(backtest_id)
            found = self._services().find(backtest_id)
        return reply(StatusReply.of(found), _status(found))

    def list_backtests(  # noqa: PLR0913, PLR0917 - a tool's arguments are flat
        self,
        strategy_id: Words = "",
        asset_symbol: Words = "",
        status: Words = "",
        tag: Words = "",
        since: Words = "",
        sort_by: Annotated[str, Field(description="created_at or a metric")] = NEWEST,
        limit: Annotated[int | None, Field(ge=1, le=LARGEST_LIST)] = None,
        offset: Annotated[int, Field(ge=0, le=LARGEST_OFFSET)] = 0,
    ) -> Annotated[CallToolResult, RunsReply]:
        """Find stored runs. Use it as a leaderboard too."""
        if sort_by != NEWEST:
            require_known([sort_by], field="sort_by")
        if status not in ("", *OPEN, *STORED):
            raise UnknownNameError.among("status", status, [*OPEN, *STORED], field="status")
        jobs = [job for job in self._services().jobs.unfinished() if status in ("", job.status.value)][:JOBS_SHOWN]
        wanted = RunFilter(
            strategy_id=strategy_id or None,
            symbol=asset_symbol.upper() or None,
            status=None if status in ("", *OPEN) else RunStatus(status),
            tag=tag or None,
            since=_day(since),
            sort_by=sort_by,
            limit=limit or RUNS_A_PAGE,
            offset=offset,
        )
        page = self._services().runs.find(wanted) if status not in OPEN else RunPage((), 0)
        return _listed(page if limit else _small(page, wanted.sort_by, jobs), wanted, jobs)

    def compare_backtests(
        self, backtest_ids: Annotated[list[str], Field(min_length=FEWEST, max_length=MOST)]
    ) -> Annotated[CallToolResult, ComparisonReply]:
        """Set runs side by side, differences first. Use it to choose between runs; unlike ones are not ranked."""
        comparison = compare([self._services().run(each) for each in dict.fromkeys(backtest_ids)])
        if len(comparison.runs) < FEWEST:
            raise BacktestError("backtest_ids: the same run twice: name two different ones", field="backtest_ids")
        structure = ComparisonReply.of(comparison, COMPARED)
        return reply(structure, "\n".join(comparison_lines(comparison, COMPARED)))


def _listed(page: RunPage, wanted: RunFilter, jobs: list[Job]) -> CallToolResult:
    runs, total = page.runs, page.total
    following = wanted.offset + len(runs)
    structure = RunsReply(
        runs=[run_row(run, wanted.sort_by) for run in runs],
        total=total,
        next_offset=following if runs and following < total else None,
        jobs=[job_row(job) for job in jobs],
    )
    lines = [
        *map(job_line, jobs),
        *run_lines(runs, wanted.sort_by),
        f"{len(runs)} of {'' if page.is_all else 'more than '}{total} runs",
    ]
    lines += [f"next page: offset={following}"] if structure.next_offset else []
    lines += [LUCK] if wanted.sort_by != NEWEST and total > 1 else []
    return reply(structure, "\n".join(lines))


def _small(page: RunPage, sort_by: str, jobs: list[Job]) -> RunPage:
    """Return the first runs of the page that a small answer holds in both its forms, one at least."""
    sizes = [len(json.dumps(job_row(job))) + len(job_line(job)) for job in jobs]
    sizes += [len(json.dumps(run_row(run, sort_by))) + len(run_lines([run], sort_by)[1]) for run in page.runs]
    fitting = sum(size <= BYTES_OF_RUNS for size in accumulate(sizes)) - len(jobs)
    return replace(page, runs=page.runs[: max(fitting, 1)])


def _status(found: Run | Job, offset: int = 0) -> str:
    if isinstance(found, Job):
        return "\n".join(job_lines(found, offset))
    return f"{headline(found)}{f': {found.error}' if found.error else ''}"


def _day(since: str) -> Day | None:
    if not since:
        return None
    try:
        return TypeAdapter(Day).validate_python(since)
    except ValidationError as error:
        raise InvalidInputError.of(error, under="since") from error
