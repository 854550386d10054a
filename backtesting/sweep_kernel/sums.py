"""Sums with NumPy's bits: `np.add.reduce` adds by halves down to blocks of 128, each in eight running sums.

That is its pairwise summation (numpy/_core/src/umath/loops_utils.h.src), which bounds the rounding error (Higham 1993).
"""

from backtesting.sweep_kernel.layout import Stack, compiled
from backtesting.types import Floats

BLOCK, RUNNING, BOTH = 128, 8, 0


@compiled
def few(values: Floats, first: int, count: int) -> float:
    """Return the sum of fewer than eight values, one after the other."""
    total = 0.0
    for at in range(first, first + count):
        total += values[at]
    return total


@compiled
def block(values: Floats, first: int, count: int) -> float:
    """Return the sum of eight to 128 values in eight running sums, what is left over after them."""
    a, b, c, d = values[first], values[first + 1], values[first + 2], values[first + 3]
    e, f, g, h = values[first + 4], values[first + 5], values[first + 6], values[first + 7]
    whole = count - count % RUNNING
    for at in range(first + RUNNING, first + whole, RUNNING):
        a += values[at]
        b += values[at + 1]
        c += values[at + 2]
        d += values[at + 3]
        e += values[at + 4]
        f += values[at + 5]
        g += values[at + 6]
        h += values[at + 7]
    total: float = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for at in range(first + whole, first + count):
        total += values[at]
    return total


@compiled
def summed(values: Floats, first: int, count: int, stack: Stack) -> float:
    """Return the sum of `count` values from `first` on, equal to `np.add.reduce` of them bit for bit.

    A stack in place of recursion: machine code that calls itself crashes when numba loads it from its cache.
    """
    if count == 0:
        return 0.0
    counts, sums = stack.counts, stack.sums
    counts[0], waiting, known = count, 1, 0
    while waiting > 0:
        waiting -= 1
        size = counts[waiting]
        if size == BOTH:
            known -= 1
            sums[known - 1] += sums[known]
        elif size <= BLOCK:
            sums[known] = block(values, first, size) if size >= RUNNING else few(values, first, size)
            first += size
            known += 1
        else:
            half = size // 2 - size // 2 % RUNNING
            counts[waiting], counts[waiting + 1], counts[waiting + 2] = BOTH, size - half, half
            waiting += 3
    total: float = sums[0]
    return total
