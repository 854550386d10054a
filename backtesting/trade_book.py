"""The trades that fills make up: profit, return, and how far the price went for and against each."""

from dataclasses import dataclass

import numpy as np

from backtesting.decisions import Terms
from backtesting.types import Bars, Booleans, ExitReason, Floats, Integers, Trades

CODES = {reason: code for code, reason in enumerate(ExitReason)}


@dataclass(frozen=True, slots=True, eq=False)
class Fills:
    """Entry and exit of each trade, columns of equal length; bars count from the first of the period.

    `exit_market_price` is the exit's price before slippage, `exit_inside` tells exits by orders inside a bar. An open
    trade's exit is the last close, without costs.
    """

    entry_bar: Integers
    exit_bar: Integers
    entry_price: Floats
    exit_price: Floats
    exit_market_price: Floats
    quantity: Floats
    entry_fees: Floats
    exit_fees: Floats
    slippage: Floats
    borrow: Floats
    is_short: Booleans
    is_open: Booleans
    exit_reason: Integers
    exit_inside: Booleans


def trades_of(fills: Fills, bars: Bars, terms: Terms) -> Trades:
    """Return the trades that the fills make up; `bars` are those loaded, history included."""
    period = bars.span(terms.history, len(bars))
    fees = fills.entry_fees + fills.exit_fees
    gained = np.where(fills.is_short, -1.0, 1.0) * (fills.exit_price - fills.entry_price) * fills.quantity
    pnl = gained - fees - fills.borrow
    mae, mfe = excursions(fills, period, fills_at_close=terms.fill != "next_open")
    return Trades(
        entry_bar=fills.entry_bar,
        exit_bar=fills.exit_bar,
        entry_time=period.time[fills.entry_bar],
        exit_time=period.time[fills.exit_bar],
        entry_price=fills.entry_price,
        exit_price=fills.exit_price,
        quantity=fills.quantity,
        fees=fees,
        pnl=pnl,
        returns=pnl / (fills.entry_price * fills.quantity),
        is_open=fills.is_open,
        is_short=fills.is_short,
        exit_reason=fills.exit_reason,
        decision_time=bars.time[fills.entry_bar + (terms.history - terms.delay)],
        mae=mae,
        mfe=mfe,
        slippage=fills.slippage,
        borrow=fills.borrow,
    )


def excursions(fills: Fills, period: Bars, *, fills_at_close: bool) -> tuple[Floats, Floats]:
    """Return the worst (<= 0) and the best (>= 0) excursion of the price from each entry price, as fractions of it.

    Bars held as a whole count with their range, the entry's bar too unless it was entered at its close. Of the bar of
    an exit only what surely came before it counts: the price of the exit, and the open if the exit came inside the bar.
    """
    at_its_close = fills.is_open | (fills.exit_reason == CODES[ExitReason.END_OF_DATA])
    if fills_at_close:
        scheduled = (CODES[ExitReason.SIGNAL], CODES[ExitReason.MAX_HOLDING])
        at_its_close |= np.isin(fills.exit_reason, scheduled)
    first, behind = fills.entry_bar + int(fills_at_close), fills.exit_bar + at_its_close
    opened = np.where(
        fills.exit_inside & (fills.exit_bar >= first), period.open[fills.exit_bar], fills.exit_market_price
    )
    low = np.minimum(np.minimum(fills.exit_market_price, opened), _extreme(np.minimum, period.low, first, behind))
    high = np.maximum(np.maximum(fills.exit_market_price, opened), _extreme(np.maximum, period.high, first, behind))
    down, up = low / fills.entry_price - 1.0, high / fills.entry_price - 1.0
    mae, mfe = np.where(fills.is_short, -up, down), np.where(fills.is_short, -down, up)
    return np.minimum(mae, 0.0), np.maximum(mfe, 0.0)


def _extreme(pick: np.ufunc, prices: Floats, first: Integers, behind: Integers) -> Floats:
    """Return the extreme of prices[first:behind] for each pair; for an empty one, what changes no other extreme."""
    if not len(first):
        return np.empty(0)
    neutral = np.inf if pick is np.minimum else -np.inf
    bounds = np.empty(2 * len(first), np.int64)
    last = len(prices) - 1
    bounds[::2], bounds[1::2] = np.minimum(first, last), np.minimum(behind, last)
    extremes: Floats = pick.reduceat(prices, bounds)[::2]
    extremes = np.where(behind > last, pick(extremes, prices[last]), extremes)
    return np.where(behind > first, extremes, neutral)
