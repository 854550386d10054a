"""Which bars a run gets, which it refuses, and at which prices."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.data_loader import check_bars
from backtesting.errors import BadBarsError, InvalidDatesError, NoBarsError, UnknownNameError
from backtesting.types import Bars
from tests.fixtures.in_memory import Desk, between, day
from tests.fixtures.series import SAMPLE_SYMBOLS, bars_of, sample_bars

COLUMNS = ("open", "high", "low", "close", "volume", "adj_close")


def changed(bars: Bars, cells: dict[tuple[str, int], float]) -> Bars:
    """Return the bars with single cells changed."""
    columns = {"time": bars.time.copy(), **{name: getattr(bars, name) for name in COLUMNS}}
    columns = {name: None if column is None else column.copy() for name, column in columns.items()}
    for (name, row), value in cells.items():
        column = columns[name]
        assert column is not None
        column[row] = value
    return Bars(**columns)


def with_adj_close(bars: Bars, adj_close: list[float]) -> Bars:
    return Bars(bars.time, *bars.ohlcv, np.array(adj_close))


def five_bars() -> Bars:
    """Return bars of 2020-01-01 to 2020-01-05 with all four prices different."""
    plain = between([10, 11, 12, 13, 14], [10.5, 11.5, 12.5, 13.5, 14.5])
    return Bars(plain.time, plain.open, plain.high + 1, plain.low - 1, plain.close, plain.volume)


# Rule T4, the dates


@pytest.mark.parametrize(
    ("start", "end", "field"), [(-1, 3, "start_date"), (1, 5, "end_date"), (-2, 9, "start_date"), (7, 8, "end_date")]
)
def test_t4_dates_outside_the_stored_bars_are_refused_with_both_and_the_stored_range(
    start: int, end: int, field: str
) -> None:
    desk = Desk(five_bars())

    with pytest.raises(InvalidDatesError) as refused:
        desk.run(start_date=day(start), end_date=day(end))

    for named in (day(start), day(end), day(0), day(4)):
        assert str(named) in str(refused.value)
    assert refused.value.field == field
    assert desk.runs.stored == {}


def test_t4_a_start_after_the_end_is_refused_with_both_dates() -> None:
    desk = Desk(five_bars())

    with pytest.raises(ValueError, match="start_date 2020-01-04 is after end_date 2020-01-02: choose an earlier"):
        desk.run(start_date=day(3), end_date=day(1))

    assert desk.runs.stored == {}


def test_t4_both_days_belong_to_the_period() -> None:
    desk = Desk(five_bars())

    loaded = desk.load(start_date=day(1), end_date=day(3), history=0)

    assert loaded.bars.open.tolist() == [11.0, 12.0, 13.0]
    assert loaded.history == 0


def test_a_timeframe_that_is_not_stored_is_refused_with_those_that_are() -> None:
    desk = Desk(five_bars())

    with pytest.raises(UnknownNameError, match=r"^timeframe: unknown timeframe '1h'.*; known: 1d, 1w \(made of 1d\)$"):
        desk.run(timeframe="1h")

    assert desk.runs.stored == {}


def test_a_period_without_bars_is_refused_with_its_dates() -> None:
    bars = five_bars()
    desk = Desk(Bars(bars.time[[0, 1, 4]], *(column[[0, 1, 4]] for column in bars.ohlcv)))

    with pytest.raises(NoBarsError, match="no 1d bars from 2020-01-03 to 2020-01-04"):
        desk.load(start_date=day(2), end_date=day(3), history=0)


# Rule W1, the history


def test_w1_history_comes_before_the_period() -> None:
    desk = Desk(five_bars())

    loaded = desk.load(start_date=day(3), history=2)

    assert loaded.bars.open.tolist() == [11.0, 12.0, 13.0, 14.0]
    assert loaded.history == 2


def test_w1_where_less_history_is_stored_all_of_it_is_loaded() -> None:
    desk = Desk(five_bars())

    loaded = desk.load(start_date=day(1), history=50)

    assert (len(loaded.bars), loaded.history) == (5, 1)


# Rule T5, bad bars


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ({("open", 2): np.nan}, "1 stored bars are not finite, first at 2020-01-03 00:00"),
        ({("close", 1): np.inf}, "1 stored bars are not finite, first at 2020-01-02 00:00"),
        ({("high", 1): np.inf, ("low", 1): -np.inf}, "1 stored bars are not finite, first at 2020-01-02 00:00"),
        ({("volume", 4): np.nan}, "1 stored bars are not finite, first at 2020-01-05 00:00"),
        ({("volume", 3): -1.0}, "1 stored bars are of negative volume, first at 2020-01-04 00:00"),
        ({("low", 0): 0.0}, "1 stored bars are not above zero, first at 2020-01-01 00:00"),
        (
            {("low", 0): -1.0, ("low", 3): -1.0},
            "2 stored bars are not above zero, first at 2020-01-01 00:00, 2020-01-04",
        ),
        ({("high", 3): 13.4}, "inconsistent, high below open or close, first at 2020-01-04 00:00"),
        ({("low", 3): 13.1}, "inconsistent, low above open or close, first at 2020-01-04 00:00"),
        ({("open", 2): 12.8, ("low", 2): 12.6}, "inconsistent, low above open or close, first at 2020-01-03 00:00"),
    ],
)
def test_t5_bad_prices_are_refused_with_the_first_rows(cells: dict[tuple[str, int], float], complaint: str) -> None:
    with pytest.raises(BadBarsError, match=complaint):
        check_bars(changed(five_bars(), cells))


def test_t5_a_repeated_bar_is_refused() -> None:
    bars = five_bars()

    with pytest.raises(BadBarsError, match="1 stored bars are not in order of time or repeated, first at 2020-01-03"):
        check_bars(changed(bars, {("time", 3): bars.time[2]}))


def test_t5_bars_out_of_order_are_refused() -> None:
    bars = five_bars()

    with pytest.raises(BadBarsError, match="not in order of time or repeated, first at 2020-01-02"):
        check_bars(changed(bars, {("time", 2): bars.time[3], ("time", 3): bars.time[1]}))


def test_t5_at_most_three_rows_are_named() -> None:
    with pytest.raises(BadBarsError) as refused:
        check_bars(changed(five_bars(), {("open", row): np.nan for row in range(5)}))

    assert str(refused.value).startswith("5 stored bars are not finite, first at 2020-01-01")
    assert "2020-01-03" in str(refused.value)
    assert "2020-01-04" not in str(refused.value)


@pytest.mark.parametrize("adj_close", [0.0, -1.0, np.inf])
def test_t5_an_adjusted_close_that_is_no_price_is_refused(adj_close: float) -> None:
    with pytest.raises(BadBarsError, match="first at 2020-01-02"):
        check_bars(with_adj_close(five_bars(), [1, adj_close, 1, 1, 1]))


def test_t5_the_last_digit_of_a_float_is_no_inconsistency() -> None:
    check_bars(changed(bars_of(np.full(5, 0.3)), {("high", 1): 0.3 * (1 - 9e-10), ("low", 2): 0.3 * (1 + 9e-10)}))


@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_t5_the_samples_pass(symbol: str) -> None:
    check_bars(sample_bars(symbol))
    check_bars(sample_bars(symbol).adjusted())


@settings(derandomize=True, deadline=None, max_examples=30)
@given(row=st.integers(0, 4), column=st.sampled_from(COLUMNS[:4]), price=st.sampled_from([np.nan, -np.inf, 0.0, -3.0]))
def test_t5_no_impossible_price_gets_through(row: int, column: str, price: float) -> None:
    with pytest.raises(BadBarsError):
        check_bars(changed(five_bars(), {(column, row): price}))


# Rule T7, the adjustment


def loaded_as(bars: Bars, **options: Any) -> tuple[Bars, str]:
    desk = Desk(bars)
    loaded = desk.load(**options, history=0)
    return loaded.bars, loaded.adjustment


def test_t7_adjusted_prices_are_multiplied_by_the_ratio_of_closes_and_volume_stays() -> None:
    bars, adjustment = loaded_as(with_adj_close(five_bars(), [5.25, 5.75, 12.5, 27.0, 14.5]))

    assert adjustment == "adjusted"
    # The ratios of adj_close to close are 1/2, 1/2, 1, 2, 1; highs are close + 1, lows open - 1.
    assert bars.open.tolist() == [5.0, 5.5, 12.0, 26.0, 14.0]
    assert bars.high.tolist() == [5.75, 6.25, 13.5, 29.0, 15.5]
    assert bars.low.tolist() == [4.5, 5.0, 11.0, 24.0, 13.0]
    assert bars.close.tolist() == [5.25, 5.75, 12.5, 27.0, 14.5]
    assert bars.volume.tolist() == [1000.0] * 5


def test_t7_raw_prices_are_those_of_the_tape() -> None:
    bars, adjustment = loaded_as(with_adj_close(five_bars(), [1, 1, 1, 1, 1]), adjustment="raw")

    assert adjustment == "raw"
    assert bars.open.tolist() == [10.0, 11.0, 12.0, 13.0, 14.0]


def test_t7_without_adj_close_prices_are_raw_and_adjusted_ones_refused() -> None:
    assert loaded_as(five_bars())[1] == "raw"

    with pytest.raises(BadBarsError, match="adjustment: TEST has bars without adj_close; ask for adjustment='raw'"):
        loaded_as(five_bars(), adjustment="adjusted")


@pytest.mark.parametrize("adjustment", [None, "adjusted"])
def test_t7_where_one_bar_lacks_adj_close_raw_prices_have_to_be_asked_for(adjustment: str | None) -> None:
    bars = with_adj_close(five_bars(), [1, 1, np.nan, 1, 1])

    with pytest.raises(BadBarsError, match=r"has bars without adj_close; ask for adjustment='raw'"):
        loaded_as(bars, adjustment=adjustment)
    assert loaded_as(bars, adjustment="raw")[1] == "raw"


def test_t7_the_run_says_which_prices_it_used() -> None:
    desk = Desk(with_adj_close(five_bars(), [5.25, 5.75, 12.5, 27.0, 14.5]))

    for adjustment, run in {"adjusted": desk.run(), "raw": desk.run(adjustment="raw")}.items():
        assert run.request.adjustment == adjustment
        assert run.summary is not None
        assert run.summary.provenance["adjustment"] == adjustment


def test_ibm_begins_with_the_adjusted_close_of_the_file() -> None:
    bars, _ = loaded_as(sample_bars("ibm"), end_date=date(2000, 3, 1))

    # Open 102, close 100.25, adj_close 73.667718762847 in the file.
    assert bars.close.tolist() == [73.667718762847]
    assert bars.open[0] == pytest.approx(102 * 73.667718762847 / 100.25, rel=1e-15)
