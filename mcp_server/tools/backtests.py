"""Tools that run a backtest and read it again."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
import structlog
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ImageContent
from pydantic import Field, WithJsonSchema

from backtesting.errors import JobFailedError
from backtesting.jobs.backtest import LongBacktest
from backtesting.judgement import JUDGED, judged
from backtesting.metrics import KEYS, require_few, require_known
from backtesting.metrics.growth import Growth, rolling_sharpe, totals_of, worst_drawdowns, years_of
from backtesting.reporting.curve import downsample
from backtesting.reporting.periods import drawdown_lines, rolling_line, year_lines
from backtesting.reporting.text import definition_lines, doubts, headline, metric_lines, report, trade_lines
from backtesting.reports import Reports
from backtesting.running import most_bars
from backtesting.types import (
    Adjustment,
    AssetSymbol,
    BacktestRequest,
    Capital,
    CostChoice,
    Day,
    DelayBars,
    Direction,
    Fill,
    HistoryBars,
    Intrabar,
    JobStatus,
    LotSize,
    MaxHolding,
    MaxLeverage,
    MinNotional,
    Parameters,
    PeriodsPerYear,
    Rate,
    RiskFree,
    Run,
    RunStatus,
    Sizing,
    StopBase,
    StopDistance,
    StrategyId,
    Tags,
    TargetDistance,
    Timeframe,
    validated,
)
from mcp_server.chart_app import with_curves
from mcp_server.schemas.answers import image, reply
from mcp_server.schemas.backtests import (
    DRAWDOWN_COLUMNS,
    PERIOD_COLUMNS,
    BacktestId,
    MetricsReply,
    RecordReply,
    ResultsReply,
    ReviewReply,
    RunReply,
    Section,
    curve_points,
    drawdown_rows,
    year_rows,
)
from mcp_server.services import Services
from mcp_server.waiting import Calls, Wait

TRADES_A_PAGE, POINTS_OF_A_CURVE, YEARS_A_PAGE, WORST_DRAWDOWNS, LARGEST_PAGE = 10, 40, 20, 5, 500
FEWEST_POINTS, DIGITS_OF_ALL = 3, 5
MOST_POINTS, BYTES_OF_A_RUN = 5, 3680
MORE = "\n\nMore: get_backtest_results(section='trades'), get_metrics."
LARGEST_OFFSET = 1_000_000_000
# Short schemas of optional arguments: every client reads them before its first call, refusals tell the bounds.
NUMBER, WHOLE = WithJsonSchema({"type": "number"}), WithJsonSchema({"type": "integer"})
DATE, OBJECT = WithJsonSchema({"type": "string", "format": "date"}), WithJsonSchema({"type": "object"})
TEXT = WithJsonSchema({"type": "string"})
TIMEFRAMES = WithJsonSchema({"enum": [each.value for each in Timeframe]})
DISTANCE = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "object"}]})
SIZING = (
    "method with its value: percent_equity, risk_per_trade or kelly with fraction, fixed_cash with amount, fixed_units "
    "with units, vol_target with target"
)

log = structlog.stdlib.get_logger("backtesting_mcp")


class BacktestTools:
    """The tools; the services are opened by the first call that needs them."""

    def __init__(self, services: Callable[[], Services], calls: Calls) -> None:
        self._services = services
        self._calls = calls

    async def run_backtest(  # noqa: PLR0913, PLR0917 - a tool's arguments are flat
        self,
        ctx: Context[Any, Any],
        strategy_id: StrategyId,
        asset_symbol: AssetSymbol,
        start_date: Day,
        end_date: Annotated[Day, DATE],
        initial_capital: Capital,
        parameters: Parameters,
        timeframe: Annotated[Timeframe, TIMEFRAMES] = Timeframe.D1,
        fill: Annotated[Fill, Field(description="When an order decided at a close is filled")] = "next_open",
        delay_bars: DelayBars = 1,
        costs: Annotated[
            CostChoice | None, Field(description="A preset or rates per fill as fractions; default: the asset's class")
        ] = None,
        fees: Annotated[Rate, NUMBER] | None = None,
        slippage: Annotated[Rate, NUMBER] | None = None,
        sizing: Annotated[Annotated[Sizing, OBJECT] | None, Field(description=SIZING)] = None,
        lot_size: Annotated[LotSize, NUMBER] = 0.0,
        min_notional: Annotated[MinNotional, NUMBER] = 0.0,
        max_leverage: MaxLeverage = 1.0,
        direction: Direction = "long",
        stop_loss: Annotated[
            Annotated[StopDistance, DISTANCE] | None,
            Field(description='Fraction of the price, or {"atr": 2, "period": 14}'),
        ] = None,
        take_profit: Annotated[TargetDistance, DISTANCE] | None = None,
        trailing_stop: Annotated[StopDistance, DISTANCE] | None = None,
        stop_base: StopBase = "fill",
        intrabar: Intrabar = "pessimistic",
        limit_touch: bool = False,  # noqa: FBT001, FBT002 - a tool's arguments are named
        max_holding: Annotated[Annotated[MaxHolding, WHOLE] | None, Field(description="Bars")] = None,
        close_at_end: bool = False,  # noqa: FBT001, FBT002
        adjustment: Annotated[
            Adjustment | None, Field(description="Prices adjusted for splits and dividends where stored, or raw")
        ] = None,
        risk_free: RiskFree = 0.0,
        periods_per_year: Annotated[PeriodsPerYear, NUMBER] | None = None,
        trade_from: Annotated[Day, DATE] | None = None,
        history_bars: Annotated[HistoryBars, WHOLE] | None = None,
        benchmark: Annotated[AssetSymbol, TEXT] | None = None,
        tags: Tags = (),
        rerun: bool = False,  # noqa: FBT001, FBT002 - a tool's arguments are named
        wait_seconds: Wait = 20,
        include_chart: Annotated[bool, Field(strict=True)] = False,  # noqa: FBT002 - an argument of the protocol
    ) -> Annotated[CallToolResult, RunReply]:
        """Test one strategy on one stored symbol and store the run.

        Use it to answer whether a strategy would have made money, and whether to believe it: the answer sets it beside
        buy and hold at the same costs, and lists what speaks against it. Returns a backtest_id that is kept for good;
        the same request gives the stored run unless `rerun`, and what takes longer than wait_seconds goes on.
        """
        given = locals()
        fields = {name: given[name] for name in BacktestRequest.model_fields if name in given}
        request = validated(BacktestRequest, **fields)
        services = await anyio.to_thread.run_sync(self._services)
        asked = LongBacktest(request=request, tags=tags, rerun=rerun)
        is_long = most_bars(request) > services.engine.limits.inline_bars
        run = await (self._long if is_long else self._short)(services, asked, wait_seconds, ctx)
        if run.status is RunStatus.RUNNING:
            return reply(RunReply.of(run), f"{headline(run)}; follow it with get_backtest_status('{run.id}')")
        draw = partial(drawn, services.reports, run.id)
        pictures, missed = await anyio.to_thread.run_sync(draw) if include_chart else ([], "")
        told, text = in_short(run)
        answer = reply(told, text + MORE + missed, *pictures)
        return await anyio.to_thread.run_sync(with_curves, answer, ctx, services.reports, run.id)

    async def _short(self, services: Services, asked: LongBacktest, seconds: float, _: Any) -> Run:
        """Run beside us in a thread."""
        begun, future = await anyio.to_thread.run_sync(
            lambda: services.runner.start(asked.request, asked.tags, rerun=asked.rerun)
        )
        run = await self._calls.result(future, seconds, partial(services.runner.cancel, begun.id))
        return begun if run is None else await anyio.to_thread.run_sync(judged, run, services.trials)

    async def _long(self, services: Services, asked: LongBacktest, seconds: float, ctx: Context[Any, Any]) -> Run:
        """Have a worker run it."""
        job = await self._calls.submitted(services.jobs, asked, ctx)
        job = await self._calls.job(services.jobs, job, seconds, ctx)
        if job.status is JobStatus.COMPLETED:
            return await anyio.to_thread.run_sync(services.run, job.id)
        if job.status.is_open:
            return Run(job.id, RunStatus.RUNNING, asked.request, created_at=job.created_at, tags=asked.tags)
        raise JobFailedError(f"{job.id} {job.status}: {job.error or 'it was stopped'}")

    def get_backtest_results(
        self,
        backtest_id: BacktestId,
        section: Section = "summary",
        offset: Annotated[int, Field(ge=0, le=LARGEST_OFFSET, description="First row")] = 0,
        limit: Annotated[int | None, Field(ge=1, le=LARGEST_PAGE, description="Rows or points")] = None,
    ) -> Annotated[CallToolResult, ResultsReply]:
        """Read a stored run: summary, trades, equity curve, returns by month and year, worst drawdowns.

        Use it to show its trades, or to look closer at a run of an earlier conversation.
        """
        run = self._services().run(backtest_id)
        match section:
            case "trades":
                return self._trades(run, offset, limit or TRADES_A_PAGE)
            case "equity":
                return self._equity(run, limit or POINTS_OF_A_CURVE)
            case "periods":
                return self._periods(run, offset, limit or YEARS_A_PAGE)
            case "drawdowns":
                return self._drawdowns(run, offset, limit or WORST_DRAWDOWNS)
        return {"summary": _summary, "review": _review, "provenance": _record}[section](run)

    def get_metrics(
        self,
        backtest_id: BacktestId,
        metrics: Annotated[
            list[Annotated[str, Field(max_length=64)]] | None,
            Field(min_length=1, max_length=100, description="Names; default: all, to 5 digits"),
        ] = None,
        explain: Annotated[bool, Field(description="Define up to 20")] = False,  # noqa: FBT002 - a tool's arguments are named
    ) -> Annotated[CallToolResult, MetricsReply]:
        """Read metrics of a stored run by name, unrounded, with the reason for each that is undefined.

        Use it for figures the summary leaves out: tails, drawdowns, benchmark-relative and trade statistics.
        """
        names, digits = ((*KEYS, *JUDGED), DIGITS_OF_ALL) if metrics is None else (_known(metrics), None)
        if explain:
            require_few(names)
        run = self._services().run(backtest_id)
        run.require_summary()
        found = MetricsReply.of(run, names, explain=explain, digits=digits)
        lines = [headline(run), metric_lines(found.metrics, found.undefined)]
        return reply(found, "\n".join(lines + ["", definition_lines(names)] * explain))

    def _trades(self, run: Run, offset: int, limit: int) -> CallToolResult:
        trades = self._services().runs.trades(run.id, offset, limit)
        page = ResultsReply.of_trades(run, trades, offset)
        lines = trade_lines(trades) or [f"no trades from number {offset} on"]
        more = [f"next page: offset={page.next_offset}"] if page.next_offset else []
        return reply(page, "\n".join([f"{headline(run)}\n{page.total} trades", *lines, *more]))

    def _periods(self, run: Run, offset: int, limit: int) -> CallToolResult:
        summary, runs = run.require_summary(), self._services().runs
        growth, benchmark = Growth.of(run, runs.equity(run.id)), runs.benchmark(run.id)
        years, held = years_of(growth), totals_of(Growth.of(run, benchmark) if benchmark else None)
        shown, following = years[offset : offset + limit], offset + limit
        rolling = rolling_sharpe(growth, summary.provenance["periods_per_year"], run.request.risk_free)
        page = ResultsReply(
            backtest_id=run.id,
            status=run.status.value,
            section="periods",
            columns=list(PERIOD_COLUMNS),
            rows=year_rows(shown, held),
            rolling_sharpe=asdict(rolling) if rolling else {},
            total=len(years),
            next_offset=following if following < len(years) else None,
        )
        return reply(page, "\n".join([headline(run), *year_lines(shown, held), rolling_line(rolling)]))

    def _drawdowns(self, run: Run, offset: int, limit: int) -> CallToolResult:
        run.require_summary()
        drawdowns = worst_drawdowns(Growth.of(run, self._services().runs.equity(run.id)))
        shown, following = drawdowns[offset : offset + limit], offset + limit
        page = ResultsReply(
            backtest_id=run.id,
            status=run.status.value,
            section="drawdowns",
            columns=list(DRAWDOWN_COLUMNS),
            rows=drawdown_rows(shown),
            total=len(drawdowns),
            next_offset=following if following < len(drawdowns) else None,
        )
        heading = f"{len(shown)} of {len(drawdowns)} drawdowns, the deepest first"
        return reply(page, "\n".join([headline(run), heading, *drawdown_lines(shown)]))

    def _equity(self, run: Run, limit: int) -> CallToolResult:
        run.require_summary()
        curve = self._services().runs.equity(run.id)
        points = curve_points(downsample(curve, max(limit, FEWEST_POINTS)))
        page = ResultsReply(
            backtest_id=run.id, status=run.status.value, section="equity", equity=points, total=len(curve.time)
        )
        lines = [f"{time[:10]} {value:,.2f}" for time, value in points]
        shown = f"{len(points)} of {len(curve.time)} points of the equity"
        return reply(page, "\n".join([headline(run), shown, *lines]))


def in_short(run: Run) -> tuple[RunReply, str]:
    """Return the run in structure and in text, with as many of the reviewer's points as a small answer holds."""
    whole = RunReply.of(run)
    for most in range(MOST_POINTS, 0, -1):
        told, text = whole.brief(run, most), report(run, most)
        if len(told.model_dump_json(exclude_unset=True)) + len(json.dumps(text)) < BYTES_OF_A_RUN:
            break
    return told, text


def _summary(run: Run) -> CallToolResult:
    told, text = in_short(run)
    return reply(ResultsReply(backtest_id=run.id, status=run.status.value, section="summary", summary=told), text)


def _review(run: Run) -> CallToolResult:
    summary = run.require_summary()
    told = ReviewReply.of(summary)
    results = ResultsReply(backtest_id=run.id, status=run.status.value, section="review", review=told)
    return reply(results, "\n".join([headline(run), *doubts(summary)]))


def _record(run: Run) -> CallToolResult:
    found = RecordReply.of(run)
    told = ResultsReply(backtest_id=run.id, status=run.status.value, section="provenance", record=found)
    parts = [f"{name}: {json.dumps(part)}" for name, part in found.model_dump(mode="json").items()]
    return reply(told, "\n".join([headline(run), *parts]))


def drawn(reports: Reports, run_id: str) -> tuple[list[ImageContent], str]:
    """Return the picture of a run that was just stored; where it fails, none and how to get it."""
    try:
        return [image(reports.chart(run_id, "equity"))], ""
    except Exception:
        log.exception("picture", run_id=run_id)
        return [], f"\nThe run is stored, but its picture could not be drawn: plot_backtest('{run_id}') tries again."


def _known(names: list[str]) -> list[str]:
    require_known(name for name in names if name not in JUDGED)
    return list(dict.fromkeys(names))
