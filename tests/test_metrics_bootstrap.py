"""The confidence interval of the Sharpe ratio, against arch's stationary bootstrap and sums made one by one."""

from math import sqrt

import empyrical
import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap

from backtesting.metrics import measure
from backtesting.metrics.bootstrap import SAMPLES, Resampling, resampled_sharpe, resampling
from backtesting.types import Floats, Integers
from tests.fixtures.evidence import evidence_of
from tests.fixtures.series import sample_bars
from tests.test_metrics import SAMPLE_SYMBOLS, R, sample_returns


def sessions_of(blocks: Resampling, sessions: int) -> Integers:
    """Return the numbers of the sessions in each sample, a row a sample, block by block."""
    runs = [np.arange(start, end) for start, end in zip(blocks.start, blocks.end, strict=True)]
    return np.concatenate(runs).reshape(SAMPLES, sessions) % sessions


def interval(returns: Floats, **known: float) -> tuple[float, float]:
    values, _ = measure(evidence_of(returns, **known))
    low, high = values["sharpe_ci95_low"], values["sharpe_ci95_high"]
    assert low is not None and high is not None
    return low, high


@pytest.mark.parametrize("sessions", [2, 3, 10, 250, 1260])
def test_every_sample_is_as_long_as_the_period(sessions: int) -> None:
    blocks = resampling(sessions, 0)

    lengths = np.add.reduceat(blocks.end - blocks.start, blocks.first)
    assert lengths.tolist() == [sessions] * SAMPLES
    assert blocks.start.min() >= 0 and blocks.start.max() < sessions


def test_sharpe_ratios_of_samples_are_those_of_empyrical_on_the_same_sessions() -> None:
    blocks = resampling(len(R), 7)

    found = resampled_sharpe(R, 0.0, blocks) * sqrt(252)

    rows = R[sessions_of(blocks, len(R))]
    np.testing.assert_allclose(found, [empyrical.sharpe_ratio(row) for row in rows], rtol=1e-10)


def test_blocks_begin_as_often_as_in_the_stationary_bootstrap_and_anywhere() -> None:
    sessions = 1000
    steps = np.diff(sessions_of(resampling(sessions, 3), sessions), axis=1) % sessions

    # A session follows its predecessor unless a block begins (chance 1/10), and then by chance 1 of 1000 too.
    assert np.mean(steps != 1) == pytest.approx(0.1 * 0.999, rel=0.01)
    assert np.bincount(resampling(sessions, 3).start, minlength=sessions).std() < 1.2 * sqrt(100)


def test_consecutive_samples_are_drawn_independently() -> None:
    drawn = sessions_of(resampling(1000, 3), 1000)

    following = (drawn[1:, 0] - drawn[:-1, -1]) % 1000 == 1
    assert np.count_nonzero(following) < 10  # about 1 of 999 by chance; 900 if blocks ran on


@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_the_interval_of_a_real_curve_is_that_of_arch(symbol: str) -> None:
    r = sample_returns(symbol)[-1260:]
    oracle = StationaryBootstrap(1260 ** (1 / 3), r, seed=1)
    theirs = np.sort([empyrical.sharpe_ratio(args[0]) for args, _ in oracle.bootstrap(4000)])

    low, high = interval(r)

    # An estimated 2.5th percentile of 1,000 draws lies between the 1.2nd and the 4.2nd nearly always: 3.5 deviations
    # of sqrt(.025 x .975 / 1000) = .0049.
    below, above = (np.mean(theirs <= each) for each in (low, high))
    assert 0.008 < below < 0.042
    assert 0.958 < above < 0.992


def test_the_interval_widens_with_fewer_sessions_and_holds_the_sharpe_ratio() -> None:
    long = interval(np.tile(R, 4))
    short = interval(R)

    assert short[0] < 1.240473019153703 < short[1]
    assert long[1] - long[0] < short[1] - short[0]


def test_the_interval_is_over_the_risk_free_rate() -> None:
    plain, over = interval(R), interval(R, risk_free=0.02)

    # Contract 13.2: the Sharpe ratio itself falls from 1.2405 to 1.0773 too.
    assert over[0] == pytest.approx(plain[0] - 0.163, abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_another_a_near_one() -> None:
    assert interval(R, seed=1) == interval(R, seed=1)
    assert interval(R, seed=1) != interval(R, seed=2)
    assert interval(R, seed=1) == pytest.approx(interval(R, seed=2), abs=0.5)


def test_a_strategy_too_seldom_in_the_market_to_resample_has_no_interval() -> None:
    once = np.zeros(500)
    once[100:103] = [0.01, -0.02, 0.03]

    _, reasons = measure(evidence_of(once))

    assert reasons["sharpe_ci95_low"] == reasons["sharpe_ci95_high"] == "zero_variance"


def test_the_interval_of_real_prices_is_finite() -> None:
    close = sample_bars("ibm").close

    assert np.isfinite(interval(close[1:] / close[:-1] - 1)).all()
