"""Cadence: the timeframe that stamps show, and whether it is the one stated."""

import numpy as np

from backtesting.data_quality.ledger import Kind, Ledger
from backtesting.sessions import STEP
from backtesting.types import NS_PER_DAY, Integers, Severity, Timeframe

DAYLIGHT_SAVING = NS_PER_DAY // 24
LONG_WEEKEND, DAYS_A_WEEK = 4, 7
STEPS_LOOKED_AT = 100_000
KNOWN = ", ".join(Timeframe)
UNKNOWN_TIMEFRAME = Kind(
    "unknown_timeframe", Severity.ERROR, f"bars {{named}} apart are of no known timeframe; known: {KNOWN}"
)
TOO_FEW = Kind("unknown_timeframe", Severity.ERROR, f"one row shows no timeframe: state it, one of {KNOWN}")
CONTRADICTED = Kind("timeframe_contradicted", Severity.ERROR, "{named}: state the timeframe the stamps show, or none")


def settle(time: Integers, stated: Timeframe | None, ledger: Ledger) -> Timeframe | None:
    """Return the timeframe of sorted stamps, the stated one where they leave it open."""
    usual = usual_step(time)
    shown = None if usual is None else _named(usual)
    if shown is not None and stated not in (None, shown):
        ledger.add(CONTRADICTED, 1, named=[f"the stamps are those of {shown} bars, not of {stated}"])
    elif shown is None and usual is not None and stated is not None and usual % STEP[stated]:
        ledger.add(CONTRADICTED, 1, named=[f"the stamps are {_spoken(usual)} apart, which is not {stated}"])
    elif shown is None and stated is None:
        kind, named = (TOO_FEW, []) if usual is None else (UNKNOWN_TIMEFRAME, [_spoken(usual)])
        ledger.add(kind, 1, named=named)
    return shown or stated


def usual_step(time: Integers) -> int | None:
    """Return the most frequent distance of neighbours, the shortest of equally frequent ones."""
    steps = np.diff(time[: STEPS_LOOKED_AT + 1])
    steps = steps[steps > 0]
    if not len(steps):
        return None
    lengths, counts = np.unique(steps, return_counts=True)
    return int(lengths[np.argmax(counts)])


def _named(step: int) -> Timeframe | None:
    """Return the timeframe of this step; days may be an hour off, and a few days' rows may span a weekend."""
    days = round(step / NS_PER_DAY)
    if days and abs(step - days * NS_PER_DAY) <= DAYLIGHT_SAVING:
        return Timeframe.D1 if days <= LONG_WEEKEND else Timeframe.W1 if days == DAYS_A_WEEK else None
    return next((timeframe for timeframe, length in STEP.items() if length == step), None)


def _spoken(step: int) -> str:
    minutes = step / STEP[Timeframe.M1]
    hours, days = minutes / 60, step / NS_PER_DAY
    return f"{days:g} days" if days >= 1 else f"{hours:g} hours" if hours >= 1 else f"{minutes:g} minutes"
