"""The shapes of what is said of a run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from backtesting.diagnostics.verdict import verdict
from backtesting.judgement import MEANINGS
from backtesting.metrics.growth import Drawdown, Year
from backtesting.reporting.periods import MONTHS, totals
from backtesting.types import EquityCurve, MetricValue, Run, Summary, Trade, instant

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
    "dsr",
    "trials_counted",
)
TRADE_COLUMNS = (
    "number",
    "direction",
    "entry_date",
    "entry_price",
    "exit_date",
    "exit_price",
    "quantity",
    "fees",
    "pnl",
    "pnl_percent",
    "mae",
    "mfe",
    "exit_reason",
)

PERIOD_COLUMNS = ("year", *(f"{name}_bp" for name in (*MONTHS, "total", "buy_and_hold")))
DRAWDOWN_COLUMNS = ("start", "trough", "recovery", "depth", "days")

# What an answer tells of where a run comes from; the rest is told by section="provenance"
TOLD_ORIGINS = ("costs", "resampled_from", "bankrupt", "benchmark", "benchmark_adjustment")
TOLD_DEFAULTS = {"timeframe", "fill"}

Cell = str | int | float | None
NOTHING = Summary({}, {}, (), {}, {})

BacktestId = Annotated[str, Field(max_length=64, description="The id run_backtest returned, bt- and 12 hex digits")]
Section = Literal["summary", "trades", "equity", "periods", "drawdowns", "review", "provenance"]
Metrics = Annotated[
    dict[str, int | float | None], Field(description="Fractions, not percent; null is explained in `undefined`")
]


class Caveat(BaseModel):
    """One reason to doubt."""

    code: str
    message: str


class Point(BaseModel):
    """One of the reviewer's points, the gravest first."""

    code: str
    weight: str
    issue: Annotated[str | None, Field(description="null where the warning of this code says it")]
    advice: str


class RunReply(BaseModel):
    """A run without its trades and curve."""

    backtest_id: str
    status: str
    request: Annotated[dict[str, Any], Field(description="What it does not name has its default")]
    metrics: Metrics
    undefined: dict[str, str]
    verdict: str
    diagnostics: list[Point]
    further: Annotated[list[str], Field(description="Codes of points that only the section `review` tells")] = []
    warnings: list[Caveat]
    counters: Annotated[dict[str, int | None], Field(description="Null where nothing could be counted")]
    provenance: dict[str, Any]
    error: str | None

    @classmethod
    def of(cls, run: Run) -> Self:
        """Shape a run; a failed one has its reason and no metrics."""
        summary, record = run.summary or NOTHING, RecordReply.of(run)
        return cls(
            backtest_id=run.id,
            status=run.status.value,
            request=record.request,
            metrics={key: summary.metrics[key] for key in KEY_METRICS if key in summary.metrics},
            undefined={key: summary.undefined[key] for key in KEY_METRICS if key in summary.undefined},
            verdict=verdict(summary) or "",
            diagnostics=points(summary),
            warnings=caveats(summary),
            counters=record.counters,
            provenance=record.provenance,
            error=run.error,
        )

    def brief(self, run: Run, most: int) -> Self:
        """Return the same in short: the `most` gravest points, no counters of zero, no defaults."""
        named = run.request.model_dump(mode="json", exclude_defaults=True).keys() | TOLD_DEFAULTS
        left = [each.code for each in self.diagnostics[most:]]
        changes = {
            "request": {name: each for name, each in self.request.items() if name in named},
            "diagnostics": self.diagnostics[:most],
            "counters": {name: count for name, count in self.counters.items() if count != 0},
            "provenance": {name: self.provenance[name] for name in TOLD_ORIGINS if self.provenance.get(name)},
        }
        return self.model_copy(update=changes | ({"further": left} if left else {}))


class RecordReply(BaseModel):
    """What repeats a run, and what it came from: nothing left out."""

    request: Annotated[dict[str, Any], Field(description="The request with every default filled in, but for null")]
    counters: dict[str, int | None]
    provenance: dict[str, Any]

    @classmethod
    def of(cls, run: Run) -> Self:
        """Shape the record of a run."""
        summary = run.summary or NOTHING
        return cls(
            request=run.request.model_dump(mode="json", exclude_none=True),
            counters=dict(summary.counters),
            provenance=dict(summary.provenance),
        )


class ReviewReply(BaseModel):
    """Whether to believe a run, with every point and warning."""

    verdict: str
    diagnostics: list[Point]
    warnings: list[Caveat]

    @classmethod
    def of(cls, summary: Summary) -> Self:
        """Shape the review of a run."""
        return cls(verdict=verdict(summary) or "", diagnostics=points(summary), warnings=caveats(summary))


class ResultsReply(BaseModel):
    """One section of a stored run; the fields of the other sections are left out."""

    backtest_id: str
    status: str
    section: Section
    summary: RunReply | None = None
    review: ReviewReply | None = None
    record: RecordReply | None = None
    trade_columns: list[str] | None = None
    trades: Annotated[list[list[Cell]] | None, Field(description="Rows in the order of trade_columns")] = None
    columns: list[str] = []
    rows: Annotated[list[list[Cell]], Field(description="Periods or drawdowns in the order of columns")] = []
    rolling_sharpe: dict[str, float] = {}
    equity: Annotated[list[tuple[str, float]] | None, Field(description="[UTC time, equity at the close]")] = None
    total: Annotated[int | None, Field(description="How many trades or points there are in all")] = None
    next_offset: Annotated[int | None, Field(description="Offset of the next page, null at the end")] = None

    @classmethod
    def of_trades(cls, run: Run, trades: Sequence[Trade], offset: int) -> Self:
        """Shape a page of a completed run's trades, which begins at number `offset`."""
        total, following = run.require_summary().trades, offset + len(trades)
        return cls(
            backtest_id=run.id,
            status=run.status.value,
            section="trades",
            trade_columns=list(TRADE_COLUMNS),
            trades=trade_rows(trades),
            total=total,
            next_offset=following if following < total else None,
        )


class Definition(BaseModel):
    """What a metric is."""

    unit: str
    definition: str


class MetricsReply(BaseModel):
    """Named metrics of a run."""

    backtest_id: str
    metrics: Metrics
    undefined: dict[str, str]
    definitions: dict[str, Definition] = {}

    @classmethod
    def of(cls, run: Run, names: Sequence[str], *, explain: bool = False, digits: int | None = None) -> Self:
        """Shape the named metrics; one that was not known when the run was stored is null.

        To a number of digits, those that are null are told in `undefined` alone.
        """
        summary = run.summary or NOTHING
        chosen = {name: rounded(summary.metrics.get(name), digits) for name in names}
        reasons = {name: summary.undefined.get(name, "not_computed") for name, each in chosen.items() if each is None}
        said = {name: MEANINGS[name] for name in names} if explain else {}
        definitions = {name: Definition(unit=unit, definition=text) for name, (unit, text) in said.items()}
        if digits:
            chosen = {name: each for name, each in chosen.items() if each is not None}
        return cls(backtest_id=run.id, metrics=chosen, undefined=reasons, definitions=definitions)


def rounded(number: MetricValue, digits: int | None) -> MetricValue:
    """Return the number to so many significant digits, or as it is."""
    return float(f"{number:.{digits}g}") if digits and isinstance(number, float) else number


def points(summary: Summary) -> list[Point]:
    """Return the diagnostics; what a warning of the same code says is not said again."""
    warned = {flag.code for flag in summary.flags}
    return [
        Point(code=each.code, weight=each.weight, issue=None if each.code in warned else each.issue, advice=each.advice)
        for each in summary.diagnostics or ()
    ]


def caveats(summary: Summary) -> list[Caveat]:
    """Return the warnings."""
    return [Caveat(code=flag.code, message=flag.message) for flag in summary.flags]


def trade_rows(trades: Sequence[Trade]) -> list[list[Cell]]:
    """Return each trade as a row of `TRADE_COLUMNS`, dates as ISO text."""
    return [[_plain(getattr(trade, column)) for column in TRADE_COLUMNS] for trade in trades]


def year_rows(years: Sequence[Year], held: Mapping[int, float]) -> list[list[Cell]]:
    """Return each year as a row of `PERIOD_COLUMNS`, returns in basis points."""
    return [
        [each.year, *(_basis_points(fraction) for fraction in (*each.months, *totals(each, held)))] for each in years
    ]


def drawdown_rows(drawdowns: Sequence[Drawdown]) -> list[list[Cell]]:
    """Return each drawdown as a row of `DRAWDOWN_COLUMNS`."""
    return [[_plain(getattr(each, column)) for column in DRAWDOWN_COLUMNS] for each in drawdowns]


def curve_points(curve: EquityCurve) -> list[tuple[str, float]]:
    """Return the curve as pairs of ISO time and money."""
    return [(instant(time).isoformat(), float(value)) for time, value in zip(curve.time, curve.value, strict=True)]


def _basis_points(fraction: float | None) -> int | None:
    return None if fraction is None else round(10_000 * fraction)


def _plain(value: Cell | datetime) -> Cell:
    return value.isoformat() if isinstance(value, datetime) else value
