"""Whether there is an edge at all: beyond the market, the costs, a few lucky trades and chance."""

import numpy as np

from backtesting.diagnostics.case import Case
from backtesting.types import Diagnostic, Weight, instant, nanoseconds

LARGE_SHARE = 0.8
FEW_OF_TRADES, FEWEST_TRADES = 10, 5  # a tenth of the trades is few; of less than five, any one is much
LONG_IDLE_SHARE = 0.5


def never_traded(case: Case) -> Diagnostic | None:
    """No order was filled."""
    if len(case.found.trades):
        return None
    return Diagnostic(
        "never_traded",
        Weight.FATAL,
        "no order was ever filled",
        "take a longer period, or parameters that signal in it",
    )


def only_time_in_the_market(case: Case) -> Diagnostic | None:
    """Holding the asset as much of the time would have made as much."""
    values = case.values("total_return", "exposure_matched_return")
    if values is None or not case.found.held.any():
        return None
    made, matched = values
    held = case.found.held_return
    if made > matched or made == held:
        return None
    return Diagnostic(
        "only_time_in_the_market",
        Weight.SERIOUS,
        f"buy and hold with the same time in the market made {matched:.2%}, this {made:.2%}: "
        f"no edge beyond being invested while the asset {_moved(held)}",
        "test it on other symbols and periods, falling ones among them",
    )


def benchmark_not_beaten(case: Case) -> Diagnostic | None:
    """Buy and hold made more, though not in the same time in the market."""
    values = case.values("total_return", "benchmark_return", "exposure_matched_return")
    if values is None or not values[2] < values[0] < values[1]:
        return None
    sharpe = case.values("sharpe_ratio", "benchmark_sharpe")
    weight, advice = Weight.SERIOUS, "its Sharpe ratio is no higher either: look for another rule"
    if sharpe is not None and sharpe[0] > sharpe[1]:
        weight, advice = Weight.MINOR, "compare the risk too: its Sharpe ratio is the higher one"
    of = f" of {case.found.request.benchmark}" if case.found.request.benchmark else ""
    issue = f"buy and hold{of} made {values[1]:.2%} at the same costs, this {values[0]:.2%}"
    return Diagnostic("benchmark_not_beaten", weight, issue, advice)


def costs_decide(case: Case) -> Diagnostic | None:
    """The costs, or twice the costs, eat the whole gain."""
    values = case.values("total_return", "cost_drag")
    if values is None or (costless := values[0] - values[1]) <= 0:
        return None
    made = values[0]
    doubled = (1.0 + made) ** 2 / (1.0 + costless) - 1.0  # every fill keeps its share of equity once more
    if doubled > 0:
        return None
    other = f"at twice the costs about {doubled:.2%}" if made > 0 else f"without costs {costless:.2%}"
    advice = "trade less often, or make sure of the costs"
    return Diagnostic("costs_decide", Weight.SERIOUS, f"it made {made:.2%}, {other}", advice)


def uncertain_sharpe(case: Case) -> Diagnostic | None:
    """A Sharpe ratio above 0 that may be chance."""
    values = case.values("sharpe_ratio", "sharpe_ci95_low", "sharpe_ci95_high")
    if values is None or not values[1] <= 0 < values[0]:
        return None
    sharpe, low, high = values
    sessions, needed = case.found.sessions, case.found.metrics["min_track_record"] or 0
    advice = "test a longer period"
    if needed > sessions:
        advice = f"a ratio of this size takes {needed:,.0f} sessions to be told from 0, and there are {sessions:,}"
    return Diagnostic(
        "uncertain_sharpe",
        Weight.SERIOUS,
        f"the Sharpe ratio of {sharpe:.2f} lies between {low:.2f} and {high:.2f} with 95% confidence, so it may be 0",
        advice,
    )


def concentrated_profit(case: Case) -> Diagnostic | None:
    """A few trades hold most of the profit."""
    pnl = np.sort(case.found.trades.pnl)[::-1]
    total = float(pnl.sum())
    if total <= 0 or len(pnl) < FEWEST_TRADES:
        return None
    held = np.cumsum(pnl)
    best = int(np.argmax(held > LARGE_SHARE * total)) + 1
    if best > max(1, len(pnl) // FEW_OF_TRADES):
        return None
    which = f"best {best}" if best > 1 else "best"
    return Diagnostic(
        "concentrated_profit",
        Weight.SERIOUS,
        f"the {which} of {len(pnl)} trades made {held[best - 1]:,.2f} of the profit of {total:,.2f}: "
        f"without, {total - held[best - 1]:,.2f} are left",
        "see whether the rule earns on other symbols and periods too",
    )


def long_idle(case: Case) -> Diagnostic | None:
    """Nothing was held for most of the period in one go."""
    found = case.found
    first = int(np.searchsorted(found.bars.time, nanoseconds(found.first_tradable)))
    held = found.held[first:]
    turns = np.flatnonzero(held[1:] != held[:-1]) + 1
    idle = np.concatenate([[0], turns, [len(held)]])[int(held[0]) :]  # begin and end of each spell, in turns
    lasting = np.diff(idle)[::2]
    if not len(turns) or lasting.max() <= LONG_IDLE_SHARE * len(held):
        return None
    longest = 2 * int(lasting.argmax())
    left, entered = (instant(found.bars.time[first + each]) for each in (idle[longest], idle[longest + 1] - 1))
    return Diagnostic(
        "long_idle",
        Weight.MINOR,
        f"it held nothing from {left:%Y-%m-%d} to {entered:%Y-%m-%d}, more than half of the period",
        "judge it by the part of the period it trades in",
    )


def _moved(change: float) -> str:
    return f"{'rose' if change > 0 else 'fell'} {abs(change):.2%}"
