"""Indicators that need high and low, and channels, against TA-Lib and talipp."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.indicators import (
    adx,
    atr,
    bollinger,
    donchian,
    keltner,
    rate_of_change,
    stochastic,
    supertrend,
    true_range,
)
from backtesting.types import Floats
from tests.fixtures.series import SAMPLE_SYMBOLS, p_close, sample_bars

Prices = tuple[Floats, Floats, Floats]
Indicator = Callable[[Floats, Floats, Floats], tuple[Floats, ...]]


def directional(high: Floats, low: Floats, close: Floats, period: int) -> tuple[Floats, ...]:
    return tuple(line(high, low, close, period) for line in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI))


def previous_extremes(high: Floats, low: Floats, period: int) -> tuple[Floats, ...]:
    upper, lower = talib.MAX(high, period), talib.MIN(low, period)
    upper, lower = (np.concatenate([[np.nan], line[:-1]]) for line in (upper, lower))
    return upper, (upper + lower) / 2, lower


def around(middle: Floats, width: Floats) -> tuple[Floats, ...]:
    return middle + width, middle, middle - width


PAIRS: dict[str, tuple[Indicator, Indicator]] = {
    "true range": (lambda *b: (true_range(*b),), lambda *b: (talib.TRANGE(*b),)),
    "atr1": (lambda *b: (atr(*b, 1),), lambda *b: (talib.ATR(*b, 1),)),
    "atr14": (lambda *b: (atr(*b, 14),), lambda *b: (talib.ATR(*b, 14),)),
    "bollinger20": (lambda *b: bollinger(b[2], 20, 2), lambda *b: talib.BBANDS(b[2], 20, 2, 2)),
    "bollinger7": (lambda *b: bollinger(b[2], 7, 1.5), lambda *b: talib.BBANDS(b[2], 7, 1.5, 1.5)),
    "donchian20": (lambda *b: donchian(*b[:2], 20), lambda *b: previous_extremes(*b[:2], 20)),
    "donchian7": (lambda *b: donchian(*b[:2], 7), lambda *b: previous_extremes(*b[:2], 7)),
    "keltner": (lambda *b: keltner(*b, 20, 10, 2), lambda *b: around(talib.EMA(b[2], 20), 2 * talib.ATR(*b, 10))),
    "rate of change": (lambda *b: (rate_of_change(b[2], 9),), lambda *b: (talib.ROCP(b[2], 9),)),
    "stochastic14-3-3": (lambda *b: stochastic(*b, 14, 3, 3), lambda *b: talib.STOCH(*b, 14, 3, 0, 3, 0)),
    "stochastic5-1-4": (lambda *b: stochastic(*b, 5, 1, 4), lambda *b: talib.STOCH(*b, 5, 1, 0, 4, 0)),
    "adx14": (lambda *b: adx(*b, 14), lambda *b: directional(*b, 14)),
    "adx2": (lambda *b: adx(*b, 2), lambda *b: directional(*b, 2)),
}
OURS: dict[str, Indicator] = {name: ours for name, (ours, _) in PAIRS.items()} | {
    "supertrend": lambda *b: supertrend(*b, 10, 3.0)
}
pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
each_of_ours = pytest.mark.parametrize("indicator", OURS.values(), ids=OURS)
steady = settings(deadline=None, derandomize=True, max_examples=60)


@st.composite
def any_prices(draw: Any) -> Prices:
    """Up to a hundred bars in whole cents, none without height."""
    close = np.array(draw(st.lists(st.integers(1000, 100_000), min_size=2, max_size=100)), dtype=np.float64)
    reach = [draw(st.lists(st.integers(1, 500), min_size=len(close), max_size=len(close))) for _ in range(2)]
    return (close + reach[0]) / 100, (close - reach[1]) / 100, close / 100


def p_prices() -> Prices:
    """Return high, low and close of series P as contract 13.1 gives them for the ATR."""
    close, i = p_close(), np.arange(len(p_close()))
    return close + 1 + 0.5 * np.sin(i), close - 1 - 0.5 * np.cos(i), close


def sample_prices(symbol: str) -> Prices:
    bars = sample_bars(symbol).adjusted()
    return bars.high, bars.low, bars.close


def assert_same(ours: tuple[Floats, ...], theirs: tuple[Floats, ...], scale: float) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-10 * scale)


@pair
def test_t8_indicators_equal_talib_on_series_p(ours: Indicator, theirs: Indicator) -> None:
    assert_same(ours(*p_prices()), theirs(*p_prices()), 1.0)


@pair
@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_t8_indicators_equal_talib_on_real_bars(symbol: str, ours: Indicator, theirs: Indicator) -> None:
    assert_same(ours(*sample_prices(symbol)), theirs(*sample_prices(symbol)), 1.0)


@pytest.mark.parametrize("name", [name for name in PAIRS if "bollinger" not in name])
@steady
@given(prices=any_prices())
def test_t8_indicators_equal_talib_on_any_prices_but_for_its_zeros_before_the_first_move(
    name: str, prices: Prices
) -> None:
    ours, theirs = PAIRS[name]

    for mine, other in zip(ours(*prices), theirs(*prices), strict=True):
        undefined = np.isnan(mine) & (other == 0)
        np.testing.assert_allclose(mine[~undefined], other[~undefined], rtol=1e-10, atol=1e-10 * prices[0].max())


@steady
@given(prices=any_prices())
def test_t8_bollinger_bands_equal_numpy_window_by_window_where_talib_loses_digits(prices: Prices) -> None:
    close = prices[2]

    bands = bollinger(close, 3, 2.0)

    for bar in range(2, len(close)):
        window = close[bar - 2 : bar + 1]
        expected = np.mean(window) + 2 * np.std(window) if np.ptp(window) else np.nan
        assert bands.upper[bar] == pytest.approx(expected, rel=1e-13, nan_ok=True)


@pytest.mark.parametrize(
    ("values", "bar", "expected"),
    [
        (bollinger(p_close(), 20, 2).lower, 119, 90.53835742234384),
        (bollinger(p_close(), 20, 2).upper, 119, 121.51502060638086),
        (atr(*p_prices(), 14), 14, 4.115572798491163),
        (atr(*p_prices(), 14), 119, 4.044067068445232),
    ],
)
def test_t8_indicators_have_the_frozen_figures_of_the_contract(values: Floats, bar: int, expected: float) -> None:
    assert values[bar] == pytest.approx(expected, rel=1e-10, abs=0)


@each_of_ours
@steady
@given(prices=any_prices(), cut=st.integers(0, 100))
def test_later_bars_change_no_bit_of_earlier_outputs(indicator: Indicator, prices: Prices, cut: int) -> None:
    whole, part = indicator(*prices), indicator(*(column[:cut].copy() for column in prices))

    for full, prefix in zip(whole, part, strict=True):
        assert full[:cut].tobytes() == prefix.tobytes()


@each_of_ours
@pytest.mark.parametrize("length", [0, 1])
def test_a_series_shorter_than_the_window_is_all_undefined(indicator: Indicator, length: int) -> None:
    for values in indicator(*(column[:length] for column in p_prices())):
        assert len(values) == length
        assert np.isnan(values).all()


@each_of_ours
@pytest.mark.parametrize("at", [0, 3, 40])
def test_a_nan_changes_no_bit_before_it(indicator: Indicator, at: int) -> None:
    spoilt = tuple(np.where(np.arange(120) == at, np.nan, column) for column in p_prices())

    for values, clean in zip(indicator(*spoilt), indicator(*p_prices()), strict=True):
        assert values[:at].tobytes() == clean[:at].tobytes()


@pytest.mark.parametrize("name", ["atr14", "keltner", "adx14", "adx2", "supertrend"])
@pytest.mark.parametrize("at", [0, 3, 40])
def test_recursive_indicators_are_undefined_from_a_nan_on(name: str, at: int) -> None:
    spoilt = tuple(np.where(np.arange(120) == at, np.nan, column) for column in p_prices())

    assert all(np.isnan(values[at:]).all() for values in OURS[name](*spoilt))


@pytest.mark.parametrize("name", ["bollinger20", "bollinger7", "stochastic14-3-3", "stochastic5-1-4", "adx14", "adx2"])
def test_what_a_price_that_never_moves_leaves_undefined_is_no_number(name: str) -> None:
    flat = np.full(60, 100.1)

    assert all(np.isnan(values).all() for values in OURS[name](flat, flat, flat))


def test_channels_of_a_price_that_never_moves_are_that_price_to_the_last_bit() -> None:
    flat = np.full(60, 100.1)

    for values in (
        *keltner(flat, flat, flat, 7, 11, 2.0),
        *donchian(flat, flat, 7),
        supertrend(flat, flat, flat, 7, 3).line,
    ):
        assert set(np.atleast_1d(values[~np.isnan(values)])) <= {100.1}


def test_adx_starts_with_the_first_move_and_counts_the_rest_before_it_as_talib_does() -> None:
    high, low, close = (np.concatenate([np.full(40, column[0]), column]) for column in p_prices())

    ours, theirs = adx(high, low, close, 14), directional(high, low, close, 14)

    assert np.isnan(ours.adx[:41]).all()
    assert_same(tuple(line[41:] for line in ours), tuple(line[41:] for line in theirs), 1.0)


def test_bollinger_bands_of_a_small_move_far_from_zero_keep_their_digits() -> None:
    # two values, half of the window each, are one standard deviation of half their distance from their mean
    close = 1e8 + np.array([0.0, 0.25] * 10)

    bands = bollinger(close, 20, 2.0)

    assert (bands.upper[-1] - 1e8, bands.middle[-1] - 1e8, bands.lower[-1] - 1e8) == (0.375, 0.125, -0.125)


def test_the_donchian_channel_leaves_out_its_own_bar() -> None:
    high, low = np.array([3.0, 5.0, 4.0, 9.0, 6.0]), np.array([1.0, 2.0, 0.5, 3.0, 0.1])

    upper, middle, lower = donchian(high, low, 2)

    np.testing.assert_array_equal(upper, [np.nan, np.nan, 5, 5, 9])
    np.testing.assert_array_equal(lower, [np.nan, np.nan, 1, 0.5, 0.5])
    np.testing.assert_array_equal(middle, [np.nan, np.nan, 3, 2.75, 4.75])


def test_supertrend_by_hand() -> None:
    # ATR(1) is the true range; 1 ATR around the middle (h+l)/2. From bar 1, falling at first:
    # bar  h   l   c  range  top bottom | line, because
    #  1  11   9  10    2     12    8   | 12  starts falling
    #  2  13  11  13    3     15    9   | top stays 12 (15 is above it and close 10 was not); 13 > 12: rising, bottom 9
    #  3  14  12  13    2     15   11   | bottom rises to 11, 13 >= 11
    #  4  13  11  11    2     14   10   | bottom stays 11, 11 >= 11: touching is not passing
    #  5  11   9  10    2     12    8   | bottom stays 11, 10 < 11: falling, top 12
    high = np.array([10.0, 11, 13, 14, 13, 11])
    low = np.array([9.0, 9, 11, 12, 11, 9])
    close = np.array([10.0, 10, 13, 13, 11, 10])

    line, direction = supertrend(high, low, close, 1, 1.0)

    np.testing.assert_array_equal(line, [np.nan, 12, 9, 11, 11, 12])
    np.testing.assert_array_equal(direction, [np.nan, -1, 1, 1, 1, -1])
