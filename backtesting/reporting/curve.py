"""A long curve in few points that still look like it."""

import numpy as np
from tsdownsample import LTTBDownsampler, MinMaxDownsampler

from backtesting.types import EquityCurve


def downsample(curve: EquityCurve, points: int) -> EquityCurve:
    """Return at most `points` points, three or more, of the curve, the first and the last among them.

    Steinarsson 2013, largest triangle three buckets: every point returned is one of the curve's own.
    """
    if len(curve.time) <= points:
        return curve
    kept = LTTBDownsampler().downsample(curve.value, n_out=points)
    return EquityCurve(curve.time[kept], curve.value[kept])


def extremes(curve: EquityCurve, points: int) -> EquityCurve:
    """Return at most `points` points, an even number, plus both ends: the least and the greatest of each stretch."""
    if len(curve.time) <= points:
        return curve
    inner = MinMaxDownsampler().downsample(curve.value, n_out=points)
    kept = np.unique(np.concatenate([[0], inner.astype(np.int64), [len(curve.time) - 1]]))
    return EquityCurve(curve.time[kept], curve.value[kept])
