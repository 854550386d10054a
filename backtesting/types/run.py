"""The outcome of a request, and the record that keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from backtesting.errors import BacktestError
from backtesting.types.market import Floats, Integers
from backtesting.types.request import BacktestRequest
from backtesting.types.trading import Trades

MetricValue = float | int | None


RUN_ID_PATTERN = r"^bt-[0-9a-f]{12}$"


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing the reader should know before believing the result: a code of the contract and a sentence."""

    code: str
    message: str


class Weight(StrEnum):
    """How much of a result's credit a diagnostic takes, the gravest first."""

    FATAL = "fatal"
    SERIOUS = "serious"
    MINOR = "minor"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A reviewer's point: what is wrong, what that weighs, and what to do; `code` is a flag's where it judges one."""

    code: str
    weight: Weight
    issue: str
    advice: str


@dataclass(frozen=True, slots=True, eq=False)
class EquityCurve:
    """Equity at each close, the strategy's or its benchmark's: int64 nanoseconds UTC, float64 money, shape (n,)."""

    time: Integers
    value: Floats


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said of a run without its trades and its curve.

    `metrics` holds every metric of `METRICS`; where one is None, `undefined` has the reason. `counters` and
    `provenance` are those of contract P4 and P1; a counter is None where nothing could be counted. `diagnostics` are
    None where nobody has reviewed the run.
    """

    metrics: Mapping[str, MetricValue]
    undefined: Mapping[str, str]
    flags: tuple[Flag, ...]
    counters: Mapping[str, int | None]
    provenance: Mapping[str, Any]
    diagnostics: tuple[Diagnostic, ...] | None = None

    @property
    def trades(self) -> int:
        """How many trades there are, the open one included."""
        return int(self.metrics["total_trades"] or 0) + int(self.metrics["open_trades"] or 0)


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """The whole outcome of one evaluated request."""

    summary: Summary
    trades: Trades
    equity: EquityCurve
    benchmark: EquityCurve


class RunStatus(StrEnum):
    """Where a run stands; a finished run never changes."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """The record of one request: completed with a summary, or failed with the reason."""

    id: str
    status: RunStatus
    request: BacktestRequest
    created_at: datetime
    completed_at: datetime | None = None
    summary: Summary | None = None
    error: str | None = None
    tags: tuple[str, ...] = ()

    def require_summary(self) -> Summary:
        """Return the summary; BacktestError with the reason where the run has none."""
        if self.status is RunStatus.RUNNING:
            raise BacktestError(f"run {self.id} is still running: follow it with get_backtest_status")
        if self.summary is None:
            error = BacktestError(f"run {self.id} {self.status}: {self.error}; mend the request and run it again")
            error.run_id = self.id
            raise error
        return self.summary

    @staticmethod
    def new_id() -> str:
        """Return a fresh id: `bt-` and 12 hexadecimal digits."""
        return f"bt-{uuid4().hex[:12]}"
