"""The shapes of what is said of a run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from backtesting.types import EquityCurve, Run, Summary, Trade, instant

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


def trade_rows(trades: Sequence[Trade]) -> list[list[Cell]]:
    """Return each trade as a row of `TRADE_COLUMNS`, dates as ISO text."""
    return [[_plain(getattr(trade, column)) for column in TRADE_COLUMNS] for trade in trades]


def curve_points(curve: EquityCurve) -> list[tuple[str, float]]:
    """Return the curve as pairs of ISO time and money."""
    return [(instant(time).isoformat(), float(value)) for time, value in zip(curve.time, curve.value, strict=True)]


def _plain(value: Cell | datetime) -> Cell:
    return value.isoformat() if isinstance(value, datetime) else value
