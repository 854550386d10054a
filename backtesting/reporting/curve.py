"""Curves: a long one in few points that still look like it, under water, and beside a picture's width."""

import numpy as np
from tsdownsample import LTTBDownsampler, MinMaxDownsampler

from backtesting.types import EquityCurve

ROUNDING = 1e-12


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


def under_water(curve: EquityCurve, capital: float) -> EquityCurve:
    """Return equity / its running maximum - 1, the initial capital counting as its first maximum."""
    depth = curve.value / np.maximum(np.maximum.accumulate(curve.value), capital) - 1.0
    depth[depth > -ROUNDING] = 0.0
    return EquityCurve(curve.time, depth)
