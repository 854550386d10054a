"""Coarser bars: by session, complete, and equal to what pandas makes of the same bars."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.errors import InvalidInputError
from backtesting.resampling import resample
from backtesting.sessions import STEP
from backtesting.types import Asset, AssetClass, Bars, Integers, Timeframe, instant, nanoseconds

COIN = Asset("BTCUSDT", "Bitcoin", AssetClass.CRYPTO, "USDT")
EURO = Asset("EURUSD", "Euro", AssetClass.FX, "USD")
SHARE = Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS")
TOKYO = Asset("7203.T", "Toyota", AssetClass.EQUITY, "JPY", "XTKS")
STRANGER = Asset("X", "X", AssetClass.UNKNOWN, "USD")
M1, M30, H1, H4, D1, W1 = (Timeframe(each) for each in ("1m", "30m", "1h", "4h", "1d", "1w"))
MINUTE = STEP[M1]
MONDAY = "2024-02-26T00:00"
FIRST_WEEK_OF_MARCH = ("2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08")
OFFSETS = {"5m": "5min", "15m": "15min", "30m": "30min", "1h": "1h", "4h": "4h", "1d": "1D", "1w": "W-MON"}
HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "adj_close": "last"}


def stamp(text: str) -> int:
    return nanoseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


def span(first: str, end: str, step: int = MINUTE) -> Integers:
    return np.arange(stamp(first), stamp(end), step, dtype=np.int64)


def bars_at(time: Integers, seed: int = 7) -> Bars:
    noise = np.random.default_rng(seed)
    close = 100 + np.cumsum(noise.normal(0, 0.1, len(time)))
    open_ = close + noise.normal(0, 0.1, len(time))
    high, low = np.maximum(open_, close) + noise.random(len(time)), np.minimum(open_, close) - noise.random(len(time))
    return Bars(time, open_, high, low, close, noise.integers(1, 1000, len(time)).astype(float), close * 0.5)


def frame_of(bars: Bars) -> pd.DataFrame:
    frame = bars.to_frame()
    frame["adj_close"] = bars.adj_close
    return frame


def assert_equal(found: Bars, frame: pd.DataFrame) -> None:
    assert found.time.tolist() == pd.DatetimeIndex(frame.index).as_unit("ns").asi8.tolist()
    for name in HOW:
        np.testing.assert_allclose(getattr(found, name), frame[name].to_numpy(), rtol=1e-12)


def starts(bars: Bars) -> list[str]:
    return [f"{instant(each):%Y-%m-%d %H:%M}" for each in bars.time]


def test_first_highest_lowest_last_and_sum() -> None:
    time = span("2024-03-05T10:00", "2024-03-05T10:10")
    flat = np.arange(10.0)
    bars = Bars(time, flat + 1, flat + 5, flat + 0.5, flat + 2, flat, flat + 3)

    found = resample(bars, COIN, M1, Timeframe.M5)

    assert starts(found) == ["2024-03-05 10:00", "2024-03-05 10:05"]
    assert [column.tolist() for column in found.ohlcv] == [[1, 6], [9, 14], [0.5, 5.5], [6, 11], [10, 35]]
    assert found.adj_close is not None
    assert found.adj_close.tolist() == [7, 12]


def test_bars_without_adj_close_stay_so() -> None:
    bars = bars_at(span("2024-03-05T10:00", "2024-03-05T10:10"))

    found = resample(Bars(bars.time, *bars.ohlcv), COIN, M1, Timeframe.M5)

    assert found.adj_close is None


@pytest.mark.parametrize("target", [each for each in Timeframe if each is not M1])
def test_t1_minutes_of_crypto_are_resampled_as_pandas_does(target: Timeframe) -> None:
    time = span(MONDAY, "2024-03-25T00:00")
    holes = np.random.default_rng(3).choice(len(time) - 2, 5000, replace=False) + 1
    bars = bars_at(np.delete(time, holes))

    found = resample(bars, COIN, M1, target)

    rule = frame_of(bars).resample(OFFSETS[target], closed="left", label="left")
    assert_equal(found, rule.agg(HOW).dropna())


@given(first=st.integers(0, 3000), length=st.integers(1, 4000), target=st.sampled_from(["15m", "1h", "4h", "1d"]))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_t3_only_complete_bars_are_made(first: int, length: int, target: str) -> None:
    time = stamp(MONDAY) + MINUTE * np.arange(first, first + length, dtype=np.int64)
    bars = bars_at(time)

    found = resample(bars, COIN, M1, Timeframe(target))

    whole = frame_of(bars).resample(OFFSETS[target]).agg({**HOW, "close": "count"})["close"]
    complete = whole[whole == STEP[Timeframe(target)] // MINUTE]
    assert found.time.tolist() == pd.DatetimeIndex(complete.index).as_unit("ns").asi8.tolist()


WINDOWS = [
    (COIN, "2024-03-05T00:00", "2024-03-08T00:00"),
    (STRANGER, "2024-03-05T00:00", "2024-03-08T00:00"),
    (EURO, "2024-03-04T22:00", "2024-03-07T22:00"),
    (SHARE, "2024-03-05T14:30", "2024-03-08T21:00"),
]


@given(
    holes=st.sets(st.integers(1, 3 * 1440 - 2), max_size=3000),
    target=st.sampled_from(["5m", "30m", "1h", "4h", "1d"]),
    window=st.sampled_from(WINDOWS),
)
@settings(derandomize=True, deadline=None, max_examples=80)
def test_volume_is_conserved_and_prices_stay_in_bounds(
    holes: set[int], target: str, window: tuple[Asset, str, str]
) -> None:
    asset, first, end = window
    bars = bars_at(np.delete(span(first, end), sorted(holes)))

    found = resample(bars, asset, M1, Timeframe(target))

    assert found.volume.sum() == bars.volume.sum()
    assert (found.open[0], found.close[-1]) == (bars.open[0], bars.close[-1])
    assert (found.high.max(), found.low.min()) == (bars.high.max(), bars.low.min())
    assert (found.high >= np.maximum(found.open, found.close)).all()
    assert (found.low <= np.minimum(found.open, found.close)).all()
    assert (np.diff(found.time) > 0).all()


def minutes_of(*hours: tuple[str, str]) -> Bars:
    return bars_at(np.concatenate([span(first, end) for first, end in hours]))


WINTER, SUMMER = ("2024-03-08T14:30", "2024-03-08T21:00"), ("2024-03-11T13:30", "2024-03-11T20:00")
BEFORE_THANKSGIVING, EARLY_CLOSE = ("2019-11-27T14:30", "2019-11-27T21:00"), ("2019-11-29T14:30", "2019-11-29T18:00")


@pytest.mark.parametrize("hours", [(WINTER, SUMMER), (BEFORE_THANKSGIVING, EARLY_CLOSE)], ids=["clocks", "early close"])
@pytest.mark.parametrize("minutes", [5, 30, 60, 240])
def test_bars_of_an_exchange_are_counted_from_its_open(hours: tuple[tuple[str, str], ...], minutes: int) -> None:
    bars = minutes_of(*hours)
    target = next(each for each in Timeframe if STEP[each] == minutes * MINUTE)

    found = resample(bars, SHARE, M1, target)

    frame = frame_of(bars)
    local = pd.DatetimeIndex(frame.index).tz_convert("America/New_York")
    opening = local.normalize() + pd.Timedelta(hours=9, minutes=30)
    assert_equal(found, frame.groupby((opening + (local - opening).floor(f"{minutes}min")).tz_convert("UTC")).agg(HOW))


def test_hours_begin_at_half_past_and_the_last_is_short() -> None:
    found = resample(minutes_of(BEFORE_THANKSGIVING, EARLY_CLOSE), SHARE, M1, H1)

    assert starts(found)[6:] == [
        "2019-11-27 20:30",
        "2019-11-29 14:30",
        "2019-11-29 15:30",
        "2019-11-29 16:30",
        "2019-11-29 17:30",
    ]


def test_days_are_sessions_labelled_by_their_day() -> None:
    bars = minutes_of(WINTER, SUMMER)

    found = resample(bars, SHARE, M1, D1)

    assert starts(found) == ["2024-03-08 00:00", "2024-03-11 00:00"]
    assert found.open.tolist() == [bars.open[0], bars.open[390]]
    assert found.close.tolist() == [bars.close[389], bars.close[-1]]
    assert found.volume.tolist() == [bars.volume[:390].sum(), bars.volume[390:].sum()]


def test_the_last_day_needs_its_last_bar_or_a_later_session() -> None:
    whole = minutes_of(BEFORE_THANKSGIVING, EARLY_CLOSE)

    assert starts(resample(whole, SHARE, M1, D1)) == ["2019-11-27 00:00", "2019-11-29 00:00"]
    assert starts(resample(whole[:-1], SHARE, M1, D1)) == ["2019-11-27 00:00"]
    assert starts(resample(whole[:390][:-5], SHARE, M1, D1)) == []
    later = np.concatenate([whole.time[:380], whole.time[390:]])
    assert starts(resample(bars_at(later), SHARE, M1, D1)) == ["2019-11-27 00:00", "2019-11-29 00:00"]


def test_the_first_day_needs_its_open() -> None:
    whole = minutes_of(WINTER, SUMMER)

    assert starts(resample(whole[30:], SHARE, M1, D1)) == ["2024-03-11 00:00"]
    assert starts(resample(whole[30:], SHARE, M1, H1))[0] == "2024-03-08 15:30"


def test_what_is_traded_after_the_close_has_bars_of_its_own() -> None:
    bars = minutes_of(("2024-03-08T13:00", "2024-03-08T23:00"))

    found = resample(bars, SHARE, M1, H1)

    assert starts(found) == [
        "2024-03-08 13:30",
        *(f"2024-03-08 {hour}:30" for hour in range(14, 21)),
        "2024-03-08 21:00",
        "2024-03-08 22:00",
    ]


def test_no_bar_begins_before_its_day_or_ends_after_it() -> None:
    early = minutes_of(("2024-03-08T05:00", "2024-03-08T21:00"))
    late = minutes_of(("2019-11-29T18:00", "2019-11-30T05:00"))  # from the early close to midnight

    assert [start[-5:] for start in starts(resample(early, SHARE, M1, H4))] == [
        "05:00",
        "06:30",
        "10:30",
        "14:30",
        "18:30",
    ]
    assert [start[-5:] for start in starts(resample(late, SHARE, M1, H4))] == ["18:00", "22:00", "02:00"]


def test_a_bar_before_a_break_is_over_as_the_break_begins() -> None:
    morning = minutes_of(("2024-03-05T00:00", "2024-03-05T02:30"))

    assert [start[-5:] for start in starts(resample(morning, TOKYO, M1, H1))] == ["00:00", "01:00", "02:00"]
    assert [start[-5:] for start in starts(resample(morning[:-1], TOKYO, M1, H1))] == ["00:00", "01:00"]


def test_bars_of_tokyo_begin_anew_after_lunch() -> None:
    bars = minutes_of(("2024-03-05T00:00", "2024-03-05T02:30"), ("2024-03-05T03:30", "2024-03-05T06:00"))

    found = resample(bars, TOKYO, M1, H1)

    assert [start[-5:] for start in starts(found)] == ["00:00", "01:00", "02:00", "03:30", "04:30", "05:30"]
    assert starts(resample(bars, TOKYO, M1, D1)) == ["2024-03-05 00:00"]


def test_a_day_of_currencies_begins_on_the_evening_before() -> None:
    friday, sunday = ("2024-03-07T22:00", "2024-03-08T22:00"), ("2024-03-10T21:00", "2024-03-11T21:00")

    found = resample(minutes_of(friday, sunday), EURO, M1, D1)

    assert starts(found) == ["2024-03-08 00:00", "2024-03-11 00:00"]
    hours = resample(minutes_of(friday, sunday), EURO, M1, H4)
    assert starts(hours)[0] == "2024-03-07 22:00"
    assert starts(hours)[6:] == [
        "2024-03-10 21:00",
        "2024-03-11 01:00",
        "2024-03-11 05:00",
        "2024-03-11 09:00",
        "2024-03-11 13:00",
        "2024-03-11 17:00",
    ]


def test_weeks_are_labelled_by_monday_even_where_it_is_a_holiday() -> None:
    days = pd.bdate_range("2024-01-08", "2024-02-02").as_unit("ns").asi8
    bars = bars_at(days[days != stamp("2024-01-15")])

    found = resample(bars, SHARE, D1, W1)

    assert starts(found) == ["2024-01-08 00:00", "2024-01-15 00:00", "2024-01-22 00:00", "2024-01-29 00:00"]
    assert found.open[1] == bars.open[5]
    assert found.volume[1] == bars.volume[5:9].sum()


def test_a_week_ends_with_its_last_session() -> None:
    days = pd.bdate_range("2024-03-18", "2024-03-28").as_unit("ns").asi8  # the 29th was Good Friday
    bars = bars_at(days)

    assert starts(resample(bars, SHARE, D1, W1)) == ["2024-03-18 00:00", "2024-03-25 00:00"]
    assert starts(resample(bars[:-1], SHARE, D1, W1)) == ["2024-03-18 00:00"]
    assert starts(resample(bars[1:], SHARE, D1, W1)) == ["2024-03-25 00:00"]
    assert starts(resample(bars, STRANGER, D1, W1)) == ["2024-03-18 00:00"], "its Sunday may be a session"


def test_minutes_become_weeks_by_way_of_sessions() -> None:
    bars = minutes_of(*((f"{day}T14:30", f"{day}T21:00") for day in FIRST_WEEK_OF_MARCH))

    found = resample(bars, SHARE, M1, W1)

    assert starts(found) == ["2024-03-04 00:00"]
    assert found.volume[0] == bars.volume.sum()


@pytest.mark.parametrize("asset", [SHARE, EURO, COIN])
def test_going_by_steps_is_going_at_once(asset: Asset) -> None:
    bars = minutes_of(("2024-03-04T00:00", "2024-03-23T00:00"))

    at_once = resample(bars, asset, M1, D1)
    by_steps = resample(resample(bars, asset, M1, M30), asset, M30, D1)

    assert by_steps.time.tolist() == at_once.time.tolist()
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(getattr(by_steps, name), getattr(at_once, name), rtol=1e-12)


def test_bars_on_a_day_that_is_no_session_are_counted_from_its_midnight() -> None:
    saturday = minutes_of(("2024-03-09T05:00", "2024-03-09T09:30"))

    assert starts(resample(saturday, SHARE, M1, H4)) == ["2024-03-09 05:00"]


def test_no_bars_and_the_same_timeframe_are_as_they_were() -> None:
    bars = bars_at(span("2024-03-05T10:00", "2024-03-05T10:10"))

    assert resample(bars, COIN, M1, M1) is bars
    assert len(resample(bars[:0], COIN, M1, D1)) == 0


@pytest.mark.parametrize(("source", "target"), [("1h", "5m"), ("1d", "4h"), ("1w", "1d")])
def test_finer_bars_are_refused_and_the_possible_ones_named(source: str, target: str) -> None:
    bars = bars_at(span("2024-03-05", "2024-03-08", STEP[D1]))

    with pytest.raises(InvalidInputError, match=rf"timeframe: {target} bars cannot .* known .*: {source}") as refused:
        resample(bars, COIN, Timeframe(source), Timeframe(target))

    assert refused.value.field == "timeframe"
