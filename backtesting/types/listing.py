"""Which stored runs are wanted, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from backtesting.types.run import Run, RunStatus

NEWEST = "created_at"


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Runs that fulfil every condition that is given.

    `sort_by` is a metric, greatest first and undefined last, or `created_at`, newest first.
    """

    id_part: str | None = None
    strategy_id: str | None = None
    symbol: str | None = None
    status: RunStatus | None = None
    tag: str | None = None
    since: date | None = None
    sort_by: str = NEWEST
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some of the runs that were found, and how many there are: in all, or else at least."""

    runs: Sequence[Run]
    total: int
    is_all: bool = True
