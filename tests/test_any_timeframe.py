"""Timeframes that are not stored are made of those that are, on both stores alike, and the result says so."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from backtesting.errors import InvalidDatesError, UnknownNameError
from backtesting.ports import BarSource, BarStore
from backtesting.resampling import AnyTimeframe
from backtesting.sessions import STEP
from backtesting.types import Asset, AssetClass, Bars, Coverage, Timeframe
from tests.fixtures.in_memory import Desk, InMemoryBars, no_record
from tests.fixtures.series import sample_bars

COIN = Asset("BTCUSDT", "Bitcoin", AssetClass.CRYPTO, "USDT")
M1, M15, H1, H4, D1, W1 = (Timeframe(each) for each in ("1m", "15m", "1h", "4h", "1d", "1w"))
HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["in memory", "PostgreSQL"])
def stored(request: pytest.FixtureRequest) -> Iterator[tuple[BarSource, BarStore]]:
    if request.param == "in memory":
        twin = InMemoryBars()
        yield twin, twin
    else:
        stores = request.getfixturevalue("database").stores()
        yield stores.bars, stores.importing
        stores.close()


def walk(first: str, end: str, timeframe: Timeframe, seed: int = 3) -> Bars:
    """Return a random walk without a gap."""
    time = np.arange(pd.Timestamp(first).value, pd.Timestamp(end).value, STEP[timeframe], dtype=np.int64)
    noise = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(noise.normal(0, 0.003, len(time))))
    open_ = np.concatenate([[100.0], close[:-1]])
    return Bars(
        time, open_, np.maximum(open_, close) + 0.1, np.minimum(open_, close) - 0.1, close, noise.random(len(time))
    )


def by_pandas(bars: Bars, rule: str) -> pd.DataFrame:
    return bars.to_frame().resample(rule, closed="left", label="left").agg(HOW).dropna()


def series_of(source: AnyTimeframe, symbol: str, timeframe: Timeframe) -> Coverage:
    return next(each for each in source.coverage(symbol) if each.timeframe is timeframe)


def loaded(source: AnyTimeframe, asset: Asset, timeframe: Timeframe) -> Bars:
    return source.load(asset, series_of(source, asset.symbol, timeframe), FIRST, LAST, 0)


def assert_equal(found: Bars, frame: pd.DataFrame) -> None:
    assert found.time.tolist() == pd.DatetimeIndex(frame.index).as_unit("ns").asi8.tolist()
    for name in HOW:
        np.testing.assert_allclose(getattr(found, name), frame[name].to_numpy(), rtol=1e-12)


@pytest.mark.parametrize(("timeframe", "rule"), [(H4, "4h"), (D1, "1D")])
def test_a_timeframe_that_is_not_stored_is_made_as_pandas_makes_it(
    stored: tuple[BarSource, BarStore], timeframe: Timeframe, rule: str
) -> None:
    bars = walk("2024-03-04", "2024-03-25", H1)
    stored[1].store(COIN, H1, [bars], no_record)

    found = loaded(AnyTimeframe(stored[0]), COIN, timeframe)

    assert_equal(found, by_pandas(bars, rule))


def test_what_can_be_had_is_told_beside_what_is_stored(stored: tuple[BarSource, BarStore]) -> None:
    stored[1].store(COIN, H1, [walk("2024-03-04", "2024-03-25", H1)], no_record)

    series = AnyTimeframe(stored[0]).coverage(COIN.symbol)

    assert [(each.timeframe, each.resampled_from) for each in series] == [(H1, None), (H4, H1), (D1, H1), (W1, H1)]
    assert len({(each.first, each.last, each.version) for each in series}) == 1


def test_a_stored_timeframe_is_read_and_never_made(stored: tuple[BarSource, BarStore]) -> None:
    daily = walk("2024-03-04", "2024-03-25", D1, seed=9)
    stored[1].store(COIN, H1, [walk("2024-03-04", "2024-03-25", H1)], no_record)
    stored[1].store(COIN, D1, [daily], no_record)

    found = loaded(AnyTimeframe(stored[0]), COIN, D1)

    assert found.close.tolist() == daily.close.tolist()


def test_the_finest_stored_timeframe_is_taken(stored: tuple[BarSource, BarStore]) -> None:
    fine = walk("2024-03-04", "2024-03-11", M15, seed=4)
    stored[1].store(COIN, H1, [walk("2024-03-04", "2024-03-11", H1)], no_record)
    stored[1].store(COIN, M15, [fine], no_record)
    source = AnyTimeframe(stored[0])

    assert series_of(source, COIN.symbol, H4).resampled_from is M15
    assert_equal(loaded(source, COIN, H4), by_pandas(fine, "4h"))


def test_a_made_series_is_kept_until_its_source_is_written_to(stored: tuple[BarSource, BarStore]) -> None:
    bars = walk("2024-03-04", "2024-03-11", H1)
    stored[1].store(COIN, H1, [bars[:-24]], no_record)
    source = AnyTimeframe(stored[0])
    before = loaded(source, COIN, D1)

    again = loaded(source, COIN, D1)
    stored[1].store(COIN, H1, [bars[-24:]], no_record)
    after = loaded(source, COIN, D1)

    assert np.shares_memory(before.close, again.close)
    assert (len(before), len(after)) == (6, 7)


def test_a_made_series_begins_with_the_history_asked_for(stored: tuple[BarSource, BarStore]) -> None:
    stored[1].store(COIN, H1, [walk("2024-03-04", "2024-03-25", H1)], no_record)
    source = AnyTimeframe(stored[0])

    found = source.load(
        COIN,
        series_of(source, COIN.symbol, D1),
        datetime(2024, 3, 12, tzinfo=UTC),
        datetime(2024, 3, 14, tzinfo=UTC),
        3,
    )

    days = [str(each)[:10] for each in found.time.astype("datetime64[ns]")]
    assert days == ["2024-03-09", "2024-03-10", "2024-03-11", "2024-03-12", "2024-03-13"]


def test_weeks_of_stocks_are_made_of_whole_weeks_of_sessions() -> None:
    desk = Desk(sample_bars("ibm"), Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS"))

    found = desk.load(timeframe="1w").bars

    frame = sample_bars("ibm").adjusted().to_frame()
    weeks = frame.groupby(frame.index - pd.to_timedelta(frame.index.day_of_week, unit="D")).agg(HOW)
    assert_equal(found, weeks[1:])  # the samples begin on a Wednesday and end on a Friday


def test_a_split_in_the_middle_of_a_week_is_adjusted_before_the_week_is_made() -> None:
    desk = Desk(sample_bars("aapl"), Asset("AAPL", "Apple", AssetClass.EQUITY, "USD", "XNAS"))
    week = {"start_date": date(2000, 6, 19), "end_date": date(2000, 6, 23), "timeframe": "1w"}

    raw, adjusted = desk.load(**week, adjustment="raw"), desk.load(**week)

    # Raw AAPL went from a high of 103.94 on the Tuesday to a low of 50.4 after the split of the Wednesday.
    daily = desk.load(start_date=date(2000, 6, 19), end_date=date(2000, 6, 23)).bars
    assert raw.bars.high[0] > 1.8 * raw.bars.low[0]
    assert adjusted.adjustment == "adjusted"
    assert adjusted.bars.high.tolist() == [daily.high.max()]
    assert adjusted.bars.low.tolist() == [daily.low.min()]
    assert adjusted.bars.high[0] < 1.3 * adjusted.bars.low[0]


# In a run


def test_a_run_on_made_bars_equals_one_on_the_same_bars_stored_and_says_so() -> None:
    hours = walk("2022-01-03", "2024-03-25", H1)
    frame = by_pandas(hours, "1D")
    days = Bars(frame.index.as_unit("ns").asi8, *(frame[name].to_numpy() for name in HOW))
    asked = {"start_date": date(2023, 1, 2), "end_date": date(2024, 3, 24)}

    made = Desk(hours, COIN, H1).run("sma_crossover", **asked).summary
    kept = Desk(days, COIN, D1).run("sma_crossover", **asked).summary

    assert made is not None and kept is not None
    assert made.metrics["total_trades"] and made.metrics["total_trades"] > 3
    assert made.metrics == pytest.approx(kept.metrics, rel=1e-9)
    assert made.provenance["resampled_from"] == "1h" and kept.provenance["resampled_from"] is None
    assert [flag.message for flag in made.flags if flag.code == "resampled"] == [
        "no 1d bars are stored; they are made of the 1h bars, session by session, and only where those are complete"
    ]
    assert "resampled" not in [flag.code for flag in kept.flags]


def test_a_finer_timeframe_than_stored_is_refused_with_what_can_be_had() -> None:
    desk = Desk(walk("2024-03-04", "2024-03-25", H4), COIN, H4)

    with pytest.raises(UnknownNameError, match=r"'1h'; known: 1d \(made of 4h\), 1w \(made of 4h\), 4h$"):
        desk.run(timeframe="1h")


def test_days_the_source_does_not_reach_are_refused_by_its_name() -> None:
    desk = Desk(walk("2024-03-04", "2024-03-25", H1), COIN, H1)

    with pytest.raises(InvalidDatesError, match="outside the stored 1h bars of BTCUSDT, 2024-03-04 to 2024-03-24"):
        desk.run(timeframe="1d", end_date=date(2024, 3, 26))


def test_a_coarser_source_is_taken_where_the_finest_does_not_reach() -> None:
    desk = Desk(walk("2022-01-03", "2024-03-25", H1), COIN, H1)
    desk.bars.store(COIN, M1, [walk("2024-03-18", "2024-03-25", M1)], no_record)

    long = desk.run(timeframe="4h", start_date=date(2023, 1, 2), end_date=date(2024, 3, 24)).summary
    short = desk.run(timeframe="4h", start_date=date(2024, 3, 19), end_date=date(2024, 3, 24)).summary

    assert long is not None and long.provenance["resampled_from"] == "1h"
    assert short is not None and short.provenance["resampled_from"] == "1m"
