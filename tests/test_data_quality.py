"""What is wrong with rows of prices, what becomes of them, and the bars that are left."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtesting.data_loader import check_bars
from backtesting.data_quality import Inspection, inspect
from backtesting.sessions import STEP
from backtesting.types import (
    Asset,
    AssetClass,
    Bars,
    Finding,
    Integers,
    PriceRows,
    QualityReport,
    Severity,
    Timeframe,
    nanoseconds,
)
from tests.fixtures.series import sample_bars

COIN = Asset("BTCUSDT", "Bitcoin", AssetClass.CRYPTO, "USDT")
EURO = Asset("EURUSD", "Euro", AssetClass.FX, "USD")
SHARE = Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS")
STRANGER = Asset("X", "X", AssetClass.UNKNOWN, "USD")
NOW = datetime(2024, 6, 1, tzinfo=UTC)
COLUMNS = ("line", "time", "open", "high", "low", "close", "volume", "adj_close", "splits", "dividends")
DAY = STEP[Timeframe.D1]
FIRST_LINE = 2
NAN = float("nan")


def stamp(text: str) -> int:
    return nanoseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


def stamps(*texts: str) -> Integers:
    return np.array([stamp(each) for each in texts], np.int64)


def rows_at(time: Integers, close: Any = None, **columns: Any) -> PriceRows:
    """Rows of these closes, each opening at the close before, from line 2 on; other columns as given."""
    n = len(time)
    closes = np.full(n, 100.0) if close is None else np.array(close, float)
    opens = np.concatenate([closes[:1], closes[:-1]])
    made = {
        "line": np.arange(FIRST_LINE, n + FIRST_LINE),
        "open": opens,
        "high": np.maximum(opens, closes) + 1,
        "low": np.minimum(opens, closes) * 0.99,
        "close": closes,
        "volume": np.full(n, 500.0),
    }
    return PriceRows(time=time, **{**made, **{name: np.array(each, float) for name, each in columns.items()}})


def days(n: int = 40, first: str = "2024-01-01") -> Integers:
    return stamp(first) + DAY * np.arange(n, dtype=np.int64)


def weekdays(first: str, last: str) -> Integers:
    return pd.bdate_range(first, last).as_unit("ns").asi8


def changed(rows: PriceRows, row: int, **values: float) -> PriceRows:
    columns = {name: getattr(rows, name).copy() for name in values}
    for name, value in values.items():
        columns[name][row] = value
    return replace(rows, **columns)


def taken(rows: PriceRows, which: Any) -> PriceRows:
    return PriceRows(*(None if (each := getattr(rows, name)) is None else each[which].copy() for name in COLUMNS))


def rows_of(bars: Bars) -> PriceRows:
    return PriceRows(np.arange(len(bars)), bars.time, *bars.ohlcv, bars.adj_close)


def look(rows: PriceRows, asset: Asset = COIN, timeframe: Timeframe | None = None) -> tuple[Bars, QualityReport]:
    return inspect(rows, asset, timeframe, now=NOW)


def codes(report: QualityReport) -> list[str]:
    return [each.code for each in report.findings]


def only(report: QualityReport) -> Finding:
    assert len(report.findings) == 1, codes(report)
    return report.findings[0]


def found(report: QualityReport, code: str) -> Finding:
    return next(each for each in report.findings if each.code == code)


def same(left: Bars, right: Bars) -> bool:
    columns = zip((left.time, *left.ohlcv, left.adj_close), (right.time, *right.ohlcv, right.adj_close), strict=True)
    return all((a is None and b is None) or np.array_equal(a, b) for a, b in columns)


def test_good_rows_are_bars_and_nothing_is_found() -> None:
    rows = rows_at(days(), np.linspace(100, 120, 40))

    bars, report = look(rows)

    assert report == QualityReport(
        rows_read=40,
        rows_kept=40,
        quarantined=0,
        timeframe=Timeframe.D1,
        first=datetime(2024, 1, 1, tzinfo=UTC),
        last=datetime(2024, 2, 9, tzinfo=UTC),
        findings=(),
    )
    assert same(bars, Bars(rows.time, rows.open, rows.high, rows.low, rows.close, rows.volume))


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("missing_price", {"open": NAN}),
        ("missing_price", {"high": NAN}),
        ("missing_price", {"low": NAN}),
        ("missing_price", {"close": NAN}),
        ("infinite_value", {"high": np.inf}),
        ("infinite_value", {"volume": np.inf}),
        ("infinite_value", {"adj_close": np.inf}),
        ("non_positive_price", {"low": 0.0}),
        ("non_positive_price", {"low": -1.0}),
        ("high_too_low", {"high": 99.9999}),
        ("low_too_high", {"low": 100.0001}),
        ("negative_volume", {"volume": -1.0}),
        ("non_positive_adj_close", {"adj_close": 0.0}),
    ],
)
def test_a_row_that_cannot_be_is_left_out_and_its_line_named(code: str, values: dict[str, float]) -> None:
    rows = changed(rows_at(days(), adj_close=np.full(40, 50.0)), 7, **values)

    bars, report = look(rows)

    left_out = found(report, code)
    assert (left_out.severity, left_out.count, left_out.lines) == (Severity.WARNING, 1, (9,))
    assert left_out.message.startswith("1 row ") and left_out.message.endswith("left out")
    assert (report.rows_read, report.rows_kept, report.quarantined) == (40, 39, 1)
    assert days()[7] not in bars.time
    check_bars(bars)


def test_rounding_in_the_last_digits_is_no_fault() -> None:
    rows = changed(rows_at(days()), 3, high=100 * (1 - 1e-10), low=100 * (1 + 1e-10))

    bars, report = look(rows)

    assert report.findings == ()
    check_bars(bars)


def test_only_the_first_five_lines_are_named() -> None:
    rows = rows_at(days(200))
    rows.close[[10, 20, 30, 40, 50, 60, 70]] = NAN

    _, report = look(rows)

    assert found(report, "missing_price").lines == (12, 22, 32, 42, 52)
    assert found(report, "missing_price").message == "7 rows without open, high, low or close, left out"


@pytest.mark.parametrize(("bad", "refused"), [(5, False), (6, True)])
def test_more_than_a_twentieth_of_unusable_rows_refuses(bad: int, refused: bool) -> None:  # noqa: FBT001
    rows = rows_at(days(100))
    rows.close[:bad] = NAN

    _, report = look(rows)

    assert [each.code for each in report.errors] == (["too_many_quarantined"] if refused else [])


@pytest.mark.parametrize("rows", [rows_at(days(0)), rows_at(days(3), [NAN] * 3)], ids=["none", "none usable"])
def test_nothing_left_refuses(rows: PriceRows) -> None:
    bars, report = look(rows)

    assert "no_rows" in [each.code for each in report.errors]
    assert (len(bars), report.first, report.last) == (0, None, None)


def test_rows_newest_first_are_turned_round() -> None:
    rows = rows_at(days(), np.linspace(100, 120, 40))

    bars, report = look(taken(rows, slice(None, None, -1)))

    assert (only(report).code, only(report).severity) == ("newest_first", Severity.REMARK)
    assert same(bars, look(rows)[0])


def test_rows_in_disorder_are_sorted() -> None:
    rows = rows_at(days(), np.linspace(100, 120, 40))
    order = np.arange(40)
    order[[5, 20]] = [20, 5]

    bars, report = look(taken(rows, order))

    assert only(report).code == "unsorted"
    assert only(report).count == 2  # two rows stand after later ones: the one after the 21st day, and the 6th day
    assert same(bars, look(rows)[0])


def test_a_repeated_row_is_dropped() -> None:
    rows = rows_at(days(), np.linspace(100, 120, 40))
    repeated = taken(rows, [*range(10), 9, *range(10, 40)])

    bars, report = look(repeated)

    assert (only(report).code, only(report).severity, only(report).count) == ("repeated_rows", Severity.REMARK, 1)
    assert same(bars, look(rows)[0])


def test_one_stamp_with_two_prices_refuses() -> None:
    rows = taken(rows_at(days(), np.linspace(100, 120, 40)), [*range(10), 9, *range(10, 40)])
    rows.line[:] = np.arange(FIRST_LINE, 43)

    _, report = look(changed(rows, 10, volume=1.0))

    assert (only(report).code, only(report).severity) == ("conflicting_duplicates", Severity.ERROR)
    assert only(report).lines == (12,)


@pytest.mark.parametrize("timeframe", Timeframe)
def test_the_timeframe_is_read_from_the_stamps(timeframe: Timeframe) -> None:
    monday = stamp("2024-01-01")
    rows = rows_at(monday + STEP[timeframe] * np.arange(15, dtype=np.int64))

    assert look(rows)[1].timeframe is timeframe
    assert look(rows)[1].findings == ()


@pytest.mark.parametrize("minutes", [60, 240])
def test_nights_weekends_and_the_change_of_clocks_do_not_hide_the_timeframe(minutes: int) -> None:
    opens = [f"2024-03-{day:02}T14:30" for day in (4, 5, 6, 7, 8)] + [f"2024-03-{day}T13:30" for day in (11, 12, 13)]
    time = np.concatenate([stamp(each) + np.arange(0, 390, minutes) * STEP[Timeframe.M1] for each in opens])

    _, report = look(rows_at(time.astype(np.int64)), SHARE)

    assert report.timeframe is not None
    assert STEP[report.timeframe] == minutes * STEP[Timeframe.M1]
    assert report.findings == ()


def test_days_at_local_midnight_are_labelled_by_their_day() -> None:
    winter, summer = weekdays("2024-03-04", "2024-03-08") + 5 * STEP[Timeframe.H1], weekdays("2024-03-11", "2024-03-15")
    rows = rows_at(np.concatenate([winter, summer + 4 * STEP[Timeframe.H1]]))

    bars, report = look(rows, SHARE)

    assert bars.time.tolist() == weekdays("2024-03-04", "2024-03-15").tolist()
    assert (only(report).code, only(report).severity, only(report).count) == ("relabelled", Severity.REMARK, 10)


@pytest.mark.parametrize(
    "time", [("2024-03-08", "2024-03-11"), ("2024-03-08T05:00", "2024-03-11T04:00"), ("2024-03-10T05", "2024-03-11T04")]
)
def test_two_rows_around_a_weekend_or_the_change_of_clocks_are_days(time: tuple[str, str]) -> None:
    _, report = look(rows_at(stamps(*time)), SHARE)

    assert report.timeframe is Timeframe.D1


@pytest.mark.parametrize(
    ("time", "complaint"),
    [
        (
            stamp("2024-01-01") + 7 * STEP[Timeframe.M1] * np.arange(20),
            "bars 7 minutes apart are of no known timeframe",
        ),
        (stamp("2024-01-01") + 90 * STEP[Timeframe.M1] * np.arange(20), "bars 1.5 hours apart"),
        (pd.date_range("2023-01-01", periods=12, freq="MS").as_unit("ns").asi8, "bars 31 days apart"),
        (stamps("2024-01-01"), "one row shows no timeframe"),
    ],
)
def test_an_unknown_timeframe_refuses_and_names_the_known_ones(time: Integers, complaint: str) -> None:
    _, report = look(rows_at(time))

    assert (only(report).code, only(report).severity) == ("unknown_timeframe", Severity.ERROR)
    assert only(report).message.startswith(complaint)
    assert "1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w" in only(report).message


def test_one_row_of_a_stated_timeframe_will_do() -> None:
    _, report = look(rows_at(stamps("2024-01-01")), timeframe=Timeframe.D1)

    assert (report.timeframe, report.findings) == (Timeframe.D1, ())


@pytest.mark.parametrize(
    ("stated", "step", "sentence"),
    [
        ("1h", "1d", "the stamps are those of 1d bars, not of 1h"),
        ("1d", "1m", "the stamps are those of 1m bars, not of 1d"),
    ],
)
def test_a_timeframe_the_stamps_contradict_refuses(stated: str, step: str, sentence: str) -> None:
    rows = rows_at(stamp("2024-01-01") + STEP[Timeframe(step)] * np.arange(20))

    _, report = look(rows, timeframe=Timeframe(stated))

    assert [each.code for each in report.errors] == ["timeframe_contradicted"]
    assert sentence in report.errors[0].message


def test_stamps_between_two_timeframes_contradict_both() -> None:
    rows = rows_at(stamp("2024-01-01") + 7 * STEP[Timeframe.M1] * np.arange(20))

    assert [each.code for each in look(rows, timeframe=Timeframe.M5)[1].errors] == ["timeframe_contradicted"]
    assert look(rows, timeframe=Timeframe.M1)[1].errors == (), "minutes nobody traded in are no bars"


def test_stamps_off_the_grid_are_told() -> None:
    time = stamp("2024-01-01") + STEP[Timeframe.M1] * np.arange(500)
    time[[100, 200]] += 17_000_000_000

    _, report = look(rows_at(time))

    irregular = found(report, "irregular")
    # the two moved, and each one after that is now nearer than a minute
    assert (irregular.severity, irregular.count) == (Severity.WARNING, 4)
    assert irregular.lines == (102, 103, 202, 203)


def test_missing_days_are_counted_and_named() -> None:
    traded = np.setdiff1d(weekdays("2024-01-02", "2024-02-29"), stamps("2024-01-15", "2024-02-19"))
    rows = rows_at(np.setdiff1d(traded, stamps("2024-01-09", "2024-01-30", "2024-01-31")))

    _, report = look(rows, SHARE)

    assert (only(report).code, only(report).severity, only(report).count) == ("gaps", Severity.WARNING, 3)
    assert only(report).message == ("3 bars missing that the calendar expects: 2024-01-09, 2024-01-30 to 2024-01-31")


def test_a_calendar_nobody_knows_is_said_and_not_guessed() -> None:
    _, report = look(rows_at(np.delete(days(), 5)), STRANGER)

    assert (only(report).code, only(report).severity, only(report).count) == ("calendar_unknown", Severity.REMARK, 39)


@pytest.mark.parametrize(("idle", "severity"), [(4, Severity.REMARK), (5, Severity.WARNING)])
def test_a_tenth_of_bars_without_volume_is_worth_a_warning(idle: int, severity: Severity) -> None:
    rows = rows_at(days())
    rows.volume[:idle] = 0

    _, report = look(rows)

    assert (only(report).code, only(report).severity, only(report).count) == ("zero_volume", severity, idle)
    assert f"{idle / 40:.1%}" in only(report).message


def test_currencies_have_no_volume_to_miss() -> None:
    traded = np.setdiff1d(weekdays("2024-01-02", "2024-02-29"), [])

    assert look(rows_at(traded, volume=np.zeros(len(traded))), EURO)[1].findings == ()


def test_an_empty_volume_counts_as_none() -> None:
    traded = weekdays("2024-01-02", "2024-02-29")

    bars, report = look(rows_at(traded, volume=np.full(len(traded), NAN)), EURO)

    assert (only(report).code, only(report).severity) == ("missing_volume", Severity.REMARK)
    assert bars.volume.tolist() == [0.0] * len(traded)
    check_bars(bars)


@pytest.mark.parametrize("ratio", [2, 3, 4, 5, 10, 20, 1 / 2, 1 / 10])
def test_a_price_that_jumps_by_a_split_ratio_is_suspected(ratio: float) -> None:
    rows = rows_at(days(), [100.0] * 20 + [100 / ratio] * 20)
    rows = changed(rows, 20, open=101 / ratio, high=200 / ratio, low=90 / ratio)

    _, report = look(rows)

    split = found(report, "unadjusted_split_suspected")
    assert (split.severity, split.count, split.lines) == (Severity.WARNING, 1, (22,))
    assert "2024-01-21" in split.message


@pytest.mark.parametrize("ratio", [1.9, 2.1, 1.5, 7.0])
def test_a_crash_is_no_split(ratio: float) -> None:
    rows = changed(rows_at(days(), [100.0] * 20 + [100 / ratio] * 20), 20, open=100 / ratio)

    assert look(rows)[1].findings == ()


def test_a_move_within_the_session_is_no_split() -> None:
    time = stamp("2024-01-01") + STEP[Timeframe.H1] * np.arange(40)
    midday, midnight = rows_at(time, [100.0] * 36 + [50.0] * 4), rows_at(time, [100.0] * 24 + [50.0] * 16)

    assert look(changed(midday, 36, open=50.0))[1].findings == ()
    assert codes(look(changed(midnight, 24, open=50.0))[1]) == ["unadjusted_split_suspected"]


def test_adj_close_explains_a_split() -> None:
    rows = rows_at(days(), [100.0] * 20 + [50.0] * 20, adj_close=[50.0] * 40)

    bars, report = look(changed(rows, 20, open=50.0))

    assert report.findings == ()
    assert bars.adj_close is not None


def test_a_split_given_beside_adj_close_is_no_surprise() -> None:
    close = [100.0] * 20 + [50.0] * 20
    rows = rows_at(days(), close, adj_close=close, splits=[0.0] * 20 + [2.0] + [0.0] * 19)

    assert look(changed(rows, 20, open=50.0))[1].findings == ()


def test_adj_close_on_some_rows_only_is_dropped() -> None:
    rows = rows_at(days(), adj_close=[NAN] * 3 + [90.0] * 37)

    bars, report = look(rows)

    assert (only(report).code, only(report).severity) == ("partial_adjustment", Severity.WARNING)
    assert (only(report).count, only(report).lines) == (3, (2, 3, 4))
    assert bars.adj_close is None


def test_an_empty_column_of_adj_close_is_none() -> None:
    bars, report = look(rows_at(days(), adj_close=[NAN] * 40))

    assert (bars.adj_close, report.findings) == (None, ())


def test_splits_and_dividends_adjust_as_in_yahoos_own_example() -> None:
    # help.yahoo.com/kb/SLN28256.html: closes around a 2:1 split on 18 February and a dividend of 0.08 on the 19th
    time = stamps("2003-02-13", "2003-02-14", "2003-02-18", "2003-02-19")
    rows = rows_at(time, [46.99, 48.30, 24.96, 24.53], splits=[0, 0, 2, 0], dividends=[0, 0, 0, 0.08])

    bars, report = look(changed(rows, 2, open=24.5, high=25.5, low=24.0), SHARE)

    assert bars.adj_close is not None
    assert bars.adj_close.round(2).tolist() == [23.42, 24.07, 24.88, 24.53]
    assert (only(report).code, only(report).severity) == ("adjusted_from_actions", Severity.REMARK)
    assert only(report).lines == (4, 5)


def test_a_dividend_on_the_day_of_a_split_is_one_per_new_share() -> None:
    rows = rows_at(days(2), [100.0, 50.0], splits=[NAN, 2.0], dividends=[NAN, 1.0])

    bars, _ = look(changed(rows, 1, open=49.0, low=48.0))

    assert bars.adj_close is not None
    assert bars.adj_close.tolist() == pytest.approx([49.0, 50.0])  # 100 / 2, less the 1 of 50


def test_columns_without_any_split_or_dividend_adjust_nothing() -> None:
    bars, report = look(rows_at(days(), splits=np.zeros(40), dividends=np.zeros(40)))

    assert report.findings == ()
    assert bars.adj_close is not None
    assert bars.adj_close.tolist() == bars.close.tolist()


def test_prices_that_do_not_jump_at_their_splits_are_not_adjusted_twice() -> None:
    rows = rows_at(days(), np.linspace(100, 110, 40), splits=[0.0] * 20 + [4.0] + [0.0] * 19)

    bars, report = look(rows)

    assert (only(report).code, only(report).severity, only(report).lines) == (
        "already_adjusted",
        Severity.REMARK,
        (22,),
    )
    assert bars.adj_close is None


@pytest.mark.parametrize(
    ("column", "value"), [("splits", -2.0), ("splits", np.inf), ("dividends", -1.0), ("dividends", 100.0)]
)
def test_a_split_or_dividend_that_cannot_be_refuses(column: str, value: float) -> None:
    rows = rows_at(days(), **{column: [0.0] * 20 + [value] + [0.0] * 19})

    _, report = look(rows)

    assert [(each.code, each.lines) for each in report.errors] == [("invalid_actions", (22,))]


def test_a_split_on_an_unusable_row_refuses() -> None:
    rows = rows_at(days(), [100.0] * 20 + [50.0] * 20, splits=[0.0] * 20 + [2.0] + [0.0] * 19)

    _, report = look(changed(rows, 20, close=NAN))

    assert [(each.code, each.lines) for each in report.errors] == [("actions_lost", (22,))]


def noisy(n: int, seed: int = 5) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, n)))


def test_a_close_far_from_both_neighbours_is_an_outlier() -> None:
    close = noisy(100)
    close[60] *= 1.3

    _, report = look(rows_at(days(100), close))

    assert (only(report).code, only(report).severity) == ("outliers", Severity.WARNING)
    assert (only(report).count, only(report).lines) == (1, (62,))
    assert "2024-03-01" in only(report).message


def test_a_move_that_stays_is_no_outlier() -> None:
    close = noisy(100)
    close[60:] *= 1.3

    assert look(rows_at(days(100), close))[1].findings == ()


def test_a_spike_mostly_kept_is_no_outlier() -> None:
    close = noisy(100)
    close[60:] *= 1.3
    close[61:] /= 1.1

    assert look(rows_at(days(100), close))[1].findings == ()


def test_few_returns_tell_no_outlier() -> None:
    close = noisy(20)
    close[10] *= 1.3

    assert look(rows_at(days(20), close))[1].findings == ()


def test_stamps_to_come_refuse() -> None:
    rows = rows_at(days(40, "2024-05-01"))  # to 9 June, and it is 1 June

    bars, report = look(rows)

    assert [(each.code, each.count, each.lines) for each in report.errors] == [
        ("future_stamps", 7, (35, 36, 37, 38, 39))
    ]
    assert found(report, "unfinished").count == 2
    assert report.last == datetime(2024, 5, 31, tzinfo=UTC)
    assert len(bars) == 31


def test_stamps_before_1900_refuse() -> None:
    rows = rows_at(stamp("1899-12-30") + DAY * np.arange(40))

    assert [(each.code, each.count) for each in look(rows)[1].errors] == [("before_1900", 2)]


def test_the_unfinished_session_is_left_out_and_not_judged() -> None:
    rows = changed(rows_at(weekdays("2024-03-04", "2024-03-08")), 4, volume=0.0)

    before, at_close = (datetime(2024, 3, 8, hour, tzinfo=UTC) for hour in (20, 21))
    open_bars, open_report = inspect(rows, SHARE, now=before)
    _, closed_report = inspect(rows, SHARE, now=at_close)

    assert (codes(open_report), len(open_bars)) == (["unfinished"], 4)
    assert (codes(closed_report), closed_report.rows_kept) == (["zero_volume"], 5)


def test_errors_come_first_then_warnings_then_remarks() -> None:
    rows = rows_at(days(200))
    rows.volume[5] = 0
    rows.close[7] = NAN
    rows.time[0] = stamp("1850-01-01")

    severities = [each.severity for each in look(rows)[1].findings]

    assert severities == sorted(severities, key=list(Severity).index)
    assert {*severities} == {*Severity}


def sample_rows(name: str) -> PriceRows:
    bars = sample_bars(name.lower())
    return replace(rows_of(bars), line=np.arange(FIRST_LINE, len(bars) + FIRST_LINE))


@pytest.mark.parametrize("name", ["AAPL", "IBM", "MSFT"])
def test_the_samples_have_no_faults(name: str) -> None:
    bars, report = look(sample_rows(name), SHARE)

    assert (report.findings, report.rows_kept, len(bars)) == ((), 3270, 3270)


@pytest.mark.parametrize(
    ("name", "splits"), [("AAPL", ["2000-06-21", "2005-02-28"]), ("MSFT", ["2003-02-18"]), ("IBM", [])]
)
def test_raw_samples_show_exactly_their_splits(name: str, splits: list[str]) -> None:
    _, report = look(replace(sample_rows(name), adj_close=None), SHARE)

    assert codes(report) == ["unadjusted_split_suspected"] * bool(splits)
    assert all(day in report.findings[0].message for day in splits)
    assert sum(each.count for each in report.findings) == len(splits)


FAULTS: tuple[dict[str, float], ...] = (
    {},
    {},
    {},
    {"close": NAN},
    {"high": 1.0},
    {"low": -3.0},
    {"volume": -1.0},
    {"volume": NAN},
    {"volume": 0.0},
    {"open": np.inf},
)


@st.composite
def damaged(draw: st.DrawFn) -> PriceRows:
    """Rows of hours with faults, repetitions, conflicts and gaps, in order of their lines."""
    n = draw(st.integers(2, 60))
    rows = rows_at(stamp("2024-01-01") + STEP[Timeframe.H1] * np.arange(n), noisy(n, draw(st.integers(0, 9))))
    for row in range(n):
        rows = changed(rows, row, **draw(st.sampled_from(FAULTS)))
    which = sorted(draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=2 * n)))
    rows = taken(rows, which)
    if draw(st.booleans()):
        rows = changed(rows, draw(st.integers(0, len(which) - 1)), volume=7.0)
    return replace(rows, line=np.arange(FIRST_LINE, len(which) + FIRST_LINE))


@given(rows=damaged(), asset=st.sampled_from([COIN, EURO, SHARE, STRANGER]))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_bars_inspected_again_are_without_fault(rows: PriceRows, asset: Asset) -> None:
    bars, _ = look(rows, asset, Timeframe.H1)
    check_bars(bars)

    again, report = look(rows_of(bars), asset, Timeframe.H1)

    assert same(bars, again)
    assert report.quarantined == 0
    assert [each.code for each in report.errors if each.code not in {"no_rows", "timeframe_contradicted"}] == []


@given(rows=damaged(), seed=st.integers(0, 99))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_the_order_of_rows_changes_nothing(rows: PriceRows, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(rows))

    bars, report = look(rows)
    shuffled, other = look(taken(rows, order))

    assert same(bars, shuffled)
    sorting = {"unsorted", "newest_first"}
    assert [(each.code, each.count) for each in report.findings if each.code not in sorting] == [
        (each.code, each.count) for each in other.findings if each.code not in sorting
    ]


def in_parts(rows: PriceRows, *cuts: int, asset: Asset = COIN) -> tuple[list[Bars], QualityReport]:
    inspection = Inspection(asset, now=NOW)
    edges = [0, *cuts, len(rows)]
    parts = [inspection.take(taken(rows, slice(*edge))) for edge in pairwise(edges)]
    return parts, inspection.report()


@pytest.mark.parametrize("cut", range(55, 66))
def test_parts_find_what_the_whole_finds(cut: int) -> None:
    close = noisy(100)
    close[60:] /= 2
    close[62] *= 1.4
    rows = changed(rows_at(days(100), close, adj_close=close), 60, open=close[60])
    rows = taken(rows, [*range(59), *range(60, 64), 63, *range(65, 100)])

    parts, report = in_parts(rows, cut)
    bars, whole = look(rows)

    assert codes(whole) == ["gaps", "unadjusted_split_suspected", "outliers", "repeated_rows"]
    assert set(report.findings) == set(whole.findings)
    assert replace(report, findings=()) == replace(whole, findings=())
    assert np.concatenate([part.time for part in parts]).tolist() == bars.time.tolist()
    assert np.concatenate([part.close for part in parts]).tolist() == bars.close.tolist()


def test_parts_out_of_order_refuse() -> None:
    rows = rows_at(days())
    inspection = Inspection(COIN, now=NOW)

    inspection.take(taken(rows, slice(20, 40)))
    late = inspection.take(taken(rows, slice(0, 20)))

    errors = inspection.report().errors
    assert [(each.code, each.count) for each in errors] == [("unsorted_parts", 20)]
    assert len(late) == 0


def test_splits_after_the_first_part_refuse() -> None:
    rows = rows_at(days(), splits=[0.0] * 30 + [2.0] + [0.0] * 9)

    _, report = in_parts(rows, 20)

    assert "actions_in_parts" in [each.code for each in report.errors]


def test_parts_that_change_their_adjustment_refuse() -> None:
    rows = rows_at(days(), adj_close=[90.0] * 20 + [NAN] * 20)

    _, report = in_parts(rows, 20)

    assert "adjustment_changes" in [each.code for each in report.errors]


def test_a_report_may_be_asked_for_twice() -> None:
    inspection = Inspection(COIN, now=NOW)
    inspection.take(rows_at(days(3), [NAN] * 3))

    assert inspection.report() == inspection.report()
