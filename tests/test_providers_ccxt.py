"""Crypto exchanges: ccxt itself reads answers in the exchanges' shapes, from a server on this machine."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import ccxt
import numpy as np
import pytest

from backtesting.errors import BacktestError, UnknownNameError
from backtesting.providers import provider
from backtesting.providers.ccxt_exchange import CcxtExchange
from backtesting.providers.errors import MissingExtraError, NothingFetchedError, ProviderUnavailableError
from backtesting.types import Asset, AssetClass, Place, PriceRows, Timeframe, instant
from tests.fixtures.transports import Exchange, Klines, Waits, kraken, recorded, served

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def binance() -> Iterator[Exchange]:
    with served(Exchange(Klines(hours=2400), "/klines")) as server:
        yield server


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def source(binance: Exchange, waits: Waits) -> CcxtExchange:
    return CcxtExchange(binance.place(ccxt.binance({"enableRateLimit": True, "timeout": 5000})), waits.patience)


def fetched(source: CcxtExchange, start: datetime = START, hours: int = 2400, symbol: str = "BTC/USDT") -> PriceRows:
    (rows,) = source.fetch(symbol, Timeframe.H1, start, start + hours * HOUR).chunks()
    return rows


def test_the_bars_come_page_by_page_without_a_gap(source: CcxtExchange, binance: Exchange) -> None:
    rows = fetched(source)

    assert [query["limit"] for query in binance.asked] == ["1000"] * 3, "the size of binance's pages"
    assert len(rows) == 2400 and (np.diff(rows.time) == 3_600_000_000_000).all()
    first, last = (
        (instant(rows.time[at]), *(float(each[at]) for each in (rows.open, rows.high, rows.low, rows.close)))
        for at in (0, -1)
    )
    assert first == (START, 42283.58, 42554.57, 42261.02, 42475.23) and rows.volume[0] == 1271.68108
    assert last == (START + 2399 * HOUR, 44682.58, 44953.57, 44660.02, 44874.23)


def test_a_period_is_cut_exactly(source: CcxtExchange) -> None:
    rows = fetched(source, START + 10 * HOUR, hours=5)

    assert [instant(each) for each in rows.time] == [START + hour * HOUR for hour in range(10, 15)]


def test_empty_pages_before_the_first_bar_are_passed_over(source: CcxtExchange, binance: Exchange) -> None:
    rows = fetched(source, START - 1500 * HOUR, hours=1510)

    assert len(rows) == 10 and instant(rows.time[0]) == START
    assert len(binance.asked) <= 3


def test_a_period_without_bars_says_so(source: CcxtExchange) -> None:
    with pytest.raises(NothingFetchedError, match=r"ccxt binance BTC/USDT 1h: has no bars from 2023-12-01 00:00 to"):
        fetched(source, datetime(2023, 12, 1, tzinfo=UTC), hours=24)


@pytest.mark.parametrize("name", ["BTC/USDT", "btc/usdt", "BTCUSDT", "btc-usdt", " BTC_USDT "])
def test_a_symbol_in_any_spelling_is_ccxts(name: str, source: CcxtExchange) -> None:
    assert source.symbol(name) == "BTC/USDT"


def test_an_unknown_symbol_is_told_at_once_with_the_nearest(source: CcxtExchange, waits: Waits) -> None:
    with pytest.raises(UnknownNameError, match=r"symbol of binance 'BTC/USDD' - did you mean 'BTC/USDT'\?; known: BTC"):
        source.symbol("BTC/USDD")

    assert waits == []


def test_the_exchange_and_the_pair_make_the_asset(source: CcxtExchange) -> None:
    reading = source.fetch("BTC/USDT", Timeframe.H1, START, START + HOUR).reading()

    assert reading.asset == Asset("BTC/USDT", "BTC/USDT", AssetClass.CRYPTO, "USDT", "BINANCE")
    assert reading.layout == "ccxt binance" and reading.notes == ("volume: in BTC", "pages: 1")


@pytest.mark.parametrize(
    "failure",
    [
        (429, "too_many"),
        (418, "too_many"),
        (503, "<html>Service Unavailable</html>"),
        (200, '[[1704067200000,"42283.58'),
    ],
    ids=["a rate limit", "a ban for some minutes", "a server's trouble", "a page cut off"],
)
def test_what_fails_in_passing_is_asked_again_and_the_page_is_whole(
    failure: tuple[int, str], source: CcxtExchange, binance: Exchange, waits: Waits
) -> None:
    status, text = failure
    binance.failing = [(status, json.dumps(recorded("binance")[text]) if text == "too_many" else text)] * 2

    assert len(fetched(source, hours=3)) == 3
    assert waits == [1.0, 2.0]


def test_a_failure_that_stays_is_told_after_five_attempts(
    source: CcxtExchange, binance: Exchange, waits: Waits
) -> None:
    binance.failing = [(503, "no")] * 9

    with pytest.raises(ProviderUnavailableError, match=r"binance gave no answer .*5 attempts \(ExchangeNotAvailable"):
        fetched(source)

    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_without_a_network_the_markets_cannot_be_asked(waits: Waits) -> None:
    with served(Exchange(kraken, "/OHLC")) as gone:
        exchange = gone.place(ccxt.kraken({"timeout": 2000}))
    source = CcxtExchange(exchange, waits.patience)

    with pytest.raises(ProviderUnavailableError, match=r"kraken gave no answer.*check your network"):
        source.symbol("BTC/USD")


def test_krakens_days_are_read_by_its_own_names(waits: Waits) -> None:
    with served(Exchange(kraken, "/OHLC")) as server:
        source = CcxtExchange(server.place(ccxt.kraken({"timeout": 5000})), waits.patience)

        symbol = source.symbol("XBTUSD")
        (rows,) = source.fetch(symbol, Timeframe.D1, START, START + timedelta(days=3)).chunks()

    assert symbol == "BTC/USD"
    assert [instant(each).day for each in rows.time] == [1, 2, 3]
    assert (rows.open[0], rows.close[-1], rows.volume[0]) == (42280.4, 42850.1, 2381.401423)


def test_a_price_that_is_missing_stays_missing(source: CcxtExchange, binance: Exchange) -> None:
    klines = Klines(hours=3)
    page: list[list[Any]] = [klines.kline(each) for each in range(3)]
    page[1][4] = None
    binance.failing = [(200, json.dumps(page))]

    rows = fetched(source, hours=3)

    assert np.isnan(rows.close).tolist() == [False, True, False]


def test_a_start_is_needed_and_weeks_are_refused(source: CcxtExchange) -> None:
    with pytest.raises(BacktestError, match="start: say from which day"):
        source.fetch("BTC/USDT", Timeframe.H1, None, START)
    with pytest.raises(UnknownNameError, match=r"timeframe of binance '1w'.*known: 15m, 1d, 1h, 1m, 30m, 4h, 5m"):
        source.fetch("BTC/USDT", Timeframe.W1, START, START + HOUR)


def test_bars_that_start_between_the_hours_are_refused(source: CcxtExchange, binance: Exchange) -> None:
    shifted = Klines(hours=1).kline(0)
    shifted[0] += 1_800_000
    binance.failing = [(200, json.dumps([shifted]))]

    with pytest.raises(BacktestError, match="do not start at whole 1h in UTC"):
        fetched(source, hours=1)


def test_an_exchange_is_chosen_by_name() -> None:
    with pytest.raises(UnknownNameError, match=r"exchange 'binanc' - did you mean 'binance'\?"):
        provider("ccxt", Place(exchange="binanc"))
    with pytest.raises(BacktestError, match="exchange: say which one, for example binance"):
        provider("ccxt")
    with pytest.raises(BacktestError, match="table: ccxt has none, leave it out"):
        provider("ccxt", Place(exchange="binance", table="bars"))
    assert isinstance(provider("ccxt", Place(exchange="Kraken")), CcxtExchange)


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)

    with pytest.raises(MissingExtraError, match=r"--with ccxt"):
        provider("ccxt", Place(exchange="kraken"))
