from collections.abc import Callable
from math import fsum

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.indicators import crossed_above, crossed_below, ema, macd, rsi, sma
from backtesting.types import Floats
from tests.fixtures.series import SAMPLE_SYMBOLS, p_close, sample_bars

NAN = float("nan")
Indicator = Callable[[Floats], tuple[Floats, ...]]

PAIRS: dict[str, tuple[Indicator, Indicator]] = {
    "sma2": (lambda c: (sma(c, 2),), lambda c: (talib.SMA(c, 2),)),
    "sma20": (lambda c: (sma(c, 20),), lambda c: (talib.SMA(c, 20),)),
    "sma77": (lambda c: (sma(c, 77),), lambda c: (talib.SMA(c, 77),)),
    "ema5": (lambda c: (ema(c, 5),), lambda c: (talib.EMA(c, 5),)),
    "ema20": (lambda c: (ema(c, 20),), lambda c: (talib.EMA(c, 20),)),
    "rsi5": (lambda c: (rsi(c, 5),), lambda c: (talib.RSI(c, 5),)),
    "rsi14": (lambda c: (rsi(c, 14),), lambda c: (talib.RSI(c, 14),)),
    "macd12-26-9": (lambda c: macd(c, 12, 26, 9), lambda c: talib.MACD(c, 12, 26, 9)),
    "macd3-7-2": (lambda c: macd(c, 3, 7, 2), lambda c: talib.MACD(c, 3, 7, 2)),
}
pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
each_of_ours = pytest.mark.parametrize("indicator", [ours for ours, _ in PAIRS.values()], ids=PAIRS)
closes = st.lists(st.integers(100, 100_000), min_size=2, max_size=100).map(lambda cents: np.array(cents) / 100)
steady = settings(deadline=None, derandomize=True, max_examples=60)


def assert_same(ours: tuple[Floats, ...], theirs: tuple[Floats, ...], scale: float) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-10 * scale)


@pair
def test_t8_indicators_equal_talib_on_series_p(ours: Indicator, theirs: Indicator) -> None:
    close = p_close()

    assert_same(ours(close), theirs(close), 1.0)


@pair
@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_t8_indicators_equal_talib_on_real_bars_raw_and_adjusted(
    symbol: str, ours: Indicator, theirs: Indicator
) -> None:
    bars = sample_bars(symbol)

    for close in (bars.close, bars.adjusted().close):
        assert_same(ours(close), theirs(close), 1.0)


@pair
@steady
@given(close=closes)
def test_t8_indicators_equal_talib_on_any_prices_that_move(ours: Indicator, theirs: Indicator, close: Floats) -> None:
    # TA-Lib says 0 where a price never moved
    close[1] = close[0] + 1

    assert_same(ours(close), theirs(close), float(close.max()))


@pytest.mark.parametrize(
    ("values", "bar", "expected"),
    [
        (sma(p_close(), 20), 19, 104.86663350932122),
        (sma(p_close(), 20), 119, 106.02668901436235),
        (ema(p_close(), 20), 20, 103.9287848994126),
        (ema(p_close(), 20), 119, 102.36452108311126),
        (rsi(p_close(), 14), 14, 51.31407753843388),
        (rsi(p_close(), 14), 15, 53.74206015319658),
        (rsi(p_close(), 14), 119, 44.7788385774425),
        (macd(p_close(), 12, 26, 9).line, 33, -2.0500696384991954),
        (macd(p_close(), 12, 26, 9).signal, 33, -4.4889184804611615),
        (macd(p_close(), 12, 26, 9).line, 119, -2.7283636926972576),
        (macd(p_close(), 12, 26, 9).signal, 119, -1.3177937507175843),
    ],
)
def test_t8_indicators_have_the_frozen_figures_of_the_contract(values: Floats, bar: int, expected: float) -> None:
    assert values[bar] == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize(
    ("outputs", "first"),
    [
        ((sma(p_close(), 20),), 19),
        ((ema(p_close(), 20),), 19),
        ((rsi(p_close(), 14),), 14),
        (macd(p_close(), 12, 26, 9), 33),
    ],
)
def test_t8_indicators_are_undefined_before_their_first_bar_and_never_after(
    outputs: tuple[Floats, ...], first: int
) -> None:
    for values in outputs:
        assert len(values) == len(p_close())
        assert np.isnan(values[:first]).all()
        assert np.isfinite(values[first:]).all()


@each_of_ours
@steady
@given(close=closes, cut=st.integers(0, 100))
def test_later_bars_change_no_bit_of_earlier_outputs(indicator: Indicator, close: Floats, cut: int) -> None:
    whole, part = indicator(close), indicator(close[:cut].copy())

    for full, prefix in zip(whole, part, strict=True):
        assert full[:cut].tobytes() == prefix.tobytes()


@each_of_ours
@pytest.mark.parametrize("length", [0, 1, 2, 4])
def test_a_series_shorter_than_the_window_is_all_undefined(indicator: Indicator, length: int) -> None:
    close = p_close()[:length]
    undefined_from = {len(values) - np.isfinite(values).sum() for values in indicator(close)}

    assert all(len(values) == length for values in indicator(close))
    assert undefined_from <= {length, 1}


def test_the_rsi_of_a_price_that_never_moves_is_undefined() -> None:
    flat = rsi(np.full(60, 100.1), 14)

    assert np.isnan(flat).all()


def test_the_rsi_is_defined_from_the_first_move_on() -> None:
    close = np.concatenate([np.full(30, 100.0), [101.0, 101.0]])

    values = rsi(close, 14)

    assert np.isnan(values[:30]).all()
    assert values[30:] == pytest.approx([100, 100])


def test_the_rsi_is_0_when_prices_only_fall() -> None:
    assert rsi(np.arange(60.0, 0.0, -1.0), 14)[14:] == pytest.approx(np.zeros(46))


def test_a_nan_makes_undefined_only_the_averages_whose_window_holds_it() -> None:
    close = p_close()
    close[40] = NAN

    assert np.flatnonzero(np.isnan(sma(close, 5))).tolist() == [0, 1, 2, 3, 40, 41, 42, 43, 44]


@pytest.mark.parametrize(
    "indicator",
    [lambda c: (ema(c, 5),), lambda c: (rsi(c, 5),), lambda c: macd(c, 3, 7, 2)],
    ids=["ema", "rsi", "macd"],
)
@pytest.mark.parametrize("at", [0, 2, 40])
def test_recursive_indicators_are_undefined_from_a_nan_on(indicator: Indicator, at: int) -> None:
    close = p_close()
    close[at] = NAN

    for values, clean in zip(indicator(close), indicator(p_close()), strict=True):
        assert np.isnan(values[at:]).all()
        assert values[:at].tobytes() == clean[:at].tobytes()


def test_the_sma_of_a_long_series_with_a_spike_does_not_drift() -> None:
    close = np.tile(p_close(), 1000)
    close[50] = 1e12

    values = sma(close, 200)

    for bar in (1000, 54_321, 119_999):
        assert values[bar] == pytest.approx(fsum(close[bar - 199 : bar + 1]) / 200, rel=1e-14, abs=0)


def test_equal_windows_have_equal_averages_to_the_last_bit() -> None:
    flat = sma(np.full(500, 100.1), 77)[76:]

    assert len(set(flat.tolist())) == 1


def test_the_histogram_is_the_line_less_its_signal() -> None:
    lines = macd(p_close(), 12, 26, 9)

    np.testing.assert_array_equal(lines.histogram, lines.line - lines.signal)


def test_a_macd_whose_fast_mean_is_no_faster_is_refused() -> None:
    with pytest.raises(ValueError, match="fast 26 must be below slow 26"):
        macd(p_close(), 26, 26, 9)


CROSSINGS = [
    ([1, 2, 2, 3], [3]),
    ([3, 2, 3], []),
    ([2, 3], []),
    ([1, NAN, 3], []),
    ([1, 3, 2, 3, 1, 3], [1, 5]),
    ([1, NAN, 1, 3], [3]),
    ([], []),
    ([3], []),
]


@pytest.mark.parametrize(("values", "bars"), CROSSINGS)
def test_t9_crossing_above_needs_the_last_difference_to_be_below(values: list[float], bars: list[int]) -> None:
    a = np.array(values, dtype=np.float64)

    assert np.flatnonzero(crossed_above(a, 2.0)).tolist() == bars
    assert np.flatnonzero(crossed_above(a, np.full(len(a), 2.0))).tolist() == bars


@pytest.mark.parametrize(("values", "bars"), CROSSINGS)
def test_t9_crossing_below_mirrors_crossing_above(values: list[float], bars: list[int]) -> None:
    a = -np.array(values, dtype=np.float64)

    assert np.flatnonzero(crossed_below(a, -2.0)).tolist() == bars
    assert np.flatnonzero(crossed_below(a, np.full(len(a), -2.0))).tolist() == bars


@steady
@given(values=st.lists(st.sampled_from([1.0, 2.0, 3.0, NAN]), max_size=40))
def test_t9_crossings_are_those_found_by_looking_back_bar_by_bar(values: list[float]) -> None:
    crossed = [crosses_at(values, bar, 2.0) for bar in range(len(values))]

    assert crossed_above(np.array(values, dtype=np.float64), 2.0).tolist() == crossed


def crosses_at(values: list[float], bar: int, level: float) -> bool:
    earlier = [value for value in values[:bar] if value != level]
    return values[bar] > level and bool(earlier) and earlier[-1] < level
