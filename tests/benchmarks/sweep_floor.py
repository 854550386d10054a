"""The least a sweep can cost: moving averages and eight statistics of each set in one hand-written pass.

It follows no contract: no seeds, no exact sums, no reasons, one strategy. Nothing of it is ours to ship.
"""

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def averages(close: Any, windows: Any) -> Any:
    """Return the running mean of each window, (windows, n), NaN before it is full."""
    lines = np.full((len(windows), len(close)), np.nan)
    for number, window in enumerate(windows):
        total = 0.0
        for bar in range(len(close)):
            total += close[bar]
            if bar >= window:
                total -= close[bar - window]
            if bar >= window - 1:
                lines[number, bar] = total / window
    return lines


@njit(nogil=True, cache=True, error_model="numpy")
def crossovers(open_: Any, close: Any, lines: Any, pairs: Any, rates: Any, ends: Any) -> Any:  # noqa: PLR0913, PLR0917 - one pass is the point
    """Return eight statistics (sets, 8) of crossovers of pairs of lines, decided at closes, filled at next opens.

    Final equity, deepest drawdown, mean, variance of returns between the bars that `ends` marks, closed trades,
    winners, profit factor, bars held.
    """
    fees, slippage = rates
    found = np.empty((len(pairs), 8))
    for number in range(len(pairs)):
        fast, slow = lines[pairs[number, 0]], lines[pairs[number, 1]]
        cash, units, paid, peak, deepest, before = 1e5, 0.0, 0.0, 1e5, 1.0, 1e5
        mean = squares = won = lost = 0.0
        sessions = trades = winners = held = due = 0
        was = 0.0
        for bar in range(len(close)):
            if due > 0 and units == 0.0:
                paid = cash
                units, cash = cash / (open_[bar] * (1 + slippage) * (1 + fees)), 0.0
            elif due < 0 and units > 0.0:
                cash, units = units * open_[bar] * (1 - slippage) * (1 - fees), 0.0
                trades += 1
                if cash > paid:
                    winners += 1
                    won += cash - paid
                else:
                    lost += paid - cash
            due = 0
            now = fast[bar] - slow[bar]
            if now > 0 and was < 0:
                due = 1
            elif now < 0 and was > 0:
                due = -1
            was = now
            equity = cash + units * close[bar]
            held += units > 0.0
            peak = max(peak, equity)
            deepest = min(deepest, equity / peak)
            if ends[bar]:
                change = equity / before - 1.0
                before = equity
                sessions += 1
                mean += change
                squares += change * change
        average = mean / sessions
        row = found[number]
        row[0], row[1], row[2], row[3] = before, deepest - 1, average, squares / sessions - average**2
        row[4], row[5], row[6], row[7] = trades, winners, won / lost, held
    return found
