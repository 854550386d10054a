"""What strategies decide, and what trading the decisions comes to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np

from backtesting.types.market import Booleans, Floats, Integers, instant


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What a strategy decides at each close from that bar and earlier ones.

    `entries` and `exits` are boolean arrays of the bars' length; `indicators` are the named float64 arrays they come
    from, NaN where undefined. `short_entries` and `short_exits` say the same of short positions, None where a strategy
    has no rule for them.
    """

    entries: Booleans
    exits: Booleans
    indicators: Mapping[str, Floats] = field(default_factory=dict)
    short_entries: Booleans | None = None
    short_exits: Booleans | None = None


class TradeStatus(StrEnum):
    """Whether a position has been left."""

    OPEN = "open"
    CLOSED = "closed"


class ExitReason(StrEnum):
    """Why a position was left (S9)."""

    SIGNAL = "signal"
    STOP = "stop"
    TRAILING = "trailing"
    TARGET = "target"
    MAX_HOLDING = "max_holding"
    REBALANCE = "rebalance"
    MARGIN_CALL = "margin_call"
    END_OF_DATA = "end_of_data"


EXIT_REASONS = tuple(ExitReason)


@dataclass(frozen=True, slots=True)
class Trade:
    """One position from entry to exit; open trades have no exit and are valued at the last close.

    `decision_date` is the bar whose close decided the entry. `mae` and `mfe` are the worst and the best excursion of
    the price from the entry price while in the trade, as fractions, <= 0 and >= 0. Trades stored by a version that did
    not know the last five have None there.
    """

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
    decision_date: datetime | None
    mae: float | None
    mfe: float | None
    slippage: float | None
    borrow: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """All trades of a run as columns of equal length, in order of entry.

    `entry_bar` and `exit_bar` count from the first bar of the period; an open trade's exit is the last close.
    `pnl` is after both sides' costs and the borrow; `returns` is pnl / (entry price x quantity). `is_short` tells the
    direction, `exit_reason` counts in `EXIT_REASONS`, -1 for an open trade. `slippage` and `borrow` are money.
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
    is_short: Booleans
    exit_reason: Integers
    decision_time: Integers
    mae: Floats
    mfe: Floats
    slippage: Floats
    borrow: Floats

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
            direction="short" if self.is_short[number] else "long",
            status=TradeStatus.CLOSED if closed else TradeStatus.OPEN,
            entry_date=instant(self.entry_time[number]),
            entry_price=float(self.entry_price[number]),
            exit_date=instant(self.exit_time[number]) if closed else None,
            exit_price=float(self.exit_price[number]) if closed else None,
            quantity=float(self.quantity[number]),
            fees=float(self.fees[number]),
            pnl=float(self.pnl[number]),
            pnl_percent=100.0 * float(self.returns[number]),
            exit_reason=EXIT_REASONS[self.exit_reason[number]].value if closed else None,
            decision_date=instant(self.decision_time[number]),
            mae=float(self.mae[number]),
            mfe=float(self.mfe[number]),
            slippage=float(self.slippage[number]),
            borrow=float(self.borrow[number]),
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
    at each close, shape (n,), shorts negative. `traded` is the sum of fill price x quantity over all fills, in the
    asset's currency. `costless_return` is the total return of the same signals at zero costs, `optimistic_return` that
    of ambiguous bars gone the better way (S6). `counters` are those of P4 that trading decides. `bankrupt_bar` is the
    bar whose close found nothing left (H6), `engine` what traded. Where `benchmark` is of another asset, `held` is buy
    and hold of this one.
    """

    equity: Floats
    benchmark: Floats
    units: Floats
    trades: Trades
    traded: float
    fees_paid: float
    slippage_paid: float
    borrow_paid: float
    costless_return: float
    optimistic_return: float
    counters: Mapping[str, int]
    engine: str
    bankrupt_bar: int | None = None
    held: Floats | None = None
