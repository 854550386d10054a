"""Long work: what was asked for, how far it is, and who may write its results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from backtesting.types.run import BacktestResult, Run
from backtesting.types.trial import Trial


class JobStatus(StrEnum):
    """Where a job stands; a finished job never changes."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether there is work left to do."""
        return self in (JobStatus.PENDING, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far the work is: `done` of `total` parts, what is being done, and the best that was found so far."""

    done: int = 0
    total: int | None = None
    stage: str = ""
    best: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The record of long work; `eta_seconds` is told while it runs and its pace is known."""

    id: str
    kind: str
    request: Mapping[str, Any]
    status: JobStatus
    created_at: datetime
    progress: JobProgress = field(default_factory=JobProgress)
    attempt: int = 0
    eta_seconds: float | None = None
    finished_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one owner to write the results of one attempt at a job; a later attempt ends it."""

    job_id: str
    owner: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that an owner has taken on, and the chunks that earlier attempts have stored."""

    lease: Lease
    kind: str
    request: Mapping[str, Any]
    chunks: Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One part of a job that is done: its result as JSON, and the runs and trials it is made of."""

    number: int
    result: Any
    runs: Sequence[tuple[Run, BacktestResult | None]] = ()
    trials: Sequence[Trial] = ()
