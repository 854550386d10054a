"""The tool that searches for the best parameters, and says whether they are more than luck."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from backtesting.errors import InvalidInputError, Problem
from backtesting.optimization.request import OptimizationRequest
from backtesting.reporting.runs import job_lines
from backtesting.types import validated
from mcp_server.schemas.answers import reply
from mcp_server.schemas.runs import StatusReply
from mcp_server.services import Services
from mcp_server.waiting import Calls, Wait

RANGES = '{"fast_period": {"low": 5, "high": 50, "step": 5}} or lists; default: the strategy\'s own'
SEVERAL = "A metric, or several"
INEQUALITIES = 'E.g. ["2 * fast_period < slow_period"]'


class OptimizationTools:
    """The tool; the services are opened by the first call that needs them."""

    def __init__(self, services: Callable[[], Services], calls: Calls) -> None:
        self._services = services
        self._calls = calls

    async def optimize_strategy(  # noqa: PLR0913, PLR0917 - a tool's arguments are flat
        self,
        ctx: Context[Any, Any],
        strategy_id: str,
        asset_symbol: str,
        space: Annotated[dict[str, Any] | None, Field(description=RANGES)] = None,
        constraints: Annotated[list[str], Field(description=INEQUALITIES)] = [],  # noqa: B006
        objective: Annotated[str | list[str], Field(description=SEVERAL)] = "sharpe_ratio",
        min_trades: int = 10,
        method: Annotated[str, Field(description="grid, random or tpe")] = "grid",
        trials: Annotated[int, Field(description="Of random and tpe")] = 100,
        seed: int = 0,
        holdout: Annotated[float, Field(description="Share at the end that the search does not see")] = 0.3,
        top_k: int = 3,
        options: Annotated[dict[str, Any], Field(description="Others of run_backtest")] = {},  # noqa: B006
        wait_seconds: Wait = 20,
    ) -> Annotated[CallToolResult, StatusReply]:
        """Try all parameter sets of a space, or some, and say whether the winner is distinguishable from luck.

        Use it to find parameters. The winner is stored as a run, and every set counts as a trial.
        """
        given = locals()
        own = {name: given[name] for name in OptimizationRequest.model_fields if name in given}
        if repeated := [name for name in options if name in {*own, "objective", "metric", "beside"}]:
            raise InvalidInputError([Problem(f"options.{name}", "is an argument of its own") for name in repeated])
        metric, *beside = [objective] if isinstance(objective, str) else objective or ["sharpe_ratio"]
        try:
            request = validated(OptimizationRequest, **options, **own, metric=metric, beside=beside)
        except InvalidInputError as error:
            raise InvalidInputError([_as_asked(problem) for problem in error.problems]) from error
        services = await anyio.to_thread.run_sync(self._services)
        job = await self._calls.submitted(services.jobs, request, ctx)
        job = await self._calls.job(services.jobs, job, wait_seconds, ctx)
        more = [] if job.result else [f"follow it with get_backtest_status('{job.id}')"]
        return reply(StatusReply.of(job), "\n".join([*job_lines(job), *more]))


def _as_asked(problem: Problem) -> Problem:
    """Say it of the argument that the caller has: `metric` and `beside` are one there."""
    first = problem.path.partition(".")[0]
    return replace(problem, path="objective") if first in {"metric", "beside"} else problem
