"""What the reader should know before believing a result: the contract's flags, each with its sentence."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np

from backtesting.calendars import trades_on_weekends
from backtesting.sessions import Gaps
from backtesting.types import (
    Asset,
    AssetClass,
    BacktestRequest,
    Bars,
    Booleans,
    Costs,
    Coverage,
    Flag,
    Integers,
    MetricValue,
    Trades,
    instant,
)

SPLIT_RATIOS = np.array([2.0, 3.0, 4.0, 5.0, 10.0, 20.0])
SPLIT_TOLERANCE = 0.03
FEW_TRADES, FEW_SESSIONS = 30, 60
TOO_GOOD: Mapping[str, float] = {"sharpe_ratio": 4.0, "profit_factor": 5.0, "cagr": 3.0}
LARGE_OPEN_SHARE = 0.25
NAMED_DAYS = 3
LATEST_BARS = 10_000  # enough to tell a market's days by
NAMED_WARNINGS = 3
LATEST_PERIODS = 4
SPLIT = "unadjusted_split_suspected"
TOLD_BY_OTHERS = (SPLIT, "gaps")  # gaps are counted in the period itself


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Everything a flag can be read from."""

    request: BacktestRequest
    asset: Asset
    series: Coverage
    gaps: Gaps | None
    costs: Costs
    costs_assumed: bool
    calendar_assumed: bool
    missing_history: int
    first_tradable: datetime
    bars: Bars
    trades: Trades
    held: Booleans
    bankrupt: datetime | None
    counters: Mapping[str, int | None]
    metrics: Mapping[str, MetricValue]
    sessions: int
    held_return: float
    carried: int = 0


def flags_of(found: Findings) -> tuple[Flag, ...]:
    """Return every flag that applies, the gravest kinds first."""
    return tuple(flag for rule in (_prices, _data, _assumptions, _evidence) for flag in rule(found))


@lru_cache(maxsize=LATEST_PERIODS)
def suspected_splits(bars: Bars) -> Integers:
    """Return the numbers of the bars that open near a split ratio of the close before (T7)."""
    ratio = bars.close[:-1] / bars.open[1:]
    least = SPLIT_RATIOS[0] * (1 - 2 * SPLIT_TOLERANCE)
    jumps = np.flatnonzero((ratio > least) | (ratio < 1 / least))
    size = np.maximum(ratio[jumps], 1 / ratio[jumps])
    near = np.abs(size[:, None] / SPLIT_RATIOS - 1) <= SPLIT_TOLERANCE
    found: Integers = jumps[near.any(axis=1)] + 1
    found.flags.writeable = False
    return found


@lru_cache(maxsize=LATEST_PERIODS)
def _has_weekends(bars: Bars) -> bool:
    return trades_on_weekends(bars.time[-LATEST_BARS:])


def _is_closed_on_weekends(asset: Asset) -> bool:
    return asset.asset_class not in (AssetClass.CRYPTO, AssetClass.UNKNOWN)


def _prices(found: Findings) -> Iterator[Flag]:
    if found.request.adjustment == "raw" and len(splits := suspected_splits(found.bars)):
        days = ", ".join(f"{instant(found.bars.time[bar]):%Y-%m-%d}" for bar in splits[:NAMED_DAYS])
        yield Flag(
            SPLIT,
            f"raw prices jump by a split ratio on {days}: profit and loss around it is not real",
        )
    elif split := next((each for each in found.series.warnings if each.code == SPLIT), None):
        yield Flag(SPLIT, f"{split.message}; profit and loss around it is not real")
    if found.request.fill == "same_close":
        yield Flag("optimistic_fill", "orders fill at the very close that decided them, which nobody can trade")
    if found.request.intrabar == "optimistic":
        yield Flag("optimistic_intrabar", "where a bar holds both stop and target, the target is taken to come first")
    elif ambiguous := found.counters["ambiguous_bars"]:
        yield Flag(
            "ambiguous_bars",
            f"{ambiguous} bars leave open what came first; with targets before stops the total return is "
            f"{found.metrics['total_return_optimistic']:.2%}",
        )
    if clipped := found.counters["clipped_orders"]:
        yield Flag("clipped_orders", f"{clipped} entries were cut to what the account could pay")
    if pending := found.counters["pending_signal"]:
        yield Flag("pending_signal", f"{pending} signals at the end have no bar left to fill in")
    if dropped := found.counters["unfilled_orders"]:
        yield Flag("unfilled_orders", f"{dropped} orders were too small to be sent")
    if idle := found.counters["zero_volume_fills"]:
        yield Flag("zero_volume_fills", f"{idle} fills fall on bars without volume")


def _data(found: Findings) -> Iterator[Flag]:
    if found.gaps and found.gaps.count:
        first, last = found.gaps.spans[0]
        yield Flag(
            "missing_bars",
            f"{found.gaps.count:,} bars that the calendar expects are missing, the first ones from "
            f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC: nothing is decided or filled there",
        )
    if found.carried:
        yield Flag(
            "benchmark_gaps",
            f"{found.request.benchmark} lacks {found.carried:,} of the bars of {found.asset.symbol}: "
            "its last close is carried on there",
        )
    if told := [each.message for each in found.series.warnings if each.code not in TOLD_BY_OTHERS]:
        more = f"; and {len(told) - NAMED_WARNINGS} more" if len(told) > NAMED_WARNINGS else ""
        yield Flag("data_quality", f"found when the bars were imported: {'; '.join(told[:NAMED_WARNINGS])}{more}")


def _assumptions(found: Findings) -> Iterator[Flag]:
    if found.costs.are_zero:
        yield Flag("zero_costs", "no commission and no slippage are charged: real trading costs money")
    elif found.costs_assumed:
        yield Flag("costs_assumed", f"the class of {found.asset.symbol} is unknown; costs of US equities are assumed")
    if found.request.costs == "fx":
        yield Flag("swaps_not_modelled", "overnight swap rates are not charged")
    if found.request.periods_per_year:
        yield Flag("periods_overridden", f"ratios count {found.request.periods_per_year:g} sessions a year, as asked")
    if _is_closed_on_weekends(found.asset) and _has_weekends(found.bars):
        yield Flag(
            "weekend_bars",
            f"{found.asset.symbol} has bars on weekends and is taken for {found.asset.asset_class}, which has none: "
            "sessions, ratios and costs are of the wrong market",
        )
    if found.calendar_assumed:
        yield Flag("calendar_assumed", f"the calendar of {found.asset.symbol} is inferred from the days of its bars")
    elif found.gaps is None or found.gaps.unchecked:
        yield Flag(
            "calendar_assumed", f"the sessions of {found.asset.symbol} are not known: missing bars are not counted"
        )
    if source := found.series.resampled_from:
        yield Flag(
            "resampled",
            f"no {found.series.timeframe} bars are stored; they are made of the {source} bars, session by session, and "
            "only where those are complete",
        )
    if found.missing_history > 0:
        yield Flag(
            "warmup_short",
            f"{found.missing_history} bars of warm-up before {found.request.start_date} are not stored; "
            f"the first possible fill is on {found.first_tradable:%Y-%m-%d}, for the benchmark too",
        )


def _evidence(found: Findings) -> Iterator[Flag]:
    metrics = found.metrics
    if found.bankrupt:
        yield Flag("bankrupt", f"the account was used up on {found.bankrupt:%Y-%m-%d}, and trading ended (H6)")
    if (closed := metrics["total_trades"] or 0) < FEW_TRADES:
        yield Flag("few_trades", f"{closed} closed trades say little; {FEW_TRADES} are a usual minimum")
    if found.sessions < FEW_SESSIONS:
        yield Flag("few_sessions", f"{found.sessions} sessions are too few for a ratio to mean much")
    for key, bound in TOO_GOOD.items():
        if (value := metrics[key]) is not None and value > bound:
            yield Flag("too_good", f"{key} {value:.2f} is above {bound:g}, which real trading seldom is")
    trades = found.trades
    open_profit = float(trades.pnl[trades.is_open].sum())
    if open_profit > LARGE_OPEN_SHARE * float(trades.pnl[trades.pnl > 0].sum()):
        yield Flag("open_profit", f"{open_profit:,.2f} of the profit is in a position still open at the end")
