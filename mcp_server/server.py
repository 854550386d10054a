"""Assembly: the server, its list of tools, and the one place where failures become readable errors."""

import inspect
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Literal

import structlog
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import ValidationError

from backtesting import VERSION
from backtesting.errors import BacktestError, DefectError, InvalidInputError
from backtesting.strategy import StrategyRegistry
from mcp_server.chart_app import SHOWN_BY, chart_app
from mcp_server.completions import add_completions
from mcp_server.guides import add_guides
from mcp_server.prompts import add_prompts, readable_refusals
from mcp_server.resources import add_resources
from mcp_server.schemas.answers import refusal
from mcp_server.schemas.listing import outline, terse
from mcp_server.services import Services
from mcp_server.tools.audit import AuditTools
from mcp_server.tools.backtests import BacktestTools
from mcp_server.tools.batches import BatchTools
from mcp_server.tools.data import DataTools
from mcp_server.tools.guides import read_guide
from mcp_server.tools.optimization import OptimizationTools
from mcp_server.tools.reports import ReportTools
from mcp_server.tools.runs import RunTools
from mcp_server.tools.strategies import StrategyTools
from mcp_server.tools.walk_forward import WalkForwardTools
from mcp_server.waiting import Calls

INSTRUCTIONS = (
    "Backtests trading strategies on stored bars. list_assets names the assets, import_market_data adds some from the "
    "user's files, get_market_data shows their prices. list_strategies names the strategies, run_backtest runs one and "
    "returns a backtest_id, get_backtest_results and get_metrics read it again at any time, plot_backtest draws it. "
    "Signals decide at a close and fill at the next open, costs are charged on both "
    "sides. Fractions are not percent. Tell a run's verdict and diagnostics before praising it: few trades, no costs "
    "or a bull market make a strategy look better than it is."
)

DEFECT = "this server has a defect, the request is not to blame; the server's log has the details"

# Every client reads the whole list before its first call, so what is seldom needed has to be asked for.
Toolset = Literal["standard", "all"]

log = structlog.stdlib.get_logger("backtesting_mcp")


class StrictTool(Tool):
    """A tool that refuses unknown arguments, answers failures readably and logs one line a call."""

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:  # noqa: FBT001, FBT002 - the SDK's signature
        """Run the tool; what the caller can mend becomes an error that says how, anything else is a defect."""
        started = perf_counter()
        try:
            result = await super().run(arguments, context, convert_result)
            outcome, run_id = "ok", (result.structured_content or arguments).get("backtest_id")
        except ToolError as error:
            failure = self._expected(error)
            result, outcome, run_id = refusal(failure), failure.code, failure.run_id
        log.info("call", tool=self.name, ms=round((perf_counter() - started) * 1000, 1), outcome=outcome, run_id=run_id)
        return result

    def _expected(self, error: ToolError) -> BacktestError:
        cause = error.__cause__ or error
        if isinstance(cause, BacktestError) and not isinstance(cause, DefectError):
            return cause
        # the same exception from inside the tool is a defect, and then the error is an UnexpectedToolError
        if isinstance(cause, ValidationError) and not isinstance(error, UnexpectedToolError):
            return InvalidInputError.of(cause, known=self.fn_metadata.arg_model.model_fields)
        log.error("defect", tool=self.name, exc_info=cause)
        return cause if isinstance(cause, DefectError) else DefectError(f"{self.name}: {DEFECT}")


def build_server(
    registry: StrategyRegistry,
    services: Callable[[], Services],
    toolset: Toolset = "all",
    middleware: Sequence[Any] = (),
) -> MCPServer[Any]:
    """Return the server with its tools and resources; `services` is called by the first call that needs it."""
    calls = Calls()
    server = MCPServer[Any](
        "backtesting-mcp",
        title="Backtesting",
        version=VERSION,
        instructions=INSTRUCTIONS,
        middleware=[*middleware, readable_refusals, calls],
        extensions=[chart_app()],
        tools=tools_of(toolset, registry, services, calls),
    )
    add_resources(server, registry, services)
    add_guides(server)
    add_prompts(server)
    add_completions(server, registry, services)
    return server


def tools_of(
    toolset: Toolset, registry: StrategyRegistry, services: Callable[[], Services], calls: Calls
) -> list[Tool]:
    """Return the tools in the order they are listed, those of the standard set first."""
    backtests, strategies, data = BacktestTools(services, calls), StrategyTools(registry), DataTools(services)
    batches, runs, reports = BatchTools(services, calls), RunTools(services), ReportTools(services)
    audit, walks = AuditTools(services), WalkForwardTools(services, calls)
    searches = OptimizationTools(services, calls)
    standard = [
        brief(backtests.run_backtest, "Run a backtest", writes=True, meta=SHOWN_BY),
        brief(backtests.get_backtest_results, "Read a backtest"),
        brief(strategies.list_strategies, "List strategies"),
        brief(strategies.validate_strategy, "Check parameters"),
        brief(backtests.get_metrics, "Read metrics"),
        brief(data.import_market_data, "Import price files", writes=True),
        brief(data.list_assets, "List assets"),
        brief(data.get_market_data, "Look at prices"),
        brief(runs.list_backtests, "List runs"),
        brief(runs.get_backtest_status, "Status"),
        brief(runs.cancel_backtest, "Cancel", writes=True),
        strict(reports.plot_backtest, "Draw a backtest", meta=SHOWN_BY),
    ]
    research = [
        brief(batches.run_batch, "Run a batch", writes=True),
        brief(searches.optimize_strategy, "Optimise parameters", writes=True),
        brief(walks.walk_forward, "Walk forward", writes=True),
        brief(runs.compare_backtests, "Compare runs"),
        brief(audit.explain_trade, "Explain a trade"),
        brief(audit.verify_run, "Replay a run"),
        strict(reports.export_backtest, "Export backtests", writes=True),
        strict(read_guide, "Read a guide"),
    ]
    return standard if toolset == "standard" else [*standard, *research]


def strict(
    function: Callable[..., Any], title: str, *, writes: bool = False, meta: dict[str, Any] | None = None
) -> Tool:
    """Make a tool of a method: its docstring is the description, its annotations are the schema."""
    annotations = ToolAnnotations(
        title=title,
        read_only_hint=not writes,
        destructive_hint=False,
        open_world_hint=False,
    )
    description = inspect.getdoc(function)
    made = StrictTool.from_function(function, title=title, description=description, annotations=annotations, meta=meta)
    arguments = made.fn_metadata.arg_model
    arguments.model_config["extra"] = "forbid"
    arguments.model_rebuild(force=True)
    made.parameters = terse(arguments.model_json_schema(by_alias=True))
    if made.fn_metadata.output_schema:
        made.fn_metadata.output_schema = outline(made.fn_metadata.output_schema)
    return made


def brief(
    function: Callable[..., Any], title: str, *, writes: bool = False, meta: dict[str, Any] | None = None
) -> Tool:
    """Make a tool whose reply is listed as an object and no more."""
    made = strict(function, title, writes=writes, meta=meta)
    made.fn_metadata.output_schema = {"type": "object"}
    return made
