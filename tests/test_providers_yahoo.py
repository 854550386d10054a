"""Yahoo Finance: yfinance itself reads answers in Yahoo's shape, and says what goes wrong."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backtesting.errors import UnknownNameError
from backtesting.providers.errors import MissingExtraError, NothingFetchedError, ProviderUnavailableError
from backtesting.providers.yahoo import Yahoo
from backtesting.types import Asset, AssetClass, PriceRows, Timeframe, instant
from tests.fixtures import transports
from tests.fixtures.transports import Waits

# yfinance 1.7 calls pandas in ways that pandas 3 will do away with
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning", "ignore::FutureWarning")
NOW = datetime(2024, 6, 22, tzinfo=UTC)


@pytest.fixture(autouse=True)
def caches_of_its_own(tmp_path: Path) -> Iterator[None]:
    with transports.yfinance_caches_in(tmp_path / "yfinance"):
        yield


@pytest.fixture
def site() -> transports.Yahoo:
    return transports.Yahoo()


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def yahoo(site: transports.Yahoo, waits: Waits) -> Yahoo:
    return Yahoo(waits.patience, site.session, lambda: NOW)


def fetched(yahoo: Yahoo, start: datetime | None = None, timeframe: Timeframe = Timeframe.D1) -> PriceRows:
    (rows,) = yahoo.fetch("ACME", timeframe, start, NOW).chunks()
    return rows


def day(number: int) -> datetime:
    return datetime(2024, 6, number, tzinfo=UTC)


def test_days_start_at_midnight_utc_of_their_own_day(yahoo: Yahoo) -> None:
    rows = fetched(yahoo)

    first, last = (
        (instant(rows.time[at]), *(float(each[at]) for each in (rows.open, rows.high, rows.low, rows.close)))
        for at in (0, -1)
    )
    assert len(rows) == 14
    assert first == (day(3), 112.0, 116.0, 111.0, 115.0)
    assert last == (day(21), 127.0, 128.0, 125.5, 126.5)


def test_the_splits_are_in_the_prices_and_the_dividends_in_adj_close(yahoo: Yahoo) -> None:
    source = yahoo.fetch("ACME", Timeframe.D1, None, NOW)
    (rows,) = source.chunks()

    assert rows.splits is None and rows.adj_close is not None and rows.dividends is not None
    assert rows.dividends.sum() == rows.dividends[6] == 0.25
    assert rows.adj_close[5] == pytest.approx(121.6 * (1 - 0.25 / 121.6)) and rows.adj_close[6] == rows.close[6]
    assert source.reading().notes == (
        "prices: in USD, adjusted for splits (10 on 2024-06-10), adj_close for dividends too (1)",
    )


def test_a_dividend_before_its_days_prices_is_no_bar(yahoo: Yahoo, site: transports.Yahoo) -> None:
    (result,) = site.answers["daily"]["chart"]["result"]
    monday = round(datetime(2024, 6, 24, 13, 30, tzinfo=UTC).timestamp())
    result["events"]["dividends"][str(monday)] = {"amount": 0.3, "date": monday}

    (rows,) = yahoo.fetch("ACME", Timeframe.D1, None, datetime(2024, 6, 25, tzinfo=UTC)).chunks()

    assert len(rows) == 14 and instant(rows.time[-1]) == day(21)


def test_yahoo_says_what_the_instrument_is(yahoo: Yahoo) -> None:
    reading = yahoo.fetch("ACME", Timeframe.D1, None, NOW).reading()

    assert reading.asset == Asset("ACME", "Acme Corporation", AssetClass.EQUITY, "USD", "XNAS")
    assert (reading.symbol, reading.timeframe) == ("ACME", Timeframe.D1)


def test_a_period_is_asked_for_and_cut_exactly(yahoo: Yahoo, site: transports.Yahoo) -> None:
    (rows,) = yahoo.fetch("ACME", Timeframe.D1, day(11), day(14)).chunks()

    assert [instant(each).day for each in rows.time] == [11, 12, 13]
    assert site.asked[-1] == str(round(datetime(2024, 6, 11, 4, tzinfo=UTC).timestamp())), "midnight in New York"


def test_hours_are_instants_without_an_adjusted_close(yahoo: Yahoo) -> None:
    source = yahoo.fetch("ACME", Timeframe.H1, None, NOW)
    (rows,) = source.chunks()

    assert instant(rows.time[0]) == datetime(2024, 6, 20, 13, 30, tzinfo=UTC) and len(rows) == 14
    assert rows.adj_close is None and rows.dividends is None and rows.splits is None
    assert source.reading().notes[0] == "Yahoo Finance has 1h bars of the last 729 days only"


def test_a_timeframe_that_yahoo_has_not_is_refused_with_those_it_has(yahoo: Yahoo) -> None:
    with pytest.raises(UnknownNameError, match=r"timeframe of Yahoo Finance '4h'.*known: 15m, 1d, 1h, 1m, 30m, 5m"):
        fetched(yahoo, timeframe=Timeframe.H4)


def test_the_same_answer_has_the_same_hash_and_another_one_another(yahoo: Yahoo, site: transports.Yahoo) -> None:
    first, again = (yahoo.fetch("ACME", Timeframe.D1, None, NOW).content_hash() for _ in range(2))
    site.column("close")[3] += 0.01

    assert first == again != yahoo.fetch("ACME", Timeframe.D1, None, NOW).content_hash()


@pytest.mark.parametrize(
    "failure",
    [
        (429, "Too Many Requests\r\n"),
        (503, "<html><body>Service Unavailable</body></html>"),
        (200, '{"chart":{"result":[{"meta":{"currency":"USD","sym'),
    ],
    ids=["a rate limit", "a server's trouble", "an answer cut off"],
)
def test_what_fails_in_passing_is_asked_again(
    failure: tuple[int, str], yahoo: Yahoo, site: transports.Yahoo, waits: Waits
) -> None:
    site.failing = [failure] * 4  # yfinance itself asks twice after an error

    assert len(fetched(yahoo)) == 14
    assert waits[0] == 1.0 and len(waits) <= 4


def test_without_a_network_the_error_says_so_after_five_attempts(
    yahoo: Yahoo, site: transports.Yahoo, waits: Waits
) -> None:
    site.down = True

    with pytest.raises(ProviderUnavailableError, match=r"Yahoo Finance gave no answer.*5 attempts.*check your network"):
        fetched(yahoo)

    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_an_unknown_symbol_is_told_at_once_with_what_yahoo_finds(yahoo: Yahoo, waits: Waits) -> None:
    with pytest.raises(UnknownNameError, match=r"no 'ACNE'; did you mean one of ACME \(Acme Corp\)\?"):
        yahoo.fetch("ACNE", Timeframe.D1, None, NOW)

    assert waits == []


def test_a_period_without_bars_is_no_failure_of_the_network(yahoo: Yahoo, waits: Waits) -> None:
    with pytest.raises(NothingFetchedError, match=r"yfinance ACME 1d: has no bars from 2024-06-22"):
        fetched(yahoo, start=datetime(2024, 6, 22, tzinfo=UTC))

    assert waits == []


def test_a_library_that_is_not_installed_is_named_with_how_to_install_it(
    yahoo: Yahoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)

    with pytest.raises(MissingExtraError, match=r"--with yfinance"):
        fetched(yahoo)
