"""The shapes of the replies; each says the same as the text beside it, and either is enough alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field

from backtesting.errors import BacktestError
from backtesting.strategy_check import StrategyReport
from backtesting.types import EquityCurve, Run, StrategyDescription, Summary, Trade, instant

KEY_METRICS = (
    "final_capital",
    "total_return",
    "annual_return",
    "annual_volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "max_drawdown",
    "calmar_ratio",
    "total_trades",
    "open_trades",
    "win_rate",
    "profit_factor",
    "exposure_time",
    "benchmark_return",
    "benchmark_sharpe",
    "benchmark_max_drawdown",
    "exposure_matched_return",
    "cost_drag",
    "psr",
)
TRADE_COLUMNS = (
    "number",
    "entry_date",
    "entry_price",
    "exit_date",
    "exit_price",
    "quantity",
    "fees",
    "pnl",
    "pnl_percent",
    "status",
)

Cell = str | int | float | None
NOTHING = Summary({}, {}, (), {}, {})

BacktestId = Annotated[str, Field(max_length=64, description="The id run_backtest returned, bt- and 12 hex digits")]
Section = Literal["summary", "trades", "equity"]
Metrics = Annotated[
    dict[str, int | float | None], Field(description="Fractions, not percent; null is explained in `undefined`")
]


class Caveat(BaseModel):
    """One reason to doubt."""

    code: str
    message: str


class RunReply(BaseModel):
    """A run without its trades and curve."""

    backtest_id: str
    status: str
    request: Annotated[dict[str, Any], Field(description="The request with every default filled in")]
    metrics: Metrics
    undefined: dict[str, str]
    warnings: list[Caveat]
    counters: dict[str, int]
    provenance: dict[str, Any]
    error: str | None

    @classmethod
    def of(cls, run: Run) -> Self:
        """Shape a run; a failed one has its reason and no metrics."""
        summary = run.summary or NOTHING
        return cls(
            backtest_id=run.id,
            status=run.status.value,
            request=run.request.model_dump(mode="json"),
            metrics={key: summary.metrics[key] for key in KEY_METRICS if key in summary.metrics},
            undefined={key: summary.undefined[key] for key in KEY_METRICS if key in summary.undefined},
            warnings=[Caveat(code=flag.code, message=flag.message) for flag in summary.flags],
            counters=dict(summary.counters),
            provenance=dict(summary.provenance),
            error=run.error,
        )


class ResultsReply(BaseModel):
    """One section of a stored run; the fields of the other sections are null."""

    backtest_id: str
    status: str
    section: Section
    summary: RunReply | None = None
    trade_columns: list[str] | None = None
    trades: Annotated[list[list[Cell]] | None, Field(description="Rows in the order of trade_columns")] = None
    equity: Annotated[list[tuple[str, float]] | None, Field(description="[UTC time, equity at the close]")] = None
    total: Annotated[int | None, Field(description="How many trades or points there are in all")] = None
    next_offset: Annotated[int | None, Field(description="Offset of the next page, null at the end")] = None


class MetricsReply(BaseModel):
    """Named metrics of a run."""

    backtest_id: str
    metrics: Metrics
    undefined: dict[str, str]

    @classmethod
    def of(cls, run: Run, names: Sequence[str]) -> Self:
        """Shape the named metrics; one that was not known when the run was stored is null."""
        summary = run.summary or NOTHING
        chosen = {name: summary.metrics.get(name) for name in names}
        reasons = {name: summary.undefined.get(name, "not_computed") for name, each in chosen.items() if each is None}
        return cls(backtest_id=run.id, metrics=chosen, undefined=reasons)


class StrategyReply(BaseModel):
    """A strategy that can be asked for."""

    strategy_id: str
    name: str
    description: str
    strategy_type: str
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of `parameters`")]


class StrategiesReply(BaseModel):
    """Every registered strategy."""

    strategies: list[StrategyReply]

    @classmethod
    def of(cls, strategies: Sequence[StrategyDescription]) -> Self:
        """Shape the descriptions."""
        return cls(
            strategies=[
                StrategyReply(
                    strategy_id=each.id,
                    name=each.name,
                    description=each.description,
                    strategy_type=each.strategy_type,
                    parameters=dict(each.parameters_schema),
                )
                for each in strategies
            ]
        )


class ProblemReply(BaseModel):
    """One thing wrong, and what would be right."""

    path: str
    message: str


class ValidationReply(BaseModel):
    """Whether a configuration can run, and one that can."""

    valid: bool
    problems: list[ProblemReply]
    suggestion: Annotated[dict[str, Any] | None, Field(description="A corrected configuration that is valid")]
    effective: Annotated[dict[str, Any] | None, Field(description="All parameters with defaults, when valid")]
    warmup_bars: int | None
    unstable_bars: Annotated[int | None, Field(description="Further bars until recursive indicators settle")]

    @classmethod
    def of(cls, report: StrategyReport) -> Self:
        """Shape a report."""
        return cls(
            valid=report.valid,
            problems=[ProblemReply(path=each.path, message=each.message) for each in report.problems],
            suggestion=report.suggestion,
            effective=report.effective,
            warmup_bars=report.warmup,
            unstable_bars=report.unstable,
        )


def trade_rows(trades: Sequence[Trade]) -> list[list[Cell]]:
    """Return each trade as a row of `TRADE_COLUMNS`, dates as ISO text."""
    return [[_plain(getattr(trade, column)) for column in TRADE_COLUMNS] for trade in trades]


def curve_points(curve: EquityCurve) -> list[tuple[str, float]]:
    """Return the curve as pairs of ISO time and money."""
    return [(instant(time).isoformat(), float(value)) for time, value in zip(curve.time, curve.value, strict=True)]


def reply(structure: BaseModel, text: str) -> CallToolResult:
    """Answer a call with both forms."""
    content = TextContent(type="text", text=text)
    return CallToolResult(content=[content], structured_content=structure.model_dump(mode="json"))


def refusal(error: BacktestError) -> CallToolResult:
    """Answer a call with an error the model can act on.

    It carries text alone: clients check structured content against the tool's output schema, errors included.
    """
    stored = f" (kept as failed run {error.run_id})" if error.run_id else ""
    return CallToolResult(content=[TextContent(type="text", text=f"{error}{stored}")], is_error=True)


def _plain(value: Cell | datetime) -> Cell:
    return value.isoformat() if isinstance(value, datetime) else value
