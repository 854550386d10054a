"""The words of the domain: what comes in is validated once, what we produce is frozen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

Fill = Literal["next_open", "next_close", "same_close"]
Adjustment = Literal["adjusted", "raw"]
MetricValue = float | int | None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS_PER_DAY = 86_400_000_000_000
RUN_ID_PATTERN = r"^bt-[0-9a-f]{12}$"


def instant(nanoseconds: int) -> datetime:
    """Return the UTC instant, exact to the microsecond, of nanoseconds since 1970."""
    return EPOCH + timedelta(microseconds=int(nanoseconds) // 1000)


def nanoseconds(when: datetime) -> int:
    """Return nanoseconds since 1970 of a zone-aware instant."""
    return ((when - EPOCH) // timedelta(microseconds=1)) * 1000


class Timeframe(StrEnum):
    """The length of one bar."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"


class AssetClass(StrEnum):
    """The kind of market, which decides the calendar and the costs assumed."""

    EQUITY = "equity"
    ETF = "etf"
    INDEX = "index"
    CRYPTO = "crypto"
    FX = "fx"
    FUTURE = "future"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Asset:
    """One instrument whose bars are stored."""

    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    exchange: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The span of one stored series: the starts of its first and its last bar."""

    timeframe: Timeframe
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Columns of one series, oldest first; the arrays handed in become read-only.

    `time` is int64 nanoseconds UTC of each bar's start; the prices and `volume` are float64 of the same length n.
    `adj_close` is the close adjusted by the source for splits and dividends, where the source gave one.
    """

    time: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    adj_close: Floats | None = None

    def __post_init__(self) -> None:
        for column in (self.time, *self.ohlcv, *(() if self.adj_close is None else (self.adj_close,))):
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.time)

    @property
    def ohlcv(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Open, high, low, close and volume, in this order."""
        return self.open, self.high, self.low, self.close, self.volume

    def __getitem__(self, span: slice) -> "Bars":
        open_, high, low, close, volume = (column[span] for column in self.ohlcv)
        adj_close = None if self.adj_close is None else self.adj_close[span]
        return Bars(self.time[span], open_, high, low, close, volume, adj_close)

    def adjusted(self) -> "Bars":
        """Multiply open, high, low and close by adj_close / close (contract T7); volume stays."""
        if self.adj_close is None:
            raise ValueError("these bars have no adj_close")
        factor = self.adj_close / self.close
        open_, high, low = (column * factor for column in (self.open, self.high, self.low))
        return Bars(self.time, open_, high, low, self.adj_close, self.volume)

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas frame indexed by UTC time, for authors who like pandas."""
        import pandas as pd  # noqa: PLC0415 - slow to import, and no run needs it

        index = pd.DatetimeIndex(self.time, tz="UTC", name="time")
        return pd.DataFrame(dict(zip(("open", "high", "low", "close", "volume"), self.ohlcv, strict=True)), index=index)


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What a strategy decides at each close from that bar and earlier ones.

    `entries` and `exits` are boolean arrays of the bars' length; `indicators` are the named float64 arrays they come
    from, NaN where undefined.
    """

    entries: Booleans
    exits: Booleans
    indicators: Mapping[str, Floats] = field(default_factory=dict)


class Input(BaseModel):
    """Base of what comes in: frozen, typed strictly, unknown fields refused, no NaN and no infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Rate = Annotated[float, Field(ge=0, lt=0.5)]


class Costs(Input):
    """Costs of every fill, entry and exit, as fractions of the notional (contract C1)."""

    commission: Rate
    slippage: Rate


COST_PRESETS: Mapping[str, Costs] = {
    "us_equity": Costs(commission=0.0001, slippage=0.0002),
    "crypto": Costs(commission=0.001, slippage=0.0005),
    "fx": Costs(commission=0.0, slippage=0.0001),
    "zero": Costs(commission=0.0, slippage=0.0),
}
CostPreset = Literal["us_equity", "crypto", "fx", "zero"]


def _kind_of_costs(given: object) -> str:
    return "preset" if isinstance(given, str) else "rates"


CostChoice = Annotated[
    Annotated[CostPreset, Tag("preset")] | Annotated[Costs, Tag("rates")], Discriminator(_kind_of_costs)
]

StrategyId = Annotated[str, Field(min_length=1, max_length=64, description="A strategy id from list_strategies")]
AssetSymbol = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[\x20-\x7e]+$", description="A stored symbol, e.g. IBM")
]
Day = Annotated[date, Field(strict=False, description="ISO day, inclusive, e.g. 2005-01-03")]
Capital = Annotated[
    float,
    Field(strict=True, gt=0, le=1e12, allow_inf_nan=False, description="Cash at the start, in the asset's currency"),
]
RiskFree = Annotated[float, Field(strict=True, gt=-1, lt=1, description="Risk-free return a year, as a fraction")]
Parameters = Annotated[
    dict[str, Any],
    Field(description="The strategy's own parameters, plus position_size in (0, 1] (default 1); {} takes the defaults"),
]


class BacktestRequest(Input):
    """All that is needed to repeat a run; None where the asset decides (see `BacktestEngine`)."""

    strategy_id: StrategyId
    asset_symbol: AssetSymbol
    start_date: Day
    end_date: Day
    initial_capital: Capital
    parameters: Parameters
    timeframe: Annotated[Timeframe, Field(strict=False)] = Timeframe.D1
    fill: Fill = "next_open"
    costs: CostChoice | None = None
    adjustment: Adjustment | None = None
    risk_free: RiskFree = 0.0
    seed: int = 0

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} is after end_date {self.end_date}: swap them")
        return self


class TradeStatus(StrEnum):
    """Whether a position has been left."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Trade:
    """One position from entry to exit; open trades have no exit and are valued at the last close."""

    number: int
    direction: str
    status: TradeStatus
    entry_date: datetime
    entry_price: float
    exit_date: datetime | None
    exit_price: float | None
    quantity: float
    fees: float
    pnl: float
    pnl_percent: float
    exit_reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """All trades of a run as columns of equal length, in order of entry.

    `entry_bar` and `exit_bar` count from the first bar of the period; an open trade's exit is the last close.
    `pnl` is after both sides' costs; `returns` is pnl / (entry price x quantity).
    """

    entry_bar: Integers
    exit_bar: Integers
    entry_time: Integers
    exit_time: Integers
    entry_price: Floats
    exit_price: Floats
    quantity: Floats
    fees: Floats
    pnl: Floats
    returns: Floats
    is_open: Booleans

    def __len__(self) -> int:
        return len(self.entry_bar)

    def __iter__(self) -> Iterator[Trade]:
        return (self[number] for number in range(len(self)))

    @property
    def fill_bars(self) -> Integers:
        """The bars of all fills, entries first."""
        return np.concatenate([self.entry_bar, self.exit_bar[~self.is_open]])

    def __getitem__(self, number: int) -> Trade:
        closed = not self.is_open[number]
        return Trade(
            number=number,
            direction="long",
            status=TradeStatus.CLOSED if closed else TradeStatus.OPEN,
            entry_date=instant(self.entry_time[number]),
            entry_price=float(self.entry_price[number]),
            exit_date=instant(self.exit_time[number]) if closed else None,
            exit_price=float(self.exit_price[number]) if closed else None,
            quantity=float(self.quantity[number]),
            fees=float(self.fees[number]),
            pnl=float(self.pnl[number]),
            pnl_percent=100.0 * float(self.returns[number]),
            exit_reason="signal" if closed else None,
        )


@dataclass(frozen=True, slots=True)
class StrategyDescription:
    """What is told of a registered strategy."""

    id: str
    name: str
    description: str
    strategy_type: str
    parameters_schema: Mapping[str, Any]
    default_parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What trading the signals would have done, bar by bar over the period's n bars.

    `equity`, `benchmark` and `units` are the strategy's equity, buy and hold's equity and the strategy's holding
    at each close, shape (n,). `traded` is the sum of fill price x quantity over all fills, in the asset's currency.
    `costless_return` is the total return of the same signals at zero costs.
    """

    equity: Floats
    benchmark: Floats
    units: Floats
    trades: Trades
    traded: float
    fees_paid: float
    slippage_paid: float
    costless_return: float
    clipped_orders: int
    unfilled_orders: int


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing the reader should know before believing the result: a code of the contract and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class EquityCurve:
    """Equity at each close of the period: int64 nanoseconds UTC and float64 money, shape (n,)."""

    time: Integers
    value: Floats


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said of a run without its trades and its curve.

    `metrics` holds every metric of `METRICS`; where one is None, `undefined` has the reason. `counters` and
    `provenance` are those of contract P4 and P1.
    """

    metrics: Mapping[str, MetricValue]
    undefined: Mapping[str, str]
    flags: tuple[Flag, ...]
    counters: Mapping[str, int]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """The whole outcome of one evaluated request."""

    summary: Summary
    trades: Trades
    equity: EquityCurve


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

    @staticmethod
    def new_id() -> str:
        """Return a fresh id: `bt-` and 12 hexadecimal digits."""
        return f"bt-{uuid4().hex[:12]}"
