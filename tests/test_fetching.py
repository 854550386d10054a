"""Fetching: which bars are asked for, what becomes of the stored ones, and what is left when it fails."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import ccxt
import numpy as np
import pytest

from backtesting.data_import import DataImporter, Imported, RefusedImportError
from backtesting.errors import BacktestError, InvalidInputError
from backtesting.fetching import Fetcher, OtherSeriesError, Period, in_parts
from backtesting.ports import Provider
from backtesting.provider_import import fetch_series
from backtesting.providers.ccxt_exchange import CcxtExchange
from backtesting.providers.errors import NothingFetchedError, PassingError, ProviderUnavailableError
from backtesting.providers.patience import Patience
from backtesting.providers.yahoo import Yahoo
from backtesting.types import (
    Asset,
    AssetClass,
    Bars,
    FetchMode,
    FetchRequest,
    Place,
    Stored,
    Timeframe,
    instant,
    nanoseconds,
    validated,
)
from tests.fixtures import transports
from tests.fixtures.in_memory import InMemoryBars, no_record
from tests.fixtures.postgres import Database
from tests.fixtures.transports import Exchange, Klines, Waits, served

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning", "ignore::FutureWarning")
NOW = datetime(2024, 6, 22, tzinfo=UTC)
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = 2400
BITCOIN: dict[str, Any] = {"symbol": "BTC/USDT", "timeframe": "1h", "start": "2024-01-01"}


@pytest.fixture(autouse=True)
def caches_of_its_own(tmp_path: Path) -> Iterator[None]:
    with transports.yfinance_caches_in(tmp_path / "yfinance"):
        yield


@pytest.fixture
def bars() -> InMemoryBars:
    return InMemoryBars()


@pytest.fixture
def site() -> transports.Yahoo:
    return transports.Yahoo()


@pytest.fixture
def yahoo(site: transports.Yahoo) -> Yahoo:
    return Yahoo(Waits().patience, site.session, lambda: NOW)


@pytest.fixture
def klines() -> Klines:
    return Klines(HOURS)


@pytest.fixture
def binance(klines: Klines) -> Iterator[Exchange]:
    with served(Exchange(klines, "/klines")) as server:
        yield server


@pytest.fixture
def exchange(binance: Exchange) -> CcxtExchange:
    source = CcxtExchange(binance.place(ccxt.binance({"enableRateLimit": True, "timeout": 5000})), Waits().patience)
    source.part = 500
    return source


def fetch(
    bars: InMemoryBars, provider: Provider, now: datetime = NOW, symbol: str = "ACME", **asked: Any
) -> list[Imported]:
    fetcher = Fetcher(bars, DataImporter(bars, bars, lambda: now), lambda: now)
    return list(fetcher.run(provider, symbol, validated(FetchRequest, provider="any", symbols=[symbol], **asked)))


def stored(done: list[Imported]) -> list[Stored | None]:
    return [each.stored for each in done]


def series(bars: InMemoryBars, symbol: str = "ACME", timeframe: Timeframe = Timeframe.D1) -> Bars:
    return bars.load(symbol, timeframe, datetime(2000, 1, 1, tzinfo=UTC), NOW, 0)


def test_the_first_fetch_stores_all_there_is_and_what_is_known_of_the_asset(bars: InMemoryBars, yahoo: Yahoo) -> None:
    (done,) = fetch(bars, yahoo)

    assert done.stored == Stored(inserted=14, updated=0) and done.source == "yfinance ACME 1d"
    assert bars.asset("ACME") == Asset("ACME", "Acme Corporation", AssetClass.EQUITY, "USD", "XNAS")
    assert instant(series(bars).time[-1]) == datetime(2024, 6, 21, tzinfo=UTC)
    assert bars.history[-1].content_hash and bars.history[-1].report["layout"] == "Yahoo Finance"


@pytest.mark.parametrize("mode", [FetchMode.TAIL, FetchMode.BACKFILL, FetchMode.FULL])
def test_the_same_fetch_again_changes_nothing(mode: FetchMode, bars: InMemoryBars, yahoo: Yahoo) -> None:
    fetch(bars, yahoo)
    before = series(bars)

    assert stored(fetch(bars, yahoo, mode=mode)) == [Stored(0, 0)]
    assert np.array_equal(before.close, series(bars).close)


def test_tail_asks_for_the_last_bars_and_adds_the_new_ones(
    bars: InMemoryBars, yahoo: Yahoo, site: transports.Yahoo
) -> None:
    whole = site.answers
    site.answers = transports.recorded("yahoo")
    site.without(last=2)
    fetch(bars, yahoo)
    site.answers = whole

    done = fetch(bars, yahoo)

    assert stored(done) == [Stored(inserted=2, updated=0)]
    tenth_last = datetime(2024, 6, 5, 4, tzinfo=UTC)
    assert site.asked[-1] == str(round(tenth_last.timestamp())), "ten of the twelve stored bars are fetched again"


def test_a_correction_of_a_late_bar_replaces_it(bars: InMemoryBars, yahoo: Yahoo, site: transports.Yahoo) -> None:
    fetch(bars, yahoo)
    site.column("close")[12] = site.column("adjclose")[12] = 130.2

    assert stored(fetch(bars, yahoo)) == [Stored(inserted=0, updated=1)]
    assert series(bars).close[12] == 130.2


def test_a_correction_of_an_early_bar_is_found_by_a_full_fetch(
    bars: InMemoryBars, yahoo: Yahoo, site: transports.Yahoo
) -> None:
    fetch(bars, yahoo)
    site.column("high")[1] = 118.9

    assert stored(fetch(bars, yahoo)) == [Stored(0, 0)]
    assert stored(fetch(bars, yahoo, mode="full", start="2024-06-17")) == [Stored(inserted=0, updated=1)]


def test_a_dividend_since_the_last_fetch_brings_the_whole_series_anew(
    bars: InMemoryBars, yahoo: Yahoo, site: transports.Yahoo
) -> None:
    site.without(last=8)
    site.column("adjclose")[:] = site.column("close")  # before the ex-day nobody adjusts
    fetch(bars, yahoo)
    site.answers = transports.recorded("yahoo")

    (done,) = fetch(bars, yahoo)

    assert done.stored == Stored(inserted=8, updated=6)
    assert (
        "all bars are fetched anew" in done.reading.notes[-1]
        and done.reading.notes[-1] in bars.history[-1].report["notes"]
    )
    again = InMemoryBars()
    fetch(again, yahoo)
    assert np.array_equal(series(bars).adj_close, series(again).adj_close)  # type: ignore[arg-type]


def test_backfill_adds_what_is_older_than_the_first_stored_bar(bars: InMemoryBars, yahoo: Yahoo) -> None:
    fetch(bars, yahoo, start="2024-06-13")

    done = fetch(bars, yahoo, mode="backfill", start="2024-06-05")

    assert stored(done) == [Stored(inserted=6, updated=0)]
    assert instant(series(bars).time[0]).day == 5 and len(series(bars)) == 12
    assert fetch(bars, yahoo, mode="backfill", start="2024-06-06") == [], "there is nothing to do"


def test_a_day_that_is_still_traded_is_left_out_until_it_is_over(bars: InMemoryBars, yahoo: Yahoo) -> None:
    before_the_close = datetime(2024, 6, 21, 19, 59, tzinfo=UTC)

    (done,) = fetch(bars, yahoo, now=before_the_close)

    assert done.stored == Stored(inserted=13, updated=0)
    assert [each.count for each in done.report.findings if each.code == "unfinished"] == [1]
    assert stored(fetch(bars, yahoo)) == [Stored(inserted=1, updated=0)]


def test_a_dry_run_says_what_would_be_stored_and_stores_nothing(bars: InMemoryBars, yahoo: Yahoo) -> None:
    (done,) = fetch(bars, yahoo, dry_run=True)

    assert done.stored is None and done.report.rows_kept == 14 and bars.symbols() == []


def test_without_a_network_nothing_is_changed(bars: InMemoryBars, yahoo: Yahoo, site: transports.Yahoo) -> None:
    fetch(bars, yahoo)
    before, history = series(bars), len(bars.history)
    site.down = True

    with pytest.raises(ProviderUnavailableError, match=r"check your network.*Nothing was changed"):
        fetch(bars, yahoo)

    assert np.array_equal(before.close, series(bars).close) and len(bars.history) == history


def test_an_answer_with_broken_rows_is_refused_and_nothing_is_stored(
    bars: InMemoryBars, yahoo: Yahoo, site: transports.Yahoo
) -> None:
    site.column("close")[3:7] = [None] * 4  # type: ignore[list-item]

    with pytest.raises(RefusedImportError, match=r"yfinance ACME 1d: .*too_many_quarantined.*Nothing was stored"):
        fetch(bars, yahoo)

    assert bars.symbols() == []


def test_hours_that_cannot_be_fetched_anew_are_not_mixed_with_readjusted_ones(bars: InMemoryBars, yahoo: Yahoo) -> None:
    hours = [datetime(2022, 6, 1, 14, 30, tzinfo=UTC), datetime(2024, 6, 20, 13, 30, tzinfo=UTC)]
    old = np.array([1000.0, 1390.0])  # before a split of ten to one
    time = np.array([nanoseconds(each) for each in hours])
    bars.store(
        Asset("ACME", "Acme", AssetClass.EQUITY, "USD", "XNAS"),
        Timeframe.H1,
        [Bars(time, old, old, old, old, old)],
        no_record,
    )

    with pytest.raises(OtherSeriesError, match=r"those before 2024-06-20 cannot be fetched anew.*--mode full"):
        fetch(bars, yahoo, timeframe="1h")

    (done,) = fetch(bars, yahoo, timeframe="1h", mode="full")
    assert done.stored == Stored(inserted=13, updated=1)
    assert done.reading.notes[-1] == "stored bars before 2024-06-20 stay"


def test_a_long_history_is_stored_part_by_part(bars: InMemoryBars, exchange: CcxtExchange) -> None:
    done = fetch(bars, exchange, **BITCOIN, end="2024-04-09")

    assert stored(done) == [Stored(500, 0)] * 4 + [Stored(400, 0)]
    assert (np.diff(series(bars, "BTC/USDT", Timeframe.H1).time) == 3_600_000_000_000).all()


def test_an_interrupted_fetch_keeps_its_parts_and_goes_on_from_there(
    bars: InMemoryBars, exchange: CcxtExchange, binance: Exchange, klines: Klines
) -> None:
    binance.fail_after(2, (503, "no"))

    with pytest.raises(ProviderUnavailableError, match=r"the 2 parts before are stored.*the same command goes on"):
        fetch(bars, exchange, **BITCOIN)
    assert len(series(bars, "BTC/USDT", Timeframe.H1)) == 1000
    binance.failing.clear()
    done = fetch(bars, exchange, **BITCOIN)

    whole = series(bars, "BTC/USDT", Timeframe.H1)
    assert sum(each.inserted for each in stored(done) if each) == HOURS - 1000
    assert int(binance.asked[7]["startTime"]) == klines.kline(990)[0], "ten bars are fetched again"
    assert len(whole) == HOURS and (np.diff(whole.time) == 3_600_000_000_000).all()


def test_an_interrupted_backfill_leaves_no_gap_before_the_stored_bars(
    bars: InMemoryBars, exchange: CcxtExchange, binance: Exchange
) -> None:
    fetch(bars, exchange, **BITCOIN | {"start": "2024-03-01"})
    binance.asked.clear()
    binance.fail_after(2, (503, "no"))

    with pytest.raises(ProviderUnavailableError, match="parts before are stored"):
        fetch(bars, exchange, **BITCOIN, mode="backfill")
    kept = series(bars, "BTC/USDT", Timeframe.H1)
    binance.failing.clear()
    fetch(bars, exchange, **BITCOIN, mode="backfill")

    assert NEW_YEAR < instant(kept.time[0]) < datetime(2024, 3, 1, tzinfo=UTC)
    assert (np.diff(kept.time) == 3_600_000_000_000).all()
    whole = series(bars, "BTC/USDT", Timeframe.H1)
    assert len(whole) == HOURS and instant(whole.time[0]) == NEW_YEAR


def test_bars_of_another_source_are_not_continued_but_may_be_replaced(
    bars: InMemoryBars, exchange: CcxtExchange, klines: Klines
) -> None:
    klines.corrected = dict.fromkeys(range(HOURS), 3.0)
    fetch(bars, exchange, **BITCOIN, end="2024-01-10")
    klines.corrected = {}

    with pytest.raises(OtherSeriesError, match=r"BTC/USDT have other prices than ccxt binance.*--mode full"):
        fetch(bars, exchange, **BITCOIN)
    done = fetch(bars, exchange, **BITCOIN, mode="full")

    assert sum(each.updated for each in stored(done) if each) == 240
    assert len(series(bars, "BTC/USDT", Timeframe.H1)) == HOURS


def test_a_period_is_cut_into_parts_that_touch() -> None:
    end = NEW_YEAR + timedelta(hours=25)

    parts = in_parts(Period(NEW_YEAR, end), Timeframe.H1, 10)

    assert [(part.end - part.start) // timedelta(hours=1) for part in parts if part.start] == [10, 10, 5]
    assert all(one.end == two.start for one, two in pairwise(parts))
    assert in_parts(Period(None, end), Timeframe.H1, 10) == [Period(None, end)]


def test_local_tells_what_is_stored_and_asks_nobody(bars: InMemoryBars, exchange: CcxtExchange) -> None:
    fetch(bars, exchange, **BITCOIN)

    def nobody(_: str, __: Place) -> Provider:
        raise AssertionError("no provider is needed")

    request = FetchRequest(provider="ccxt", symbols=["btcusdt", "ETH/USDT"], mode=FetchMode.LOCAL)
    known, unknown = fetch_series(Fetcher(bars, DataImporter(bars, bars)), request, nobody)

    assert str(known) == "BTC/USDT (crypto, USDT) stored: 1h 2024-01-01 00:00 to 2024-04-09 23:00"
    assert str(unknown).startswith("error: ETH/USDT: asset_symbol: unknown symbol 'ETH/USDT'")


def test_a_series_that_fails_does_not_keep_the_next_out(bars: InMemoryBars, yahoo: Yahoo) -> None:
    fetcher = Fetcher(bars, DataImporter(bars, bars, lambda: NOW), lambda: NOW)
    request = FetchRequest(provider="yfinance", symbols=["ACNE", "ACME"])

    failed, imported, told = map(str, fetch_series(fetcher, request, lambda _name, _place: yahoo))

    assert "did you mean one of ACME" in failed
    assert "stored: 14 bars added, 0 changed" in imported
    assert told == "ACME (equity, USD) stored: 1d 2024-06-03 00:00 to 2024-06-21 00:00"


def test_what_is_asked_for_is_checked() -> None:
    with pytest.raises(InvalidInputError, match=r"mode.*tail.*backfill"):
        validated(FetchRequest, provider="yfinance", symbols=["ACME"], mode="tial")
    with pytest.raises(InvalidInputError, match="unknown field - did you mean 'start'"):
        validated(FetchRequest, provider="yfinance", symbols=["ACME"], strat=date(2024, 1, 1))


def test_a_provider_that_needs_a_start_says_so(bars: InMemoryBars, exchange: CcxtExchange) -> None:
    with pytest.raises(BacktestError, match="start: say from which day"):
        fetch(bars, exchange, symbol="BTC/USDT", timeframe="1h")


def test_fetched_bars_are_merged_in_postgresql_as_in_memory(
    database: Database, yahoo: Yahoo, site: transports.Yahoo
) -> None:
    stores = database.stores()
    fetcher = Fetcher(stores.bars, DataImporter(stores.bars, stores.importing, lambda: NOW), lambda: NOW)
    request = FetchRequest(provider="yfinance", symbols=["ACME"])
    site.without(last=8)
    site.column("adjclose")[:] = site.column("close")
    first = stored(list(fetcher.run(yahoo, "ACME", request)))
    site.answers = transports.recorded("yahoo")

    then, again = (stored(list(fetcher.run(yahoo, "acme", request))) for _ in range(2))

    assert (first, then, again) == ([Stored(6, 0)], [Stored(inserted=8, updated=6)], [Stored(0, 0)])
    sources = database.execute("select source, inserted, updated from market.imports where source like 'yfinance%'")
    assert sorted(map(tuple, sources)) == [
        ("yfinance ACME 1d", 0, 0), ("yfinance ACME 1d", 6, 0), ("yfinance ACME 1d", 8, 6),
    ]  # fmt: skip
    stores.close()


def test_waits_double_are_shortened_by_chance_and_end_in_time() -> None:
    waits = Waits()
    clock = iter([0.0, 10.0, 60.0, 89.5])
    slow = Patience(wait=waits.append, chance=lambda: 0.5, clock=lambda: next(clock))

    def failing() -> None:
        raise PassingError("the line is dead")

    with pytest.raises(ProviderUnavailableError, match=r"in 3 attempts \(the line is dead\)"):
        slow.call("a provider", failing)

    assert waits == [0.75, 1.5], "the third would end after the deadline of 90 seconds"


def test_series_of_yahoo_are_asked_for_with_a_pause_between(bars: InMemoryBars, site: transports.Yahoo) -> None:
    waits = Waits()
    yahoo = Yahoo(waits.patience, site.session, lambda: NOW)

    fetch(bars, yahoo)
    fetch(bars, yahoo)

    assert waits == [0.5]


def test_a_fetch_that_brings_nothing_at_all_says_so(bars: InMemoryBars, yahoo: Yahoo) -> None:
    fetch(bars, yahoo)

    with pytest.raises(NothingFetchedError, match="has no bars from 2024-06-07 00:00 to 2024-05-02"):
        fetch(bars, yahoo, end="2024-05-01")
