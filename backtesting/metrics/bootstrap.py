"""How far a Sharpe ratio could be off: the stationary bootstrap of Politis and Romano (1994), all samples at once."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from backtesting.metrics.undefined import ROUNDING
from backtesting.types import Floats, Integers

SAMPLES = 1000
SAMPLES_AT_ONCE = 250  # their blocks fit into a processor's cache
SPARE_DEVIATIONS = 8  # blocks are drawn for the expected number and this many standard deviations more


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """The blocks of consecutive sessions that make up `SAMPLES` samples.

    `start` and `end` bound each block; the end is exclusive, and beyond the number of sessions where a block runs on at
    the first one. `first` numbers the first block of each sample.
    """

    start: Integers
    end: Integers
    first: Integers


@lru_cache(maxsize=4)
def resampling(sessions: int, seed: int) -> Resampling:
    """Draw samples as long as the period, two sessions or more, in blocks of geometric length with mean n^(1/3).

    As such blocks have no memory, one stream of them is cut into the samples, and each cut begins a block.
    """
    random = np.random.default_rng(seed)
    begins = sessions ** (-1 / 3)
    total = SAMPLES * sessions
    expected = total * begins
    count = int(expected + SPARE_DEVIATIONS * expected**0.5)
    scale = np.float32(-1.0 / np.log1p(-begins))
    # 32 bits count the sessions of 5,000 years, in half the time of 64
    lengths = (random.standard_exponential(count, dtype=np.float32) * scale).astype(np.int32) + 1
    ends = np.cumsum(lengths, dtype=np.int32)
    ends = ends[: np.searchsorted(ends, total)]
    cuts = np.arange(SAMPLES + 1, dtype=np.int32) * np.int32(sessions)
    before = np.searchsorted(ends, cuts)
    bounds = np.insert(ends, before, cuts)
    start = random.integers(sessions, size=len(bounds) - 1, dtype=np.int32).astype(np.int64)
    return Resampling(start, start + np.diff(bounds), before[:-1] + np.arange(SAMPLES))


def resampled_sharpe(returns: Floats, risk_free: float, blocks: Resampling) -> Floats:
    """Return the Sharpe ratio per session of each sample, NaN where a sample does not vary."""
    excess = returns - risk_free
    sums, squares = _sums(excess, blocks)
    mean = sums / len(returns)
    variance = (squares - sums * mean) / (len(returns) - 1)
    varies = variance > ROUNDING * float((excess * excess).max())
    sharpe: Floats = np.full(SAMPLES, np.nan)
    return np.divide(mean, np.sqrt(variance, where=varies, out=np.ones(SAMPLES)), out=sharpe, where=varies)


def _sums(values: Floats, blocks: Resampling) -> tuple[Floats, Floats]:
    """Add up each sample and its squares, a block being the difference of two running sums.

    A complex number carries both sums at once.
    """
    running = np.zeros(2 * len(values) + 1, np.complex128)
    twice = running[1:].reshape(2, -1)
    twice.real, twice.imag = values, values * values
    np.cumsum(running, out=running)
    sums, bounds = np.empty(SAMPLES, np.complex128), np.append(blocks.first, len(blocks.start))
    for first in range(0, SAMPLES, SAMPLES_AT_ONCE):
        samples = slice(first, first + SAMPLES_AT_ONCE)
        part = slice(bounds[first], bounds[first + SAMPLES_AT_ONCE])
        block = running.take(blocks.end[part], mode="wrap")  # all in range; the fastest of the modes
        block -= running.take(blocks.start[part], mode="wrap")
        np.add.reduceat(block, blocks.first[samples] - part.start, out=sums[samples])
    return sums.real, sums.imag
