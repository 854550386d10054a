"""A crypto exchange through ccxt: the only module that knows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Self

import numpy as np

from backtesting.assets import aliases, describe
from backtesting.errors import BacktestError, UnknownNameError
from backtesting.providers.errors import MissingExtraError, PassingError
from backtesting.providers.fetched import Fetched, named, nothing
from backtesting.providers.patience import TIMEOUT, Patience
from backtesting.sessions import STEP
from backtesting.types import Place, PriceRows, Reading, Timeframe, nanoseconds

MILLISECOND = 1_000_000
PARTS = 20_000
USUAL_PAGE = 500
BAR = ("time", "open", "high", "low", "close", "volume")

Page = list[list[Any]]


class CcxtExchange:
    """Fetches the bars of one exchange page by page, no faster than the exchange allows; fulfils `Provider`.

    A long history is fetched in parts that are stored one by one: what a part has brought stays when the next one
    fails, and the next run goes on behind the last stored bar (or, filling backwards, before the first one).
    """

    part = PARTS
    readjusts = False

    def __init__(self, exchange: Any, patience: Patience = Patience()) -> None:  # noqa: B008 - frozen
        self._exchange = exchange
        self._exchange.enableLastJsonResponse = True
        self._patience = patience
        self._name = f"ccxt {exchange.id}"

    @classmethod
    def at(cls, place: Place, patience: Patience) -> Self:
        """Return the provider of an exchange; UnknownNameError offers the nearest one."""
        place.require_only("ccxt", "exchange")
        if place.exchange is None:
            raise BacktestError("exchange: say which one, for example binance, kraken or coinbase", field="exchange")
        library = ccxt()
        if place.exchange.lower() not in library.exchanges:
            raise UnknownNameError.among("exchange", place.exchange, library.exchanges, field="exchange")
        make: Callable[[dict[str, Any]], Any] = getattr(library, place.exchange.lower())
        return cls(make({"enableRateLimit": True, "timeout": round(TIMEOUT * 1000)}), patience)

    def symbol(self, name: str) -> str:
        """Return the symbol as ccxt writes it, BTC/USDT for btcusdt; UnknownNameError offers the nearest one."""
        asked = name.strip().upper()
        spelled = [asked, *aliases(asked).same]
        for each in spelled:
            if each in self._markets:
                return each
        for each in spelled:
            if each in self._exchange.markets_by_id:
                return str(self._exchange.market(each)["symbol"])
        raise UnknownNameError.among(f"symbol of {self._exchange.id}", name, self._markets, field="symbol")

    def fetch(self, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime) -> Fetched:
        """Return the bars of a period, which has to have a start; volumes are in the base currency."""
        name = named(self._name, symbol, timeframe)
        if start is None:
            raise BacktestError("start: say from which day on, for an exchange does not tell its first", field="start")
        self._check(timeframe)
        pages = list(self._pages(symbol, timeframe, nanoseconds(start), nanoseconds(end)))
        if not pages:
            raise nothing(name, start, end)
        rows = rows_of(pages)
        if (rows.time % STEP[timeframe]).any():
            raise BacktestError(
                f"{name}: its bars do not start at whole {timeframe} in UTC; fetch finer ones", field="timeframe"
            )
        asset = describe(symbol, exchange=self._exchange.id).asset
        notes = (f"volume: in {symbol.partition('/')[0]}", f"pages: {len(pages)}")
        return Fetched(name, rows, Reading(self._name, notes, symbol, timeframe, asset))

    @cached_property
    def _markets(self) -> dict[str, Any]:
        markets: dict[str, Any] = self._patience.call(self._exchange.id, self._told(self._exchange.load_markets))
        return markets

    def _check(self, timeframe: Timeframe) -> None:
        """Refuse what the exchange has not, and weeks, which start on another day at every exchange."""
        known = [each for each in Timeframe if each in (self._exchange.timeframes or ()) and each is not Timeframe.W1]
        if timeframe not in known:
            raise UnknownNameError.among(f"timeframe of {self._exchange.id}", timeframe.value, known, field="timeframe")

    def _pages(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> Iterator[Page]:
        """Yield the pages with bars; an empty one may be before the first bar of all, or in a long outage."""
        step, size = STEP[timeframe], self._page_size(symbol)
        while start < end:
            ask = partial(self._exchange.fetch_ohlcv, symbol, timeframe.value, start // MILLISECOND, size)
            page = self._patience.call(self._exchange.id, self._told(partial(checked, ask)))
            times = [bar[0] * MILLISECOND for bar in page]
            if times and times[0] >= end:  # some exchanges answer with their earliest bars, or their latest
                return
            wanted = [bar for bar, time in zip(page, times, strict=True) if start <= time < end]
            if wanted:
                yield wanted
            start = wanted[-1][0] * MILLISECOND + step if wanted else start + size * step

    def _page_size(self, symbol: str) -> int:
        market = self._markets[symbol]
        of_type = self._exchange.feature_value_by_type
        return int(of_type(market["type"], market["subType"], "fetchOHLCV", "limit", USUAL_PAGE) or USUAL_PAGE)

    def _told(self, request: Callable[[], Any]) -> Callable[[], Any]:
        def told() -> Any:
            with told_apart(self._exchange.id):
                answer = request()
                if self._exchange.last_json_response is None:  # of an answer cut off, ccxt makes an empty page
                    raise ValueError("an answer that is cut off")
                return answer

        return told


@contextmanager
def told_apart(exchange: str) -> Iterator[None]:
    """Tell failures that may pass from those that will not."""
    library = ccxt()
    try:
        yield
    except library.OperationFailed as error:  # the network, rate limits, maintenance, answers without sense
        raise PassingError(f"{type(error).__name__}: {str(error)[:120]}") from error
    except library.BaseError as error:
        raise BacktestError(f"{exchange} refuses: {type(error).__name__}: {str(error)[:200]}") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        # what ccxt's parsers make of an answer that was cut off
        raise PassingError(f"an answer that is none of {exchange}'s: {str(error)[:80]}") from error


def checked(ask: Callable[[], Page]) -> Page:
    """Return a page of bars in order of time; ValueError where it is none."""
    page = ask()
    if not all(len(bar) >= len(BAR) and isinstance(bar[0], int) for bar in page):
        raise ValueError("a page that is no list of bars")
    return sorted(page, key=lambda bar: int(bar[0]))


def rows_of(pages: list[Page]) -> PriceRows:
    """Return the rows of all pages; a price that is missing is NaN."""
    bars = [bar for page in pages for bar in page]
    open_, high, low, close, volume = (np.array([bar[place] for bar in bars], np.float64) for place in range(1, 6))
    time = np.array([bar[0] for bar in bars], np.int64) * MILLISECOND
    return PriceRows(np.arange(1, len(bars) + 1, dtype=np.int64), time, open_, high, low, close, volume)


def ccxt() -> Any:
    """Return the library."""
    try:
        import ccxt as library  # noqa: PLC0415 - an optional extra, and slow to import
    except ImportError as error:
        raise MissingExtraError("ccxt") from error
    return library
