"""What can be read from an equity curve alone: sessions, returns from level to level, spells under water."""

import numpy as np

from backtesting.metrics.undefined import ROUNDING
from backtesting.types import Booleans, Floats, Integers


def session_ends(session: Integers) -> Integers:
    """Return the last bar of each session; `session` labels each bar by its session."""
    return np.append(np.flatnonzero(session[1:] != session[:-1]), len(session) - 1)


def session_levels(ends: Integers, equity: Floats, base: float | None) -> Floats:
    """Return the base, then equity at the end of each session; without a base the first bar is the base (A4)."""
    if base is None:
        return np.concatenate([equity[:1], equity[ends[ends > 0]]])
    return np.concatenate([[base], equity[ends]])


def returns_between(levels: Floats) -> Floats:
    """Return the change from each level to the next as a fraction; 0 where nothing is left to lose."""
    before, after = levels[:-1], levels[1:]
    growth: Floats
    if np.minimum.reduce(levels) > 0:
        growth = after / before
    else:
        growth = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    growth -= 1.0
    return growth


def drawdown_of(levels: Floats) -> Floats:
    """Return levels / their running maximum - 1; a rounding error below the maximum is not under water."""
    drawdown: Floats = np.maximum.accumulate(levels)
    np.divide(levels, drawdown, out=drawdown)
    drawdown -= 1.0
    np.copyto(drawdown, 0.0, where=drawdown > -ROUNDING)
    return drawdown


def deepest_drawdown_of(levels: Floats) -> float:
    """Return the lowest value of `drawdown_of`, in fewer passes."""
    share: Floats = np.maximum.accumulate(levels)
    depth = float(np.minimum.reduce(np.divide(levels, share, out=share))) - 1.0
    return 0.0 if depth > -ROUNDING else depth


def spells(under_water: Booleans) -> tuple[Integers, Integers]:
    """Return, for each spell under water, the last point before it and the first after it.

    The spell that has not ended has the number of points, which is that of none, for its end.
    """
    begins = np.flatnonzero(under_water[1:] & ~under_water[:-1])
    ends = np.flatnonzero(under_water[:-1] & ~under_water[1:]) + 1
    return begins, np.append(ends, len(under_water)) if len(ends) < len(begins) else ends
