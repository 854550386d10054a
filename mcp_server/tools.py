"""One method a tool: flat arguments become a request, a use case answers, the reply is shaped."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import Field

from backtesting.engine import BacktestEngine, as_request
from backtesting.errors import BacktestError
from backtesting.metrics import KEYS, require_known
from backtesting.ports import RunRepository
from backtesting.reporting.curve import downsample
from backtesting.reporting.text import headline, metric_lines, report, strategy_lines, trade_lines
from backtesting.strategy import StrategyRegistry
from backtesting.strategy_check import check_config
from backtesting.types import (
    Adjustment,
    AssetSymbol,
    Capital,
    CostChoice,
    Day,
    Fill,
    Parameters,
    RiskFree,
    Run,
    RunStatus,
    StrategyId,
    Timeframe,
)
from mcp_server.schemas import (
    TRADE_COLUMNS,
    BacktestId,
    MetricsReply,
    ResultsReply,
    RunReply,
    Section,
    StrategiesReply,
    ValidationReply,
    curve_points,
    reply,
    trade_rows,
)

TRADES_A_PAGE, POINTS_OF_A_CURVE, LARGEST_PAGE = 12, 40, 500
FEWEST_POINTS = 3
LARGEST_OFFSET = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases and stores that tools call; what they need is opened by whoever hands them in."""

    engine: BacktestEngine
    runs: RunRepository


class Tools:
    """The tools; the services are opened by the first call that needs them."""

    def __init__(self, registry: StrategyRegistry, services: Callable[[], Services]) -> None:
        self._registry = registry
        self._services = services

    def run_backtest(  # noqa: PLR0913, PLR0917 - a tool's arguments are flat
        self,
        strategy_id: StrategyId,
        asset_symbol: AssetSymbol,
        start_date: Day,
        end_date: Day,
        initial_capital: Capital,
        parameters: Parameters,
        timeframe: Timeframe = Timeframe.D1,
        fill: Annotated[Fill, Field(description="When an order decided at a close is filled")] = "next_open",
        costs: Annotated[
            CostChoice | None, Field(description="A preset or rates per fill as fractions; default: the asset's class")
        ] = None,
        adjustment: Annotated[
            Adjustment | None, Field(description="Prices adjusted for splits and dividends where stored, or raw")
        ] = None,
        risk_free: RiskFree = 0.0,
    ) -> Annotated[CallToolResult, RunReply]:
        """Test one strategy on one stored symbol and store the run.

        Use it to answer whether a strategy would have made money, and whether to believe it: the answer sets it beside
        buy and hold at the same costs, and lists what speaks against it. Returns a backtest_id that is kept for good.
        """
        request = as_request(
            strategy_id=strategy_id,
            asset_symbol=asset_symbol,
            start_date=start_date,
            end_date=end_date,
            initial_capital=initial_capital,
            parameters=parameters,
            timeframe=timeframe,
            fill=fill,
            costs=costs,
            adjustment=adjustment,
            risk_free=risk_free,
        )
        run = self._services().engine.run(request)
        more = f"\n\nTrades: get_backtest_results('{run.id}', section='trades'). All metrics: get_metrics('{run.id}')."
        return reply(RunReply.of(run), report(run) + more)

    def get_backtest_results(
        self,
        backtest_id: BacktestId,
        section: Section = "summary",
        offset: Annotated[int, Field(ge=0, le=LARGEST_OFFSET, description="First trade of the page")] = 0,
        limit: Annotated[
            int | None, Field(ge=1, le=LARGEST_PAGE, description="Trades of a page (12) or points of the curve (40)")
        ] = None,
    ) -> Annotated[CallToolResult, ResultsReply]:
        """Read a stored run: its summary, its trades page by page, or its equity curve in few points.

        Use it to look closer at a run, or to find again one of an earlier conversation.
        """
        run = self._services().runs.get(backtest_id)
        match section:
            case "trades":
                return self._trades(run, offset, limit or TRADES_A_PAGE)
            case "equity":
                return self._equity(run, limit or POINTS_OF_A_CURVE)
        results = ResultsReply(backtest_id=run.id, status=run.status.value, section="summary", summary=RunReply.of(run))
        return reply(results, report(run))

    def list_strategies(self) -> Annotated[CallToolResult, StrategiesReply]:
        """List the strategies that can be tested, with their parameters, ranges and defaults.

        Use it before run_backtest to learn the ids and what `parameters` may hold.
        """
        strategies = [strategy.describe() for strategy in self._registry]
        return reply(StrategiesReply.of(strategies), strategy_lines(strategies))

    def validate_strategy(
        self,
        strategy_config: Annotated[dict[str, Any], Field(description='{"strategy_id": "...", "parameters": {...}}')],
    ) -> Annotated[CallToolResult, ValidationReply]:
        """Check a strategy and its parameters without running anything.

        Use it when parameters are uncertain: it names every mistake at once with its path, and suggests a corrected
        configuration.
        """
        report_ = check_config(self._registry, strategy_config)
        lines = [f"- {problem}" for problem in report_.problems]
        if report_.valid:
            lines = [f"valid: {json.dumps(report_.effective)}; needs {report_.warmup} bars of warm-up"]
        else:
            suggested = json.dumps(report_.suggestion) if report_.suggestion else "none is near enough"
            lines = ["not valid:", *lines, f"suggestion: {suggested}"]
        return reply(ValidationReply.of(report_), "\n".join(lines))

    def get_metrics(
        self,
        backtest_id: BacktestId,
        metrics: Annotated[
            list[Annotated[str, Field(max_length=64)]] | None,
            Field(min_length=1, max_length=100, description="Names; default: all"),
        ] = None,
    ) -> Annotated[CallToolResult, MetricsReply]:
        """Read metrics of a stored run by name, unrounded, with the reason for each that is undefined.

        Use it for figures that the summary leaves out: tails, drawdowns, benchmark-relative and trade statistics.
        """
        names = KEYS if metrics is None else require_known(metrics)
        run = self._services().runs.get(backtest_id)
        if run.summary is None:
            raise _failed(run)
        found = MetricsReply.of(run, names)
        return reply(found, f"{headline(run)}\n{metric_lines(found.metrics, found.undefined)}")

    def _trades(self, run: Run, offset: int, limit: int) -> CallToolResult:
        if run.summary is None:
            raise _failed(run)
        total = int(run.summary.metrics["total_trades"] or 0) + int(run.summary.metrics["open_trades"] or 0)
        trades = self._services().runs.trades(run.id, offset, limit)
        following = offset + len(trades)
        page = ResultsReply(
            backtest_id=run.id,
            status=run.status.value,
            section="trades",
            trade_columns=list(TRADE_COLUMNS),
            trades=trade_rows(trades),
            total=total,
            next_offset=following if following < total else None,
        )
        lines = trade_lines(trades) or [f"no trades from number {offset} on"]
        more = [f"next page: offset={following}"] if page.next_offset else []
        return reply(page, "\n".join([f"{headline(run)}\n{total} trades", *lines, *more]))

    def _equity(self, run: Run, limit: int) -> CallToolResult:
        if run.summary is None:
            raise _failed(run)
        curve = self._services().runs.equity(run.id)
        points = curve_points(downsample(curve, max(limit, FEWEST_POINTS)))
        page = ResultsReply(
            backtest_id=run.id, status=run.status.value, section="equity", equity=points, total=len(curve.time)
        )
        lines = [f"{time[:10]} {value:,.2f}" for time, value in points]
        shown = f"{len(points)} of {len(curve.time)} points of the equity"
        return reply(page, "\n".join([headline(run), shown, *lines]))


def _failed(run: Run) -> BacktestError:
    error = BacktestError(f"run {run.id} {RunStatus.FAILED}: {run.error}; mend the request and run it again")
    error.run_id = run.id
    return error
