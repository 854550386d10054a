"""A long curve in few points that still look like it."""

from tsdownsample import LTTBDownsampler

from backtesting.types import EquityCurve


def downsample(curve: EquityCurve, points: int) -> EquityCurve:
    """Return at most `points` points, three or more, of the curve, the first and the last among them.

    Steinarsson 2013, largest triangle three buckets: every point returned is one of the curve's own.
    """
    if len(curve.time) <= points:
        return curve
    kept = LTTBDownsampler().downsample(curve.value, n_out=points)
    return EquityCurve(curve.time[kept], curve.value[kept])
