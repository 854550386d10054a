"""What looking back at a stored run comes to: a replay compared with it, and one of its trades explained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from backtesting.types.run import MetricValue
from backtesting.types.trading import Trade


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not what it was when a run was stored."""

    what: str
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric that a replay gives another value; None is undefined."""

    name: str
    then: MetricValue
    now: MetricValue

    @property
    def difference(self) -> float | None:
        """Now less then, None where either is undefined."""
        return None if self.then is None or self.now is None else self.now - self.then


@dataclass(frozen=True, slots=True)
class Verification:
    """What replaying a stored run came to.

    `causes` are changes of what numbers are made of: bars, versions, contract, request. `effects` are changes of the
    outcome but for its metrics, which are in `metrics`; without either the outcome is the stored one, bit for bit.
    """

    run_id: str
    causes: tuple[Change, ...]
    effects: tuple[Change, ...]
    metrics: tuple[MetricChange, ...]

    @property
    def identical(self) -> bool:
        """Whether metrics, reasons, trades and equity, or the error, are the stored ones."""
        return not self.effects and not self.metrics


@dataclass(frozen=True, slots=True)
class Decision:
    """A close that decided something: which rule was met, and each indicator at the bar before and at its own."""

    date: datetime
    condition: str
    indicators: Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class FillDetail:
    """One side of a trade: open, high, low and close of its bar, and what it cost in money."""

    date: datetime
    price: float
    bar: tuple[float, float, float, float]
    fees: float
    slippage: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a trade was made, and what became of it.

    `levels` are those of its stop, trailing stop and target in its last bar. Where the bars of the run are no longer
    there as they were, `changes` says so, and what would take them is None or empty.
    """

    run_id: str
    trade: Trade
    rule: str = ""
    changes: tuple[Change, ...] = ()
    entry_decision: Decision | None = None
    exit_decision: Decision | None = None
    entry: FillDetail | None = None
    exit: FillDetail | None = None
    levels: Mapping[str, float] = field(default_factory=dict)
    bars_held: int | None = None
