"""The tool that tests chosen parameters on what came after them."""

from collections.abc import Callable
from typing import Annotated, Any

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from backtesting.errors import InvalidInputError, Problem
from backtesting.jobs.folds import WalkForwardRequest
from backtesting.objective import Objective
from backtesting.reporting.runs import job_lines
from backtesting.types import validated
from backtesting.walk_forward.windows import Scheme
from mcp_server.schemas.answers import reply
from mcp_server.schemas.runs import StatusReply
from mcp_server.services import Services
from mcp_server.waiting import Calls, Wait

OWN = ("strategy_id", "asset_symbol", "rerun")
RANGES = '{"fast_period": {"low": 5, "high": 50, "step": 5}} or lists; default: the strategy\'s own'


class WalkForwardTools:
    """The tool; the services are opened by the first call that needs them."""

    def __init__(self, services: Callable[[], Services], calls: Calls) -> None:
        self._services = services
        self._calls = calls

    async def walk_forward(  # noqa: PLR0913, PLR0917 - a tool's arguments are flat
        self,
        ctx: Context[Any, Any],
        strategy_id: str,
        asset_symbol: str,
        space: Annotated[dict[str, Any] | None, Field(description=RANGES)] = None,
        constraints: Annotated[list[str], Field(description="e.g. fast_period < slow_period / 2")] = [],  # noqa: B006
        train_sessions: int = 504,
        test_sessions: int = 126,
        anchored: bool = False,  # noqa: FBT001, FBT002 - a tool's arguments are named
        purge_bars: int = 0,
        embargo_bars: int = 0,
        metric: str = "sharpe_ratio",
        min_trades: int = 10,
        options: Annotated[dict[str, Any], Field(description="Others of run_backtest")] = {},  # noqa: B006
        wait_seconds: Wait = 20,
    ) -> Annotated[CallToolResult, StatusReply]:
        """Choose parameters on the past again and again, and test each choice on the sessions after it.

        Use it to see whether optimised parameters hold up on data they were not chosen on.
        """
        scheme = validated(
            Scheme,
            train_sessions=train_sessions,
            test_sessions=test_sessions,
            anchored=anchored,
            purge_bars=purge_bars,
            embargo_bars=embargo_bars,
        )
        objective = validated(Objective, metric=metric, min_trades=min_trades)
        given = dict(options)
        if repeated := [name for name in OWN if name in given]:
            raise InvalidInputError([Problem(f"options.{name}", "cannot be set here") for name in repeated])
        tags = given.pop("tags", ())
        services = await anyio.to_thread.run_sync(self._services)
        request = await anyio.to_thread.run_sync(
            lambda: services.engine.whole_request(strategy_id, asset_symbol, **given)
        )
        asked = validated(
            WalkForwardRequest,
            request=request,
            space=space,
            constraints=constraints,
            objective=objective,
            scheme=scheme,
            tags=tags,
        )
        job = await self._calls.submitted(services.jobs, asked, ctx)
        job = await self._calls.job(services.jobs, job, wait_seconds, ctx)
        more = [] if job.result else [f"follow it with get_backtest_status('{job.id}')"]
        return reply(StatusReply.of(job), "\n".join([*job_lines(job), *more]))
