"""The kernel's sums against NumPy's own, bit for bit."""

import numpy as np
import pytest

from backtesting.sweep_kernel import rooms
from backtesting.sweep_kernel.sums import summed

STACK = rooms(2, 2).stack


@pytest.mark.parametrize("count", [*range(300), 1000, 1259, 4097, 99_999, 1_000_001])
def test_a_sum_has_the_bits_of_numpys(count: int) -> None:
    values = np.random.default_rng(count).normal(0, 1, count) * 10 ** np.random.default_rng(1).uniform(-8, 8, count)

    assert summed(values, 0, count, STACK) == np.add.reduce(values)


def test_a_sum_may_begin_behind_the_first_value() -> None:
    values = np.random.default_rng(0).normal(0, 1, 1000)

    assert summed(values, 3, 990, STACK) == np.add.reduce(values[3:993].copy())
