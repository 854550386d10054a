"""The tool that runs many backtests in one call."""

from collections.abc import Callable
from typing import Annotated, Any

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from backtesting.errors import InvalidInputError, Problem
from backtesting.jobs.batch import BatchRequest
from backtesting.reporting.runs import job_line
from backtesting.types import validated
from mcp_server.schemas.answers import reply
from mcp_server.schemas.runs import StatusReply
from mcp_server.services import Services
from mcp_server.waiting import Calls, Wait

OWN = ("strategy_id", "symbols", "parameters")


class BatchTools:
    """The tool; the services are opened by the first call that needs them."""

    def __init__(self, services: Callable[[], Services], calls: Calls) -> None:
        self._services = services
        self._calls = calls

    async def run_batch(  # noqa: PLR0913, PLR0917 - a tool's arguments are flat
        self,
        ctx: Context[Any, Any],
        strategy_id: str,
        symbols: list[str],
        parameters: list[dict[str, Any]],
        options: Annotated[dict[str, Any], Field(description="Others of run_backtest")] = {},  # noqa: B006
        wait_seconds: Wait = 20,
    ) -> Annotated[CallToolResult, StatusReply]:
        """Run every parameter set on every symbol. Use it for more than a few runs; each is stored."""
        if repeated := [name for name in OWN if name in options]:
            raise InvalidInputError([Problem(f"options.{name}", "is an argument of its own") for name in repeated])
        request = validated(BatchRequest, strategy_id=strategy_id, symbols=symbols, parameters=parameters, **options)
        services = await anyio.to_thread.run_sync(self._services)
        job = await self._calls.submitted(services.jobs, request, ctx)
        job = await self._calls.job(services.jobs, job, wait_seconds, ctx)
        more = "its runs: list_backtests" if job.result else "follow it with get_backtest_status"
        return reply(StatusReply.of(job), f"{job_line(job)}\n{more}, tag or id {job.id}")
