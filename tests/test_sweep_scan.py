"""The compiled search for signals, from every bar to every stop, against the definitions written in NumPy."""

import numpy as np
import pytest

from backtesting.sweep_kernel.scan import STRIDE, first_defined, next_signal
from backtesting.types import Booleans, Floats

CROSSES = True
LENGTHS = (1, 2, STRIDE - 1, STRIDE, STRIDE + 1, 3 * STRIDE + 5)


def lines(seed: int, n: int) -> tuple[Floats, Floats]:
    """Return two lines that seldom change places, often touch, and are undefined at first and now and then."""
    random = np.random.default_rng(seed)
    apart = np.repeat(random.integers(-1, 2, n), random.integers(1, 4 if seed % 2 else 40, n))[:n].astype(float)
    apart[: random.integers(0, 4)] = np.nan
    apart[random.random(n) < random.choice([0.0, 0.05])] = np.nan
    below = random.integers(1, 100, n).astype(float)
    return below + apart, below


def is_above(above: Floats, below: Floats) -> Booleans:
    with np.errstate(invalid="ignore"):
        return above > below


def crossings(above: Floats, below: Floats) -> Booleans:
    """Tell where one line is above the other after it was below it when they last differed; a NaN forgets that (T9).

    The place of the last difference is carried forward by a running maximum.
    """
    side = np.sign(above - below)
    places = np.maximum.accumulate(np.where(side != 0, np.arange(len(side)), 0))
    last = side[places[:-1]]
    return np.concatenate([[False], (side[1:] > 0) & (last < 0)])


def first(found: Booleans, bar: int, stop: int) -> int:
    return next((int(at) for at in np.flatnonzero(found) if bar <= at < stop), stop)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("crosses", [True, False], ids=["crossing", "above"])
def test_the_next_signal_is_the_first_one_from_every_bar_to_every_stop(n: int, *, crosses: bool) -> None:
    for seed in range(8):
        above, below = lines(seed, n)
        found = crossings(above, below) if crosses else is_above(above, below)

        for stop in {0, 1, n // 2, n - 1, n}:
            for bar in range(stop + 1):
                assert next_signal(above, below, crosses, bar, stop) == first(found, bar, stop)


def test_enough_signals_are_looked_for() -> None:
    counted = [crossings(*lines(seed, LENGTHS[-1])).sum() for seed in range(8)]

    assert sum(counted) > 20 and min(counted) < 10


def test_a_touch_is_no_crossing_and_does_not_hide_one() -> None:
    below = np.full(6, 5.0)
    through, back = np.array([4.0, 5, 5, 6, 5, 6]), np.array([6.0, 5, 5, 6, 5, 6])

    assert next_signal(through, below, CROSSES, 0, 6) == 3
    assert next_signal(through, below, CROSSES, 4, 6) == 6  # from a touch after above
    assert next_signal(back, below, CROSSES, 0, 6) == 6


@pytest.mark.parametrize("at", [STRIDE - 1, STRIDE, STRIDE + 1, 2 * STRIDE, 5 * STRIDE - 1])
def test_a_signal_at_the_edge_of_a_stride_is_found(at: int) -> None:
    above, below = np.zeros(5 * STRIDE), np.ones(5 * STRIDE)
    above[at] = 2.0

    for crosses in (True, False):
        assert next_signal(above, below, crosses, 0, len(above)) == at
        assert next_signal(above, below, crosses, at, len(above)) == at
        assert next_signal(above, below, crosses, at + 1, len(above)) == len(above)


def test_the_first_defined_bar_has_all_the_lines_a_set_compares_and_no_others() -> None:
    table = np.zeros((3, 6))
    table[0, :2], table[1, [0, 3]], table[2, :] = np.nan, np.inf, np.nan

    assert first_defined(table, np.array([0, 1, 1, 0]), 0, 6) == 2
    assert first_defined(table, np.array([0, 1, 1, 0]), 3, 6) == 4
    assert first_defined(table, np.array([0, 2, 2, 0]), 0, 6) == 6
    assert first_defined(table, np.array([1, 1, 1, 1]), 3, 4) == 4
