"""The day a bar belongs to, when days begin and end, and the bars that are missing (contract A1)."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.sessions import STEP, Gaps, days_of, end_of, expected, missing, monday_of, session_of
from backtesting.types import Asset, AssetClass, Integers, Timeframe, instant, nanoseconds

COIN = Asset("BTCUSDT", "Bitcoin", AssetClass.CRYPTO, "USDT")
EURO = Asset("EURUSD", "Euro", AssetClass.FX, "USD")
STRANGER = Asset("X", "X", AssetClass.UNKNOWN, "USD")
MINUTE = STEP[Timeframe.M1]
ROOT = Path(__file__).parents[1]
EXCHANGES = ("XNYS", "XLON", "XTKS", "XHKG", "XETR", "XASX", "CMES")


def listed(exchange: str) -> Asset:
    return Asset("X", "X", AssetClass.EQUITY, "USD", exchange)


NEW_YORK = listed("XNYS")
TOKYO = listed("XTKS")


def stamp(text: str) -> int:
    return nanoseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


def stamps(*texts: str) -> Integers:
    return np.array([stamp(each) for each in texts], np.int64)


def span(first: str, end: str, step: int = MINUTE) -> Integers:
    return np.arange(stamp(first), stamp(end), step, dtype=np.int64)


def days(*texts: str) -> list[str]:
    return [f"{instant(each):%Y-%m-%d}" for each in stamps(*texts)]


def labels(asset: Asset, *texts: str, timeframe: Timeframe = Timeframe.M1) -> list[str]:
    return [f"{instant(each):%Y-%m-%d}" for each in session_of(asset, timeframe, stamps(*texts))]


def weekdays(first: str, last: str) -> Integers:
    return pd.bdate_range(first, last).as_unit("ns").asi8


def spans(gaps: Gaps | None) -> list[tuple[str, str]]:
    assert gaps is not None
    return [(f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}") for first, last in gaps.spans]


def missing_span(time: int) -> tuple[tuple[datetime, datetime], ...]:
    return ((instant(time), instant(time)),)


@pytest.mark.parametrize("asset", [COIN, STRANGER, listed("NOWHERE")])
def test_crypto_and_unknown_calendars_have_the_day_of_utc(asset: Asset) -> None:
    found = labels(asset, "2024-03-10T23:59", "2024-03-11T00:00")

    assert found == ["2024-03-10", "2024-03-11"]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2024-03-08T21:59", "2024-03-08"),  # 16:59 in winter
        ("2024-03-08T22:00", "2024-03-09"),
        ("2024-03-10T20:59", "2024-03-10"),  # 16:59 on the first day of summer time
        ("2024-03-10T21:00", "2024-03-11"),  # the Sunday open
        ("2024-11-03T21:59", "2024-11-03"),
        ("2024-11-03T22:00", "2024-11-04"),
        ("2024-01-10T00:00", "2024-01-10"),
    ],
)
def test_a_day_of_currencies_ends_at_five_in_new_york(moment: str, day: str) -> None:
    assert labels(EURO, moment) == [day]


@pytest.mark.parametrize(
    ("asset", "moment", "day"),
    [
        (NEW_YORK, "2024-03-08T04:59", "2024-03-07"),
        (NEW_YORK, "2024-03-08T05:00", "2024-03-08"),
        (NEW_YORK, "2024-03-11T04:00", "2024-03-11"),
        (TOKYO, "2024-03-07T15:00", "2024-03-08"),
        (listed("CMES"), "2024-03-10T21:59", "2024-03-10"),  # futures begin at 17:00 in Chicago, the evening before
        (listed("CMES"), "2024-03-10T22:00", "2024-03-11"),
    ],
)
def test_a_bar_of_an_exchange_has_its_local_day(asset: Asset, moment: str, day: str) -> None:
    assert labels(asset, moment) == [day]


def test_a_day_stamped_at_midnight_is_its_own_label_and_local_midnight_is_understood() -> None:
    found = labels(NEW_YORK, "2024-03-08T00:00", "2024-03-11T04:00", timeframe=Timeframe.D1)

    assert found == ["2024-03-08", "2024-03-11"]
    assert labels(EURO, "2024-03-10T21:00", timeframe=Timeframe.D1) == ["2024-03-11"]
    assert labels(TOKYO, "2024-03-07T15:00", timeframe=Timeframe.D1) == ["2024-03-08"]


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # exchange_calendars 4.13 under pandas 3.1
def test_sessions_are_those_the_library_publishes(exchange: str) -> None:
    start = "1997-01-06" if exchange == "XTKS" else "1990-01-01"
    schedule = exchange_calendars.get_calendar(exchange, start=start).schedule.loc[:"2025-12-31"]
    published = schedule.index.as_unit("ns").asi8

    found = expected(listed(exchange), int(published[0]), int(published[-1]))
    assert found is not None
    hours = days_of(listed(exchange), found)

    assert found.tolist() == published.tolist()
    assert hours.open.tolist() == pd.DatetimeIndex(schedule["open"]).as_unit("ns").asi8.tolist()
    assert hours.close.tolist() == pd.DatetimeIndex(schedule["close"]).as_unit("ns").asi8.tolist()
    assert (hours.start <= hours.open).all() and (hours.close <= hours.end).all()
    assert session_of(listed(exchange), Timeframe.M1, hours.open).tolist() == published.tolist()
    assert session_of(listed(exchange), Timeframe.M1, hours.close - MINUTE).tolist() == published.tolist()


@pytest.mark.parametrize("zone_asset", [NEW_YORK, TOKYO, EURO, listed("XLON"), listed("XASX"), listed("BVMF")])
@given(seconds=st.lists(st.integers(nanoseconds(datetime(1990, 1, 1, tzinfo=UTC)) // 10**9, 2**31), min_size=1))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_every_instant_lies_in_its_labelled_day(zone_asset: Asset, seconds: list[int]) -> None:
    time = np.array(seconds, np.int64) * 1_000_000_000

    found = days_of(zone_asset, session_of(zone_asset, Timeframe.M1, time))

    assert (found.start <= time).all() and (time < found.end).all()


@pytest.mark.parametrize("asset", [EURO, NEW_YORK, TOKYO, listed("XLON"), listed("XASX")])
@given(
    hours=st.lists(st.integers(nanoseconds(datetime(1990, 1, 1, tzinfo=UTC)) // (60 * MINUTE), 1_000_000), min_size=1)
)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_local_days_are_those_pandas_converts_to(asset: Asset, hours: list[int]) -> None:
    zones = {"XNYS": "America/New_York", "XTKS": "Asia/Tokyo", "XLON": "Europe/London", "XASX": "Australia/Sydney"}
    time = np.array(hours, np.int64) * 60 * MINUTE
    local = pd.DatetimeIndex(time, tz="UTC").tz_convert(zones.get(asset.exchange or "", "America/New_York"))
    shifted = local.tz_localize(None) + timedelta(hours=0 if asset.exchange else 7)

    found = session_of(asset, Timeframe.M1, time)

    assert found.tolist() == shifted.normalize().as_unit("ns").asi8.tolist()


def test_a_day_of_the_change_of_clocks_is_an_hour_longer_or_shorter() -> None:
    sydney = days_of(listed("XASX"), stamps("2024-04-07", "2024-10-06"))
    new_york = days_of(NEW_YORK, stamps("2024-03-10", "2024-11-03"))

    assert sydney.start.tolist() == stamps("2024-04-06T13:00", "2024-10-05T14:00").tolist()
    assert sydney.end.tolist() == stamps("2024-04-07T14:00", "2024-10-06T13:00").tolist()
    assert new_york.start.tolist() == stamps("2024-03-10T05:00", "2024-11-03T04:00").tolist()
    assert new_york.end.tolist() == stamps("2024-03-11T04:00", "2024-11-04T05:00").tolist()


def test_the_week_of_a_day_is_its_monday() -> None:
    monday = monday_of(stamps("2024-03-10", "2024-03-11", "2024-03-17", "1969-12-31"))

    assert monday.tolist() == stamps("2024-03-04", "2024-03-11", "2024-03-11", "1969-12-29").tolist()


@pytest.mark.parametrize(
    ("first", "last", "closed"),
    [
        ("2012-10-22", "2012-11-02", ["2012-10-29", "2012-10-30"]),
        ("2001-09-04", "2001-09-21", ["2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14"]),
        ("2024-03-25", "2024-04-05", ["2024-03-29"]),
        ("2025-01-06", "2025-01-10", ["2025-01-09"]),
    ],
    ids=["Sandy", "September 11", "Good Friday", "mourning for a president"],
)
def test_days_on_which_new_york_was_closed_are_no_gaps(first: str, last: str, closed: list[str]) -> None:
    every = weekdays(first, last)
    traded = np.setdiff1d(every, stamps(*closed))

    assert missing(NEW_YORK, Timeframe.D1, traded) == Gaps(0)
    assert missing(NEW_YORK, Timeframe.D1, every) == Gaps(0), "a bar too many is no gap"


def test_missing_days_are_counted_and_the_first_spans_named() -> None:
    traded = np.setdiff1d(weekdays("2024-01-02", "2024-02-29"), stamps("2024-01-15", "2024-02-19"))
    absent = stamps("2024-01-12", "2024-01-16", "2024-01-22", "2024-02-01", "2024-02-05", "2024-02-26")

    gaps = missing(NEW_YORK, Timeframe.D1, np.setdiff1d(traded, absent))

    assert gaps is not None
    assert gaps.count == 6
    assert spans(gaps) == [
        ("2024-01-12 00:00", "2024-01-16 00:00"),  # the holiday and weekend between are no sessions
        ("2024-01-22 00:00", "2024-01-22 00:00"),
        ("2024-02-01 00:00", "2024-02-01 00:00"),
    ]


def test_weeks_of_holidays_are_weeks_and_a_missing_one_is_a_gap() -> None:
    weeks = span("2024-01-01", "2024-03-01", STEP[Timeframe.W1])

    assert missing(NEW_YORK, Timeframe.W1, weeks) == Gaps(0)
    assert spans(missing(NEW_YORK, Timeframe.W1, np.delete(weeks, 3))) == [("2024-01-22 00:00", "2024-01-22 00:00")]


def test_an_early_close_ends_the_expected_minutes() -> None:
    wednesday = span("2019-11-27T14:30", "2019-11-27T21:00")
    friday = span("2019-11-29T14:30", "2019-11-29T18:00")  # the day after Thanksgiving ends at 13:00
    monday = span("2019-12-02T14:30", "2019-12-02T14:31")

    assert missing(NEW_YORK, Timeframe.M1, np.concatenate([wednesday, friday, monday])) == Gaps(0)
    short = missing(NEW_YORK, Timeframe.M1, np.concatenate([wednesday, friday[:-2], monday]))
    assert short is not None and short.count == 2
    assert spans(short) == [("2019-11-29 17:58", "2019-11-29 17:59")]


@pytest.mark.parametrize(
    ("friday", "monday"),
    [("2024-03-08T14:30", "2024-03-11T13:30"), ("2024-11-01T13:30", "2024-11-04T14:30")],
    ids=["March", "November"],
)
@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M30, Timeframe.H1, Timeframe.H4])
def test_the_change_of_the_clocks_is_no_gap(friday: str, monday: str, timeframe: Timeframe) -> None:
    length = 390 * MINUTE
    bars = [np.arange(stamp(day), stamp(day) + length, STEP[timeframe], dtype=np.int64) for day in (friday, monday)]

    assert missing(NEW_YORK, timeframe, np.concatenate(bars)) == Gaps(0)


def test_hours_of_the_clock_are_as_good_as_hours_from_the_open() -> None:
    first, second = (
        span("2024-03-05T14:00", "2024-03-05T21:00", 60 * MINUTE),
        span("2024-03-06T14:00", "2024-03-06T21:00", 60 * MINUTE),
    )

    assert missing(NEW_YORK, Timeframe.H1, np.concatenate([first, second])) == Gaps(0)
    assert spans(missing(NEW_YORK, Timeframe.H1, np.concatenate([first, np.delete(second, 2)]))) == [
        ("2024-03-06 16:00", "2024-03-06 16:00")
    ]


def test_hours_of_the_clock_fit_a_market_whose_morning_begins_at_half_past() -> None:
    hours = [1, 2, 3, 5, 6, 7]  # Hong Kong trades 09:30 to 12:00 and 13:00 to 16:00
    time = stamps(*(f"2024-03-{day:02}T{hour:02}:00" for day in (5, 6, 7) for hour in hours))

    assert missing(listed("XHKG"), Timeframe.H1, time) == Gaps(0)
    assert spans(missing(listed("XHKG"), Timeframe.H1, np.delete(time, 8))) == [
        ("2024-03-06 03:00", "2024-03-06 03:00")
    ]


def test_bars_of_currencies_on_the_clock_of_utc_span_two_days() -> None:
    time = span("2024-03-05T00:00", "2024-03-07T00:00", STEP[Timeframe.H4])

    assert missing(EURO, Timeframe.H4, np.delete(time, [2, 9])) == Gaps(
        2, missing_span(stamp("2024-03-05T08:00")) + missing_span(stamp("2024-03-06T12:00"))
    )


def test_bars_outside_the_hours_count_neither_way() -> None:
    session = span("2024-03-05T14:30", "2024-03-05T21:00")
    extended = span("2024-03-05T09:00", "2024-03-06T01:00")

    assert missing(NEW_YORK, Timeframe.M1, session) == Gaps(0)
    assert missing(NEW_YORK, Timeframe.M1, extended) == Gaps(0)


def test_the_lunch_of_tokyo_is_no_gap() -> None:
    morning, afternoon = span("2024-03-05T00:00", "2024-03-05T02:30"), span("2024-03-05T03:30", "2024-03-05T06:00")

    assert missing(TOKYO, Timeframe.M1, np.concatenate([morning, afternoon])) == Gaps(0)
    assert spans(missing(TOKYO, Timeframe.M1, np.concatenate([morning[:-1], afternoon]))) == [
        ("2024-03-05 02:29", "2024-03-05 02:29")
    ]


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.H1, Timeframe.H4])
def test_currencies_rest_from_friday_evening_to_sunday_evening(timeframe: Timeframe) -> None:
    step = STEP[timeframe]
    friday, sunday = (
        span("2024-03-07T20:00", "2024-03-08T22:00", step),
        span("2024-03-10T20:00", "2024-03-11T20:00", step),
    )
    week = np.concatenate([friday, sunday[sunday + step > stamp("2024-03-10T21:00")]])

    assert missing(EURO, timeframe, week) == Gaps(0)
    assert missing(EURO, timeframe, np.delete(week, -3)) == Gaps(1, missing_span(week[-3]))


def test_nobody_quotes_currencies_at_christmas_and_new_year() -> None:
    traded = np.setdiff1d(weekdays("2023-12-18", "2024-01-05"), stamps("2023-12-25", "2024-01-01"))

    assert missing(EURO, Timeframe.D1, traded) == Gaps(0)
    assert spans(missing(EURO, Timeframe.D1, np.setdiff1d(traded, stamps("2023-12-26")))) == [
        ("2023-12-26 00:00", "2023-12-26 00:00")
    ]


def test_crypto_never_rests() -> None:
    minutes = span("2024-02-28T00:00", "2024-03-02T00:00")

    assert missing(COIN, Timeframe.M1, minutes) == Gaps(0)
    gaps = missing(COIN, Timeframe.M1, np.delete(minutes, np.arange(100, 1600)))
    assert gaps is not None and gaps.count == 1500
    assert spans(gaps) == [("2024-02-28 01:40", "2024-02-29 02:39")]


def test_what_is_not_known_is_not_guessed() -> None:
    time = weekdays("2024-01-02", "2024-02-29")

    assert missing(STRANGER, Timeframe.D1, time) is None
    assert missing(listed("NOWHERE"), Timeframe.D1, time) is None
    assert missing(listed("ASEX"), Timeframe.D1, time) is None, "a calendar that cannot be built"
    assert missing(NEW_YORK, Timeframe.D1, weekdays("1970-01-02", "1971-01-01")) is None
    assert missing(listed("CMES"), Timeframe.M1, time) is None, "its schedule has no daily halt"
    assert missing(listed("CMES"), Timeframe.D1, time) is not None


def test_bars_before_the_known_years_are_told_apart() -> None:
    time = np.setdiff1d(weekdays("1989-12-26", "1990-01-12"), stamps("1990-01-01", "1990-01-04"))

    gaps = missing(NEW_YORK, Timeframe.D1, time)

    assert gaps is not None
    assert (gaps.count, gaps.unchecked) == (1, 4)
    assert spans(gaps) == [("1990-01-04 00:00", "1990-01-04 00:00")]


@pytest.mark.parametrize(
    ("asset", "timeframe", "start", "end"),
    [
        (COIN, Timeframe.H4, "2024-03-05T04:00", "2024-03-05T08:00"),
        (COIN, Timeframe.D1, "2024-03-05", "2024-03-06"),
        (COIN, Timeframe.W1, "2024-03-04", "2024-03-11"),
        (EURO, Timeframe.D1, "2024-03-05", "2024-03-05T22:00"),
        (EURO, Timeframe.W1, "2024-03-04", "2024-03-08T22:00"),
        (NEW_YORK, Timeframe.D1, "2019-11-29", "2019-11-29T18:00"),
        (NEW_YORK, Timeframe.W1, "2024-03-25", "2024-03-28T20:00"),  # Good Friday
        (STRANGER, Timeframe.W1, "2024-03-04", "2024-03-11"),
    ],
)
def test_t1_a_bar_is_over_at_the_close(asset: Asset, timeframe: Timeframe, start: str, end: str) -> None:
    assert instant(end_of(asset, timeframe, stamp(start))) == instant(stamp(end))


def test_no_question_but_that_of_an_exchange_loads_the_calendars() -> None:
    program = """
import sys
import numpy as np
import backtesting.engine, backtesting.resampling, backtesting.data_quality, backtesting.assets
from backtesting.sessions import missing, session_of
from backtesting.types import Asset, AssetClass, Timeframe
time = np.arange(5) * 3_600_000_000_000
for kind in (AssetClass.CRYPTO, AssetClass.FX, AssetClass.UNKNOWN):
    asset = Asset("X", "X", kind, "USD")
    session_of(asset, Timeframe.H1, time), missing(asset, Timeframe.H1, time)
assert not {"exchange_calendars", "pandas"} & set(sys.modules), "loaded"
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stderr == "" and done.returncode == 0


SESSIONS_OF = """
import sys
from pathlib import Path
from backtesting.sessions import calendar_files, exchange_named
calendar_files.keep_in(Path(sys.argv[1]))
found = exchange_named(sys.argv[2])
print(found.clock, *(getattr(found, each).tobytes().hex() for each in ("label", "open", "break_start", "break_end")))
print(found.close.tobytes().hex(), file=sys.stderr)
print("pandas" in sys.modules)
"""


def sessions_in_a_process(folder: Path, exchange: str) -> tuple[str, str, str]:
    """Return clock and sessions, closes, and whether pandas was needed."""
    command = [sys.executable, "-W", "ignore", "-c", SESSIONS_OF, str(folder), exchange]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found, needed_pandas = done.stdout.splitlines()
    return found, done.stderr, needed_pandas


@pytest.mark.parametrize("exchange", ["XNYS", "XHKG"])
def test_a_second_process_reads_the_same_sessions_without_the_library(tmp_path: Path, exchange: str) -> None:
    first, second = (sessions_in_a_process(tmp_path / "calendars", exchange) for _ in range(2))

    assert first[2] == "True" and second[2] == "False"
    assert first[:2] == second[:2]


def test_a_torn_file_of_sessions_is_made_again(tmp_path: Path) -> None:
    whole = sessions_in_a_process(tmp_path, "XNYS")
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:5000])
    again, then = (sessions_in_a_process(tmp_path, "XNYS") for _ in range(2))

    assert again == whole
    assert then[:2] == whole[:2] and then[2] == "False"
