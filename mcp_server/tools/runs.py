"""Tools that find stored runs, set them side by side, and look after long work."""

from collections.abc import Callable
from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field, TypeAdapter, ValidationError

from backtesting.comparison import FEWEST, MOST, compare
from backtesting.errors import BacktestError, InvalidInputError, RunNotFoundError, UnknownNameError
from backtesting.metrics import require_known
from backtesting.reporting.runs import comparison_lines, job_line, run_lines
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
LARGEST_LIST, LARGEST_OFFSET, JOBS_SHOWN = 10, 1_000_000_000, 3
OPEN = ("pending", "running")
LUCK = "The best of many is lucky: get_backtest_results tells dsr, which counts every trial."

STORED = ("completed", "failed")
Words = Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]


class RunTools:
    """The tools; the services are opened by the first call that needs them."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def get_backtest_status(self, backtest_id: str) -> Annotated[CallToolResult, StatusReply]:
        """Tell how far a run or batch is. Use it when an answer was `running`."""
        found = self._services().find(backtest_id)
        return reply(StatusReply.of(found), _status(found))

    def cancel_backtest(self, backtest_id: str) -> Annotated[CallToolResult, StatusReply]:
        """Stop a job for good; what it stored stays. Use it when a job is no longer wanted."""
        try:
            found: Run | Job = self._services().jobs.cancel(backtest_id)
        except RunNotFoundError:
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
        limit: int = 10,
        offset: int = 0,
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
            limit=min(max(limit, 1), LARGEST_LIST),
            offset=min(max(offset, 0), LARGEST_OFFSET),
        )
        return self._listed(wanted, jobs, wants_runs=status not in OPEN)

    def compare_backtests(
        self, backtest_ids: Annotated[list[str], Field(min_length=FEWEST, max_length=MOST)]
    ) -> Annotated[CallToolResult, ComparisonReply]:
        """Set runs side by side, differences first. Use it to choose between runs; unlike ones are not ranked."""
        comparison = compare([self._services().run(each) for each in dict.fromkeys(backtest_ids)])
        if len(comparison.runs) < FEWEST:
            raise BacktestError("backtest_ids: the same run twice: name two different ones", field="backtest_ids")
        structure = ComparisonReply.of(comparison, COMPARED)
        return reply(structure, "\n".join(comparison_lines(comparison, COMPARED)))

    def _listed(self, wanted: RunFilter, jobs: list[Job], *, wants_runs: bool) -> CallToolResult:
        page = self._services().runs.find(wanted) if wants_runs else RunPage((), 0)
        runs, total = page.runs, page.total
        following = wanted.offset + len(runs)
        structure = RunsReply(
            runs=[run_row(run, wanted.sort_by) for run in runs],
            total=total,
            next_offset=following if following < total else None,
            jobs=[job_row(job) for job in jobs],
        )
        lines = [*map(job_line, jobs), *run_lines(runs, wanted.sort_by), f"{len(runs)} of {total} runs"]
        lines += [f"next page: offset={following}"] if structure.next_offset else []
        lines += [LUCK] if wanted.sort_by != NEWEST and total > 1 else []
        return reply(structure, "\n".join(lines))


def _status(found: Run | Job) -> str:
    if isinstance(found, Job):
        return job_line(found)
    return f"{headline(found)}{f': {found.error}' if found.error else ''}"


def _day(since: str) -> Day | None:
    if not since:
        return None
    try:
        return TypeAdapter(Day).validate_python(since)
    except ValidationError as error:
        raise InvalidInputError.of(error, under="since") from error
