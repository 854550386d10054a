"""Coarser bars from finer ones: never across sessions, and only those whose time is over."""

import numpy as np

from backtesting.errors import InvalidInputError, Problem
from backtesting.sessions import STEP, days_of, monday_of, session_of, week_of
from backtesting.types import NS_PER_DAY, Asset, Bars, Integers, Timeframe


def resample(bars: Bars, asset: Asset, source: Timeframe, target: Timeframe) -> Bars:
    """Return the bars of a coarser timeframe.

    Intraday bars are counted from the session's open, anew after a break and after the close. A day is labelled by its
    session's day at midnight UTC, a week by its Monday. The first and the last are left out unless the source covers
    them to their ends; a bar missing in between is no bar (T6), and what is there of its target bar is kept.
    """
    _require_coarser(source, target)
    if target is source or not len(bars):
        return bars
    labels = session_of(asset, source, bars.time)
    starts = _starts(bars.time, labels, asset, target)
    first = _changes(starts)
    begins, _ = _span(asset, source, target, int(starts[0]), int(labels[0]))
    _, ends = _span(asset, source, target, int(starts[-1]), int(labels[-1]))
    begun = bars.time[0] < begins + STEP[source]
    over = bars.time[-1] + STEP[source] >= ends
    return _merged(bars, first, starts[first])[int(not begun) : len(first) - int(not over)]


def _require_coarser(source: Timeframe, target: Timeframe) -> None:
    if STEP[target] < STEP[source]:
        known = ", ".join(each for each in STEP if STEP[each] >= STEP[source])
        text = f"{target} bars cannot be made of {source} bars; known timeframes of this series: {known}"
        raise InvalidInputError([Problem("timeframe", text)])


def _starts(time: Integers, labels: Integers, asset: Asset, target: Timeframe) -> Integers:
    """Return the stamp of the target bar that each source bar goes into."""
    if target is Timeframe.W1:
        return monday_of(labels)
    if target is Timeframe.D1:
        return labels
    first = _changes(labels)
    days = days_of(asset, labels[first])
    at = np.repeat(np.arange(len(first)), np.diff(first, append=len(labels)))
    anchor = days.open[at]
    for later in (days.break_end[at], days.close[at]):
        anchor = np.where(time >= later, later, anchor)
    return np.maximum(time - (time - anchor) % STEP[target], days.start[at])


def _span(asset: Asset, source: Timeframe, target: Timeframe, start: int, label: int) -> tuple[int, int]:
    """Return the first and the last instant that the source has to cover for this target bar."""
    first, last = week_of(asset, start) if target is Timeframe.W1 else (label, label)
    if source is Timeframe.D1:
        return first, last + NS_PER_DAY
    days = days_of(asset, np.array([first, last]))
    if target in (Timeframe.D1, Timeframe.W1):
        return int(days.open[0]), int(days.close[1])
    interrupted = (days.break_start[0], days.close[0], days.end[0], start + STEP[target])
    return start, int(min(each for each in interrupted if each > start))


def _changes(values: Integers) -> Integers:
    """Return where a new value begins."""
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))


def _merged(bars: Bars, first: Integers, time: Integers) -> Bars:
    last = np.append(first[1:], len(bars)) - 1
    high, low = np.maximum.reduceat(bars.high, first), np.minimum.reduceat(bars.low, first)
    adj_close = None if bars.adj_close is None else bars.adj_close[last]
    return Bars(time, bars.open[first], high, low, bars.close[last], np.add.reduceat(bars.volume, first), adj_close)
