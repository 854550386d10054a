"""Yahoo Finance through yfinance: the only module that knows it.

Yahoo's prices are adjusted for splits, its `Adj Close` for splits and dividends; both change for all earlier days when
a new split or dividend comes.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from backtesting.assets import describe
from backtesting.errors import BacktestError, UnknownNameError, shown
from backtesting.providers.errors import MissingExtraError, NothingFetchedError, PassingError
from backtesting.providers.fetched import Fetched, named, nothing, within
from backtesting.providers.patience import TIMEOUT, Patience
from backtesting.types import Asset, AssetClass, Place, PriceRows, Reading, Timeframe, utc_now

SITE = "Yahoo Finance"
INTERVALS: Mapping[Timeframe, str] = MappingProxyType({
    Timeframe.M1: "1m", Timeframe.M5: "5m", Timeframe.M15: "15m", Timeframe.M30: "30m", Timeframe.H1: "1h",
    Timeframe.D1: "1d",
})  # fmt: skip
# How far back Yahoo has intraday bars, less a day for the time a request takes
DAYS_BACK: Mapping[Timeframe, int] = MappingProxyType({
    Timeframe.M1: 7, Timeframe.M5: 59, Timeframe.M15: 59, Timeframe.M30: 59, Timeframe.H1: 729,
})  # fmt: skip
CLASSES: Mapping[str, AssetClass] = MappingProxyType({
    "EQUITY": AssetClass.EQUITY, "ETF": AssetClass.ETF, "MUTUALFUND": AssetClass.ETF, "INDEX": AssetClass.INDEX,
    "CRYPTOCURRENCY": AssetClass.CRYPTO, "CURRENCY": AssetClass.FX, "FUTURE": AssetClass.FUTURE,
})  # fmt: skip
MICS: Mapping[str, str] = MappingProxyType({
    "NMS": "XNAS", "NGM": "XNAS", "NCM": "XNAS", "NYQ": "XNYS", "ASE": "XASE", "PCX": "ARCX", "BTS": "BATS",
})  # fmt: skip
NO_SERIES, NOT_FOUND, TOO_MANY, SERVER_TROUBLE = "no data found, symbol", 404, 429, 500
CANDIDATES = 5
PAUSE = 0.5  # seconds between requests, for Yahoo shuts out whoever asks too fast


@dataclass(frozen=True, slots=True)
class Answer:
    """What yfinance made of one answer: a frame of bars, and what Yahoo says of the instrument."""

    frame: Any
    about: Mapping[str, Any]


class Yahoo:
    """Fetches daily and intraday bars; fulfils `Provider`."""

    part = None
    readjusts = True

    def __init__(
        self,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        session: Any = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._patience = patience
        self._session = session
        self._now = now
        self._asked = False

    @classmethod
    def at(cls, place: Place, patience: Patience) -> Self:
        """Return the provider; it has one place only."""
        place.require_only("yfinance")
        return cls(patience)

    def symbol(self, name: str) -> str:
        """Return the symbol in Yahoo's spelling, which is upper case."""
        return name.strip().upper()

    def fetch(self, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime) -> Fetched:
        """Return the bars of a period, from what Yahoo has of it; yfinance makes the bars of 30 minutes itself."""
        if timeframe not in INTERVALS:
            raise UnknownNameError.among(f"timeframe of {SITE}", timeframe.value, INTERVALS, field="timeframe")
        name, first = named("yfinance", symbol, timeframe), self._first(timeframe, start)
        if self._asked:
            self._patience.wait(PAUSE)
        self._asked = True
        try:
            answer = self._patience.call(SITE, partial(self._ask, symbol, timeframe, first))
        except NothingFetchedError:
            raise nothing(name, first, end) from None
        rows = within(rows_of(answer.frame, timeframe), first, end)
        if not len(rows):
            raise nothing(name, first, end)
        cut = (f"{SITE} has {timeframe} bars of the last {DAYS_BACK[timeframe]} days only",) if first != start else ()
        notes = (*cut, *notes_on(answer, timeframe))
        return Fetched(name, rows, Reading(SITE, notes, symbol, timeframe, asset_of(symbol, answer.about)))

    def _first(self, timeframe: Timeframe, start: datetime | None) -> datetime | None:
        if timeframe not in DAYS_BACK:
            return start
        earliest = self._now() - timedelta(days=DAYS_BACK[timeframe])
        return max(start, earliest) if start else earliest

    def _ask(self, symbol: str, timeframe: Timeframe, start: datetime | None) -> Answer:
        library = yfinance()
        library.data.YfData.cache_get.cache_clear()  # else an answer cut off would be read again
        period = {"start": start if timeframe in DAYS_BACK else start.date()} if start else {"period": "max"}
        with self._told_apart(symbol):
            ticker = library.Ticker(symbol, session=self._session)
            frame = ticker.history(
                interval=INTERVALS[timeframe], auto_adjust=False, actions=True, timeout=TIMEOUT, **period
            )
            return Answer(frame, ticker.get_history_metadata())

    @contextmanager
    def _told_apart(self, symbol: str) -> Iterator[None]:
        """Tell failures that may pass from those that will not."""
        errors = yfinance().exceptions
        try:
            yield
        except errors.YFTzMissingError as error:
            raise self._unknown(symbol) from error
        except errors.YFPricesMissingError as error:
            if error.yahoo_reason is None:
                raise NothingFetchedError(str(error)) from error
            if NO_SERIES in error.yahoo_reason.lower():
                raise self._unknown(symbol) from error
            raise BacktestError(f"{SITE} refuses {symbol}: {error.yahoo_reason}", field="symbol") from error
        except (errors.YFRateLimitError, errors.YFDataException) as error:
            raise PassingError(str(error)) from error
        except (OSError, ValueError, KeyError, TypeError) as error:  # the network, or an answer cut off
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status == NOT_FOUND:
                raise self._unknown(symbol) from error
            raise PassingError(f"{type(error).__name__}: {str(error)[:120]}") from error

    def _unknown(self, symbol: str) -> UnknownNameError:
        """Return the error that offers what Yahoo's search finds, where it finds anything."""
        found: list[str] = []
        with suppress(Exception):  # a search that fails leaves the error as it is
            hits = yfinance().Search(symbol, max_results=CANDIDATES, news_count=0, session=self._session).quotes
            found = [f"{hit['symbol']} ({hit.get('shortname') or hit.get('quoteType')})" for hit in hits]
        offered = f"; did you mean one of {', '.join(found)}?" if found else ""
        return UnknownNameError(f"symbol: {SITE} has no {shown(symbol)}{offered}", field="symbol")


def yfinance() -> Any:
    """Return the library, told to raise what goes wrong instead of logging it."""
    try:
        import yfinance as library  # noqa: PLC0415 - an optional extra, and slow to import
    except ImportError as error:
        raise MissingExtraError("yfinance") from error
    library.config.debug.hide_exceptions = False
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    return library


def rows_of(frame: Any, timeframe: Timeframe) -> PriceRows:
    """Return a frame's rows; days start at 00:00 UTC of their own day.

    The splits are left out, for they are in the prices already; only days have an adjusted close of their own. A row
    without any price is no bar: yfinance makes one for a dividend that comes before its day's prices.
    """
    frame = frame.dropna(how="all", subset=["Open", "High", "Low", "Close"])
    daily = timeframe not in DAYS_BACK
    index = (frame.index.tz_localize(None) if daily else frame.index.tz_convert("UTC")).as_unit("ns")
    columns = {name: frame[name].to_numpy(np.float64, copy=True) for name in frame.columns if name != "Capital Gains"}
    rows = PriceRows(
        np.arange(1, len(frame) + 1, dtype=np.int64),
        np.array(index.asi8),
        *(columns[name] for name in ("Open", "High", "Low", "Close", "Volume")),
    )
    return replace(rows, adj_close=columns["Adj Close"], dividends=columns["Dividends"]) if daily else rows


def notes_on(answer: Answer, timeframe: Timeframe) -> tuple[str, ...]:
    """Say what is in the prices."""
    acted = answer.frame[answer.frame["Stock Splits"] != 0]["Stock Splits"]
    splits = ", ".join(f"{ratio:g} on {day:%Y-%m-%d}" for day, ratio in acted.items()) or "none"
    paid = int((answer.frame["Dividends"] != 0).sum())
    currency = answer.about.get("currency")
    adjusted = (
        f"splits ({splits}), adj_close for dividends too ({paid})" if timeframe not in DAYS_BACK else "splits only"
    )
    return (f"prices: in {currency}, adjusted for {adjusted}",)


def asset_of(symbol: str, about: Mapping[str, Any]) -> Asset:
    """Return the asset as Yahoo describes it, and what its symbol says where Yahoo says nothing."""
    guess = describe(symbol).asset
    return Asset(
        symbol,
        about.get("longName") or about.get("shortName") or guess.name,
        CLASSES.get(about.get("instrumentType", ""), guess.asset_class),
        str(about.get("currency") or guess.currency).upper(),
        MICS.get(about.get("exchangeName", ""), guess.exchange),
    )
