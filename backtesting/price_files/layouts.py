"""The layouts known by name: one line each, the tools' own order of columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

BROKER = "MetaTrader stamps are its broker's server time, often UTC+2 or +3; say zone where that matters"
EASTERN = "FirstRate stamps are New York time; say zone America/New_York"
ADJUSTED = "yfinance prices are adjusted already: its splits and dividends are not applied to them again"
STARTS = "NinjaTrader stamps a bar's end, HistData (in EST without summer time) its start: read as the start"


@dataclass(frozen=True, slots=True)
class Layout:
    """A tool's layout: the names of its columns as `key` writes them, or the kinds of a headerless file's cells.

    `adjusted` says that its prices are adjusted by the splits and dividends in its columns already.
    """

    name: str
    columns: str
    headed: bool = True
    caution: str | None = None
    adjusted: bool = False


LAYOUTS = (
    Layout("Binance klines", "opentime open high low close volume closetime *"),
    Layout("Binance klines", "[mu]s n n n n n [mu]s n n n n n", headed=False),
    Layout("CryptoDataDownload", "unix date symbol open high low close volume*"),
    Layout("CryptoDataDownload", "date symbol open high low close volume*"),
    Layout("Kraken OHLCVT", "s n n n n n n", headed=False),
    Layout("cryptoarchive", "s n n n n n n n n n", headed=False),
    Layout("MetaTrader 5", "date time open high low close tickvol vol spread", caution=BROKER),
    Layout("MetaTrader 5", "date open high low close tickvol vol spread"),
    Layout("MetaTrader 4", "day.dots clock n n n n n", headed=False, caution=BROKER),
    Layout("Stooq bulk", "ticker per date time open high low close vol openint"),
    Layout("Stooq and others", "date open high low close volume"),
    Layout("Stooq and others", "date open high low close"),
    Layout("Stooq (Polish)", "data otwarcie najwyzszy najnizszy zamkniecie*"),
    Layout("Yahoo Finance", "date open high low close adjclose volume"),
    Layout("Yahoo Finance (web table)", "date open high low closeclose* adjcloseadj* volume"),
    Layout("yfinance", "levels date*adjclose*"),
    Layout("yfinance", "levels date*dividends*stocksplits*", caution=ADJUSTED, adjusted=True),
    Layout("yfinance", "levels date*"),
    Layout("yfinance", "date open high low close adjclose volume dividends stocksplits*"),
    Layout("yfinance", "date open high low close volume dividends stocksplits*", caution=ADJUSTED, adjusted=True),
    Layout("yfinance", "open high low close volume dividends stocksplits* date", caution=ADJUSTED, adjusted=True),
    Layout("yfinance", "datetime* dividends stocksplits*", caution=ADJUSTED, adjusted=True),
    Layout("yfinance", "datetime open high low close volume*"),
    Layout("yfinance", "datetime open high low close adjclose volume"),
    Layout("yfinance", "date* close high low open volume"),
    Layout("yfinance", "date* adjclose close high low open volume"),
    Layout("Investing.com", "date price open high low vol change"),
    Layout("Investing.com", "date price open high low change"),
    Layout("Nasdaq.com", "date closelast volume open high low"),
    Layout("Alpha Vantage", "timestamp open high low close adjustedclose volume dividendamount splitcoefficient"),
    Layout("Alpha Vantage and others", "timestamp open high low close volume"),
    Layout("timestamp, prices and adj_close (our samples)", "timestamp open high low close volume adjclose"),
    Layout("Dukascopy", "gmttime open high low close volume"),
    Layout("Dukascopy", "localtime open high low close volume"),
    Layout("Polygon flat file", "ticker volume open close high low windowstart transactions"),
    Layout("Tiingo", "date close high low open volume adjclose adjhigh adjlow adjopen adjvolume divcash splitfactor"),
    Layout("Quandl", "date open high low close volume exdividend splitratio adj*"),
    Layout("TradingView", "time open high low close*"),
    Layout("quantmod", "levels index open high low close volume adjusted"),
    Layout("NinjaTrader or HistData", "second.tight n n n n n", headed=False, caution=STARTS),
    Layout("FirstRate", "second n n n n n", headed=False, caution=EASTERN),
    Layout("FirstRate", "day n n n n n", headed=False),
)
BY_NAME, BY_KIND = "columns by name", "columns by their kind and order"


def layout_of(columns: Sequence[str], *, headed: bool) -> Layout:
    """Return the first known layout with these columns, or the general one."""
    line = " ".join(columns)
    general = Layout(BY_NAME if headed else BY_KIND, "*", headed)
    return next((each for each in LAYOUTS if each.headed is headed and fnmatchcase(line, each.columns)), general)
