"""Every layout a user may bring is read as its tool wrote it: first row, last row, line, time and prices."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from backtesting.price_files import Hints, PriceFile, price_files, skipped_in
from backtesting.types import Floats, PriceRows, Reading, Timeframe, instant
from tests.fixtures import price_files as files
from tests.fixtures.price_files import gzipped, zipped

Row = tuple[int, str, float, float, float, float, float]
NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """A file, and what its first and last row say: line, UTC start, open, high, low, close, volume."""

    id: str
    file: str
    content: str | bytes
    layout: str
    first: Row
    last: Row
    hints: Hints = field(default_factory=Hints)
    symbol: str | None = None
    timeframe: Timeframe | None = None


def dated(rows: int, form: str = "%m/%d/%Y", start: str = "2020-01-01") -> str:
    """Return daily rows whose dates are written in this form."""
    days = pd.date_range(start, periods=rows).strftime(form)
    return "Date,Open,High,Low,Close\n" + "".join(f"{day},1,2,0.5,{place + 1}\n" for place, day in enumerate(days))


def frame(zone: str | None = "UTC", freq: str = "1min", name: str | None = None) -> pd.DataFrame:
    """Return four bars as pandas keeps them, from 2020-01-02 00:00 in the zone."""
    index = pd.date_range("2020-01-02", periods=4, freq=freq, tz=zone, name=name)
    close = np.arange(10.0, 14.0)
    columns = {"Open": close - 0.5, "High": close + 1, "Low": close - 1, "Close": close, "Volume": close * 100}
    return pd.DataFrame(columns, index=index)


def to_parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()


def to_feather(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.reset_index().to_feather(buffer)
    return buffer.getvalue()


def to_arrow(table: pa.Table, write: Callable[..., ipc.RecordBatchStreamWriter] = ipc.new_stream) -> bytes:
    buffer = io.BytesIO()
    with write(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def arrow_of(**columns: pa.Array) -> bytes:
    """Return two rows of Parquet with these columns beside four prices."""
    buffer = io.BytesIO()
    prices = {"open": [1.0, 1.5], "high": [2.0, 2.5], "low": [0.5, 1.0], "close": [1.5, 2.0], "volume": [10, 20]}
    parquet.write_table(pa.table(columns | prices), buffer)
    return buffer.getvalue()


MINUTE_BARS: tuple[Row, Row] = (
    (1, "2020-01-02T00:00", 9.5, 11, 9, 10, 1000),
    (4, "2020-01-02T00:03", 12.5, 14, 12, 13, 1300),
)
TWO_ROWS: tuple[Row, Row] = ((1, "2020-01-02", 1, 2, 0.5, 1.5, 10), (2, "2020-01-03", 1.5, 2.5, 1, 2, 20))
YAHOO_ROWS: tuple[Row, Row] = (
    (2, "2020-01-02", 74.059998, 75.150002, 73.797501, 75.087502, 135480400),
    (5, "2020-01-07", 74.959999, 75.224998, 74.370003, 74.597504, 108872000),
)
BINANCE_ROWS: tuple[Row, Row] = (
    (1, "2020-01-01T00:00", 7195.24, 7196.25, 7183.14, 7186.68, 51.642812),
    (2, "2020-01-01T00:01", 7187.67, 7188.06, 7182.2, 7184.03, 7.248148),
)
BY_NAME = "columns by name"
M1, M5, H1, D1 = Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.D1

TOOLS = [
    Case("yahoo", "AAPL.csv", files.YAHOO, "Yahoo Finance", *YAHOO_ROWS, symbol="AAPL"),
    Case(
        "yahoo with a dividend in words and notes below",
        "AAPL.csv",
        files.YAHOO_WITH_DIVIDEND,
        "Yahoo Finance",
        (2, "2020-02-10", 78.55, 80.39, 78.46, 80.39, 109348800),
        (4, "2020-02-07", 80.59, 80.85, 79.5, 80.01, 117684000),
    ),
    Case(
        "yfinance with a line of tickers",
        "prices.csv",
        files.YFINANCE,
        "yfinance",
        (4, "2020-01-02", 71.4766, 72.528585, 71.22326, 72.468262, 135480400),
        (5, "2020-01-03", 71.696167, 72.523754, 71.539329, 71.763725, 146322800),
        symbol="AAPL",
    ),
    Case(
        "yfinance, one of two tickers",
        "prices.csv",
        files.YFINANCE_TWO,
        "yfinance",
        (4, "2020-01-02", 151.03, 152.89, 150.59, 152.79, 22622100),
        (5, "2020-01-03", 150.6, 152.14, 150.34, 150.88, 21116200),
        Hints(symbol="msft"),
        symbol="msft",
    ),
    Case(
        "yfinance grouped by ticker",
        "prices.csv",
        files.YFINANCE_GROUPED,
        "yfinance",
        (4, "2020-01-02", 71.47, 72.52, 71.22, 72.46, 135480400),
        (5, "2020-01-03", 71.69, 72.52, 71.53, 71.76, 146322800),
        symbol="AAPL",
    ),
    Case(
        "yfinance history, days with New York's offset",
        "AAPL.csv",
        files.YFINANCE_HISTORY,
        "yfinance",
        (2, "2020-08-28", 122.94, 123.35, 121.64, 121.73, 187630000),
        (4, "2020-11-02", 106.43, 107.95, 104.64, 106.11, 122866900),
    ),
    Case(
        "yfinance intraday across the end of summer time",
        "AAPL_1m.csv",
        files.YFINANCE_INTRADAY,
        "yfinance",
        (2, "2020-10-30T19:59", 108.9, 109, 108.76, 108.87, 1500321),
        (4, "2020-11-02T14:31", 109.31, 109.35, 108.9, 108.95, 1120987),
        symbol="AAPL",
        timeframe=M1,
    ),
    Case("binance", "BTCUSDT-1m-2020-01.csv", files.BINANCE_MS, "Binance klines", *BINANCE_ROWS, timeframe=M1),
    Case(
        "binance zip as downloaded",
        "BTCUSDT-1m-2020-01.zip",
        zipped({"BTCUSDT-1m-2020-01.csv": files.BINANCE_MS.encode()}),
        "Binance klines",
        *BINANCE_ROWS,
        symbol="BTCUSDT",
        timeframe=M1,
    ),
    Case(
        "binance since 2025 in microseconds",
        "BTCUSDT-1m-2025-01.csv",
        files.BINANCE_US,
        "Binance klines",
        (1, "2025-01-01T00:00", 93576, 93610.93, 93537.5, 93610.93, 8.21827),
        (2, "2025-01-01T00:01", 93610.93, 93652, 93606.2, 93652, 10.6289),
    ),
    Case(
        "binance years joined, milliseconds and then microseconds",
        "BTCUSDT.csv",
        files.BINANCE_MS + files.BINANCE_US,
        "Binance klines",
        BINANCE_ROWS[0],
        (4, "2025-01-01T00:01", 93610.93, 93652, 93606.2, 93652, 10.6289),
    ),
    Case(
        "binance futures with a header",
        "BTCUSDT-1h-2023-01.csv",
        files.BINANCE_HEADED,
        "Binance klines",
        (2, "2023-01-01T00:00", 16537.5, 16540.9, 16504, 16527, 5381.399),
        (3, "2023-01-01T01:00", 16527.1, 16554.3, 16524.1, 16550.4, 3210.826),
        timeframe=H1,
    ),
    Case(
        "cryptodatadownload, newest first below its address",
        "Bitstamp_BTCUSD_1h.csv",
        files.CRYPTO_DATA_DOWNLOAD,
        "CryptoDataDownload",
        (3, "2020-04-16T00:00", 6640.05, 6640.05, 6601.13, 6610.22, 29.11),
        (4, "2020-04-15T23:00", 6645.01, 6652.11, 6630, 6640.05, 16.93),
        symbol="BTC/USD",
        timeframe=H1,
    ),
    Case(
        "metatrader 4",
        "EURUSD60.csv",
        files.METATRADER_4,
        "MetaTrader 4",
        (1, "2004-01-02T00:00", 1.2589, 1.2594, 1.2587, 1.2592, 45),
        (2, "2004-01-02T01:00", 1.2592, 1.2598, 1.259, 1.2595, 61),
        symbol="EURUSD",
        timeframe=H1,
    ),
    Case(
        "metatrader 4 at its broker's time",
        "EURUSD60.csv",
        files.METATRADER_4,
        "MetaTrader 4",
        (1, "2004-01-01T22:00", 1.2589, 1.2594, 1.2587, 1.2592, 45),
        (2, "2004-01-01T23:00", 1.2592, 1.2598, 1.259, 1.2595, 61),
        Hints(zone="Europe/Athens"),
    ),
    Case(
        "metatrader 5, ticks where the volume is zero",
        "EURUSD_M1_202001020000_202001020001.csv",
        files.METATRADER_5,
        "MetaTrader 5",
        (2, "2020-01-02T00:00", 1.12119, 1.12131, 1.12113, 1.12127, 75),
        (3, "2020-01-02T00:01", 1.12127, 1.12128, 1.1212, 1.12122, 31),
        symbol="EURUSD",
        timeframe=M1,
    ),
    Case(
        "metatrader 5 days in utf-16",
        "EURUSD_Daily.csv",
        files.METATRADER_5_DAILY.replace("\n", "\r\n").encode("utf-16"),
        "MetaTrader 5",
        (2, "2020-01-02", 1.12119, 1.12249, 1.11627, 1.11711, 52301),
        (3, "2020-01-03", 1.11703, 1.118, 1.1125, 1.11597, 63419),
        timeframe=D1,
    ),
    Case(
        "stooq",
        "aapl_us_d.csv",
        files.STOOQ.replace("\n", "\r\n"),
        "Stooq and others",
        (2, "1980-12-12", 0.0989, 0.0993, 0.0989, 0.0989, 2093600000),
        (3, "1980-12-15", 0.0942, 0.0942, 0.0938, 0.0938, 785200000),
        timeframe=D1,
    ),
    Case(
        "stooq bulk",
        "aapl.us.txt",
        files.STOOQ_BULK,
        "Stooq bulk",
        (2, "1984-09-07", 0.0998, 0.101, 0.0986, 0.0998, 97231000),
        (3, "1984-09-10", 0.0998, 0.1001, 0.0973, 0.0991, 75260000),
        symbol="AAPL.US",
        timeframe=D1,
    ),
    Case(
        "stooq bulk minutes",
        "aapl.us.txt",
        files.STOOQ_BULK_MINUTES,
        "Stooq bulk",
        (2, "2024-01-02T15:30", 187.15, 187.32, 186.3, 186.55, 1403244),
        (3, "2024-01-02T15:35", 186.54, 186.7, 186.11, 186.2, 803120),
        timeframe=M5,
    ),
    Case(
        "stooq in polish",
        "kgh_d.csv",
        files.STOOQ_POLISH,
        "Stooq (Polish)",
        (2, "2020-01-02", 86.1, 87.9, 85.95, 87.4, 1504213),
        (3, "2020-01-03", 87, 87.35, 85.6, 86.05, 1200310),
        symbol="KGH",
        timeframe=D1,
    ),
    Case(
        "tradingview seconds",
        "BATS_SPY, 5.csv",
        files.TRADINGVIEW,
        "TradingView",
        (2, "2020-01-02T14:30", 296.24, 296.87, 295.8, 296.1, 1204300),
        (3, "2020-01-02T14:35", 296.1, 296.5, 295.95, 296.31, 804300),
        symbol="SPY",
    ),
    Case(
        "tradingview iso",
        "BATS_SPY, 60.csv",
        files.TRADINGVIEW_ISO,
        "TradingView",
        (2, "2020-01-02T14:30", 296.24, 296.87, 295.8, 296.1, 1204300),
        (3, "2020-01-02T15:30", 296.1, 296.5, 295.95, 296.31, 804300),
        timeframe=H1,
    ),
    Case(
        "tradingview days, which carry the hour of the session's open",
        "BATS_AAPL, 1D.csv",
        files.TRADINGVIEW_DAILY,
        "TradingView",
        (2, "2020-01-02", 296.24, 300.6, 295.19, 300.35, 33911864),
        (5, "2020-03-10", 277.14, 286.44, 269.37, 285.34, 71322520),
        symbol="AAPL",
        timeframe=D1,
    ),
    Case(
        "investing, newest first with M and K",
        "AAPL Historical Data.csv",
        files.INVESTING,
        "Investing.com",
        (2, "2020-01-17", 316.27, 318.74, 315, 318.73, 34450000),
        (3, "2020-01-03", 297.15, 300.58, 296.5, 297.43, 1020),
        symbol="AAPL",
    ),
    Case(
        "investing in german",
        "DAX Historische Daten.csv",
        files.INVESTING_EUROPE,
        BY_NAME,
        (2, "2020-01-17", 1316.27, 1318.74, 1315, 1318.73, 34450000),
        (3, "2020-01-03", 1297.15, 1300.58, 1296.5, 1297.43, 1020),
    ),
    Case(
        "investing with months in words and a volume missing",
        "BTC_USD.csv",
        files.INVESTING_NAMES,
        "Investing.com",
        (2, "2020-01-17", 8722, 9012.2, 8678.5, 8929, 1150000),
        (3, "2020-01-03", 6967.1, 7413.7, 6914.9, 7347.4, NAN),
    ),
    Case(
        "nasdaq with dollars",
        "HistoricalData_1591234567890.csv",
        files.NASDAQ,
        "Nasdaq.com",
        (2, "2020-01-17", 316.27, 318.74, 315, 318.73, 34454120),
        (3, "2020-01-03", 297.15, 300.58, 296.5, 297.43, 36633880),
    ),
    Case(
        "alpha vantage",
        "daily_adjusted_AAPL.csv",
        files.ALPHA_VANTAGE,
        "Alpha Vantage",
        (2, "2020-08-31", 127.58, 131, 126, 129.04, 225702688),
        (3, "2020-08-28", 504.05, 505.77, 498.31, 499.23, 46907479),
        symbol="AAPL",
        timeframe=D1,
    ),
    Case(
        "alpha vantage's numbered names",
        "ibm_daily.csv",
        files.ALPHA_VANTAGE_JSON_NAMES,
        "Stooq and others",
        (2, "2020-01-03", 297.15, 300.58, 296.5, 297.43, 36633878),
        (3, "2020-01-02", 296.24, 300.6, 295.19, 300.35, 33911864),
        symbol="IBM",
        timeframe=D1,
    ),
    Case(
        "kraken",
        "XBTUSD_1.csv",
        files.KRAKEN,
        "Kraken OHLCVT",
        (1, "2020-01-01T00:00", 6411.6, 6411.6, 6411.6, 6411.6, 0.001),
        (2, "2020-01-01T00:01", 6411.7, 6412, 6411.7, 6411.9, 1.5123),
        symbol="XBTUSD",
    ),
    Case(
        "dukascopy",
        "EURUSD_Candlestick_1_M_BID_01.01.2020-13.01.2020.csv",
        files.DUKASCOPY,
        "Dukascopy",
        (2, "2020-01-01T22:00", 1.1212, 1.12131, 1.12113, 1.12127, 75.5),
        (3, "2020-01-13T22:01", 1.12127, 1.12128, 1.1212, 1.12122, 31.2),
        symbol="EURUSD",
        timeframe=M1,
    ),
    Case(
        "dukascopy with local offsets",
        "EURUSD.csv",
        files.DUKASCOPY_LOCAL.replace("13.01", "02.01"),
        "Dukascopy",
        (2, "2020-01-01T22:00", 1.1212, 1.12131, 1.12113, 1.12127, 75.5),
        (3, "2020-07-01T21:01", 1.12127, 1.12128, 1.1212, 1.12122, 31.2),
    ),
    Case(
        "polygon flat file in gz",
        "2024-01-02.csv.gz",
        gzipped(files.POLYGON.encode()),
        "Polygon flat file",
        (2, "2024-01-02T09:00", 185.31, 185.41, 185.11, 185.2, 4930),
        (3, "2024-01-02T09:01", 185.2, 185.23, 185.1, 185.18, 1815),
        symbol="AAPL",
    ),
    Case(
        "polygon, one of two tickers",
        "2024-01-02.csv",
        files.POLYGON_TWO,
        "Polygon flat file",
        (3, "2024-01-02T09:00", 373.86, 374.01, 373.8, 373.9, 1215),
        (4, "2024-01-02T09:01", 373.9, 374, 373.85, 373.95, 1815),
        Hints(symbol="MSFT"),
        symbol="MSFT",
    ),
    Case(
        "quandl",
        "WIKI-AAPL.csv",
        files.QUANDL,
        "Quandl",
        (2, "2014-06-09", 92.7, 93.88, 91.75, 93.7, 75415000),
        (3, "2014-06-10", 94.73, 95.05, 93.57, 94.25, 62777000),
    ),
    Case(
        "our own samples",
        "ibm_daily.csv",
        files.OUR_SAMPLE,
        "timestamp, prices and adj_close (our samples)",
        (2, "2000-03-01", 102, 105.5, 100.06, 100.25, 10807800),
        (3, "2000-03-02", 100.5, 105.44, 99.5, 103.12, 11192900),
        symbol="IBM",
        timeframe=D1,
    ),
    Case(
        "firstrate in New York time",
        "SPY_full_1min_adjsplitdiv.txt",
        files.FIRST_RATE,
        "FirstRate",
        (1, "2020-01-02T14:30", 296.24, 296.87, 295.8, 296.1, 1204300),
        (2, "2020-01-02T14:31", 296.1, 296.5, 295.95, 296.31, 804300),
        Hints(zone="America/New_York"),
        symbol="SPY",
        timeframe=M1,
    ),
    Case(
        "ninjatrader",
        "ES 03-20.Last.txt",
        files.NINJA_TRADER,
        "NinjaTrader or HistData",
        (1, "2020-01-02T09:30", 3237, 3238.25, 3236.5, 3237.75, 1204),
        (2, "2020-01-02T09:31", 3237.75, 3238, 3237, 3237.25, 804),
        symbol="ES",
    ),
    Case(
        "quantmod",
        "x.csv",
        files.QUANTMOD,
        "quantmod",
        (2, "2020-01-02", 74.06, 75.15, 73.8, 75.09, 135480400),
        (3, "2020-01-03", 74.29, 75.14, 74.12, 74.36, 146322800),
        symbol="AAPL",
    ),
    Case(
        "ccxt milliseconds a day apart",
        "BTC-USD.csv",
        files.CCXT,
        "Alpha Vantage and others",
        (2, "2020-01-01", 7195.24, 7255, 7175.15, 7200.85, 16792.388165),
        (4, "2020-01-03", 6965.49, 7405, 6871.04, 7344.96, 68428.500451),
        symbol="BTC-USD",
    ),
]

DIALECTS = [
    Case(
        "pandas csv with an unnamed index",
        "x_1m.csv",
        files.PANDAS_INDEX,
        BY_NAME,
        (2, "2020-01-02T14:30", 10, 11, 9, 10.5, 100),
        (3, "2020-01-02T14:31", 10.5, 11.5, 9.5, 11, 200),
    ),
    Case(
        "german numbers",
        "bmw.csv",
        files.GERMAN,
        BY_NAME,
        (2, "2020-01-02", 1102.5, 1110, 1099.75, 1108.25, 12345678),
        (3, "2020-01-03", 1108, 1109.5, 1100, 1101, 9876543),
    ),
    Case(
        "french names, gaps between thousands, latin-1",
        "cac.csv",
        files.FRENCH.encode("latin-1"),
        BY_NAME,
        (2, "2020-01-02", 1102.5, 1110, 1099.75, 1108.25, 12345),
        (3, "2020-01-13", 1108, 1109.5, 1100, 1101, 9876),
    ),
    Case(
        "indian lakhs",
        "NIFTY.csv",
        files.INDIAN,
        "Stooq and others",
        (2, "2020-01-02", 12198.55, 12222.2, 12195.25, 12182.2, 30407812),
        (3, "2020-01-03", 12196.35, 12207.45, 12191.55, 12226.65, 42812113),
    ),
    Case(
        "twelve-hour clock in a column of its own",
        "x.csv",
        files.AMERICAN_CLOCK,
        BY_NAME,
        (2, "2020-01-13T09:30", 10, 11, 9, 10.5, 100),
        (3, "2020-01-13T12:05", 10.5, 11.5, 9.5, 11, 200),
    ),
    Case(
        "tradestation, clock in four figures",
        "x.txt",
        files.TRADESTATION,
        BY_NAME,
        (2, "2020-01-17T09:31", 10.25, 11.5, 9.75, 10.5, 0),
        (3, "2020-01-17T09:32", 10.5, 11.75, 9.5, 11, 0),
    ),
    Case(
        "remarks, junk, blank lines, a second header and totals around the rows",
        "x.csv",
        files.REMARKS,
        BY_NAME,
        (6, "2020-01-02", 1.5, 2.5, 1, 2, 100),
        (11, "2020-01-06", 2.5, 3.5, 2, 3, 300),
    ),
    Case(
        "the header in a comment",
        "x.csv",
        "#Date,Open,High,Low,Close\n2020-01-02,1,2,0.5,1.5\n2020-01-03,1.5,2.5,1,2\n",
        "Stooq and others",
        (2, "2020-01-02", 1, 2, 0.5, 1.5, 0),
        (3, "2020-01-03", 1.5, 2.5, 1, 2, 0),
    ),
    Case(
        "rows that end in a separator",
        "x.csv",
        "Date,Open,High,Low,Close\n2020-01-02,1,2,0.5,1.5,\n2020-01-03,1.5,2.5,1,2,\n",
        "Stooq and others",
        (2, "2020-01-02", 1, 2, 0.5, 1.5, 0),
        (3, "2020-01-03", 1.5, 2.5, 1, 2, 0),
    ),
    Case(
        "a byte order mark and old Mac line ends",
        "x.tsv",
        b"\xef\xbb\xbf" + b"day\to\th\tl\tc\r2020-01-02\t1\t2\t0.5\t1.5\r2020-01-03\t1.5\t2.5\t1\t2\r",
        BY_NAME,
        (2, "2020-01-02", 1, 2, 0.5, 1.5, 0),
        (3, "2020-01-03", 1.5, 2.5, 1, 2, 0),
    ),
    Case(
        "utf-16 big-endian without a mark",
        "x.csv",
        "Date,Open,High,Low,Close\n2020-01-02,1,2,0.5,1.5\n2020-01-03,1.5,2.5,1,2\n".encode("utf-16-be"),
        "Stooq and others",
        (2, "2020-01-02", 1, 2, 0.5, 1.5, 0),
        (3, "2020-01-03", 1.5, 2.5, 1, 2, 0),
    ),
    Case(
        "days in figures",
        "x.csv",
        "20200102,1,2,0.5,1.5,10\n20200103,1.5,2.5,1,2,20\n",
        "columns by their kind and order",
        *TWO_ROWS,
    ),
    Case(
        "seconds in figures",
        "x.csv",
        "20200102093000,1,2,0.5,1.5,10\n20200102093100,1.5,2.5,1,2,20\n",
        "columns by their kind and order",
        (1, "2020-01-02T09:30", 1, 2, 0.5, 1.5, 10),
        (2, "2020-01-02T09:31", 1.5, 2.5, 1, 2, 20),
    ),
    Case(
        "a ticker before a headerless day",
        "x.txt",
        "JAKS,20050111,2.13,2.14,2.06,2.1,36190\nJAKS,20050112,2.1,2.2,2.05,2.15,40000\n",
        "columns by their kind and order",
        (1, "2005-01-11", 2.13, 2.14, 2.06, 2.1, 36190),
        (2, "2005-01-12", 2.1, 2.2, 2.05, 2.15, 40000),
        symbol="JAKS",
    ),
    Case(
        "headerless columns in another order, as said",
        "x.csv",
        "2020-01-02,1.5,2,0.5,1\n2020-01-03,2,2.5,1,1.5\n",
        "columns by their kind and order",
        (1, "2020-01-02", 1, 2, 0.5, 1.5, 0),
        (2, "2020-01-03", 1.5, 2.5, 1, 2, 0),
        Hints(columns={"open": "5", "high": "3", "low": "4", "close": "2"}),
    ),
    Case(
        "a column by the name it was said to have",
        "x.csv",
        "Date,Open,High,Low,Close,Fixing\n2020-01-02,1,2,0.5,9,1.5\n2020-01-03,1.5,2.5,1,9,2\n",
        BY_NAME,
        (2, "2020-01-02", 1, 2, 0.5, 1.5, 0),
        (3, "2020-01-03", 1.5, 2.5, 1, 2, 0),
        Hints(columns={"close": "fixing"}),
    ),
    Case(
        "month first, told by the 13th day",
        "x.csv",
        dated(13),
        "Stooq and others",
        (2, "2020-01-01", 1, 2, 0.5, 1, 0),
        (14, "2020-01-13", 1, 2, 0.5, 13, 0),
    ),
    Case(
        "day first, as said",
        "x.csv",
        dated(12, "%d/%m/%Y"),
        "Stooq and others",
        (2, "2020-01-01", 1, 2, 0.5, 1, 0),
        (13, "2020-01-12", 1, 2, 0.5, 12, 0),
        Hints(day_first=True),
    ),
    Case(
        "day before a month in words",
        "x.csv",
        dated(3, "%d-%b-%y").replace("-20,", "-2020,"),
        "Stooq and others",
        (2, "2020-01-01", 1, 2, 0.5, 1, 0),
        (4, "2020-01-03", 1, 2, 0.5, 3, 0),
    ),
    Case(
        "thousands behind commas, as said",
        "x.csv",
        "Date;Open;High;Low;Close\n2020-01-02;1,234;1,235;1,230;1,232\n2020-01-03;1,234;1,236;1,231;1,235\n",
        "Stooq and others",
        (2, "2020-01-02", 1234, 1235, 1230, 1232, 0),
        (3, "2020-01-03", 1234, 1236, 1231, 1235, 0),
        Hints(decimal_mark="."),
    ),
    Case(
        "nanoseconds in iso stamps",
        "x.csv",
        "time,o,h,l,c\n2020-01-02T22:00:00.000000000Z,1,2,0.5,1.5\n2020-01-02T22:05:00.000000000Z,1.5,2.5,1,2\n",
        BY_NAME,
        (2, "2020-01-02T22:00", 1, 2, 0.5, 1.5, 0),
        (3, "2020-01-02T22:05", 1.5, 2.5, 1, 2, 0),
    ),
    Case(
        "days of FX, which begin at 17:00 New York the evening before",
        "x.csv",
        "time,o,h,l,c\n2020-01-01T22:00:00Z,1,2,0.5,1.5\n2020-01-02T22:00:00Z,1,2,0.5,1.5\n"
        "2020-01-05T22:00:00Z,1.5,2.5,1,2\n",
        BY_NAME,
        (2, "2020-01-02", 1, 2, 0.5, 1.5, 0),
        (4, "2020-01-06", 1.5, 2.5, 1, 2, 0),
    ),
    Case(
        "days of Google Sheets, which carry the hour of the close",
        "x.csv",
        "Date,Open,High,Low,Close\n1/16/2020 16:00:00,1,2,0.5,1.5\n1/17/2020 16:00:00,1,2,0.5,1.5\n"
        "1/21/2020 16:00:00,1.5,2.5,1,2\n",
        "Stooq and others",
        (2, "2020-01-16", 1, 2, 0.5, 1.5, 0),
        (4, "2020-01-21", 1.5, 2.5, 1, 2, 0),
    ),
]

COLUMNAR = [
    Case("parquet of pandas", "x_1m.parquet", to_parquet(frame()), BY_NAME, *MINUTE_BARS, timeframe=M1),
    Case("parquet without a zone", "x_1m.parquet", to_parquet(frame(None)), BY_NAME, *MINUTE_BARS),
    Case(
        "parquet, minutes in New York",
        "x.parquet",
        to_parquet(frame("America/New_York")),
        BY_NAME,
        (1, "2020-01-02T05:00", 9.5, 11, 9, 10, 1000),
        (4, "2020-01-02T05:03", 12.5, 14, 12, 13, 1300),
    ),
    Case(
        "parquet, days in New York",
        "x.parquet",
        to_parquet(frame("America/New_York", "1D", "Date")),
        BY_NAME,
        (1, "2020-01-02", 9.5, 11, 9, 10, 1000),
        (4, "2020-01-05", 12.5, 14, 12, 13, 1300),
    ),
    Case("feather of pandas", "x.feather", to_feather(frame()), BY_NAME, *MINUTE_BARS),
    Case(
        "arrow stream",
        "x.arrows",
        to_arrow(pa.Table.from_pandas(frame())),
        BY_NAME,
        *MINUTE_BARS,
    ),
    Case("arrow file", "x.arrow", to_arrow(pa.Table.from_pandas(frame()), ipc.new_file), BY_NAME, *MINUTE_BARS),
    Case(
        "parquet with days",
        "x.parquet",
        arrow_of(date=pa.array([18263, 18264], pa.date32())),
        "Stooq and others",
        *TWO_ROWS,
    ),
    Case(
        "parquet with days in figures",
        "x.parquet",
        arrow_of(date=pa.array([20200102, 20200103])),
        "Stooq and others",
        *TWO_ROWS,
    ),
    Case(
        "parquet with days in text",
        "x.parquet",
        arrow_of(date=pa.array(["2020-01-02", "2020-01-03"])),
        "Stooq and others",
        *TWO_ROWS,
    ),
    Case(
        "parquet with tickers in a dictionary",
        "x.parquet",
        arrow_of(date=pa.array(["2020-01-02", "2020-01-03"]), ticker=pa.array(["A", "A"]).dictionary_encode()),
        BY_NAME,
        *TWO_ROWS,
        symbol="A",
    ),
    Case(
        "parquet with milliseconds",
        "x.parquet",
        arrow_of(open_time=pa.array([1577923200000, 1578009600000])),
        BY_NAME,
        *TWO_ROWS,
    ),
]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, hints: Hints | None = None, rows: int = 500_000) -> tuple[Reading, list[PriceRows]]:
    (file,) = price_files(path, hints or Hints())
    chunks = list(file.chunks(rows))
    return file.reading(), chunks


def row(rows: PriceRows, place: int) -> list[str]:
    prices = (rows.open, rows.high, rows.low, rows.close, rows.volume)
    return [
        f"{rows.line[place]}",
        f"{instant(rows.time[place]):%Y-%m-%dT%H:%M:%S.%f}",
        *(f"{each[place]}" for each in prices),
    ]


def expected(row_: Row) -> list[str]:
    line, time, *prices = row_
    return [f"{line}", f"{datetime.fromisoformat(time):%Y-%m-%dT%H:%M:%S.%f}", *(f"{float(price)}" for price in prices)]


@pytest.mark.parametrize("case", [*TOOLS, *DIALECTS, *COLUMNAR], ids=lambda case: case.id)
def test_a_file_is_read_as_its_tool_wrote_it(case: Case, tmp_path: Path) -> None:
    reading, chunks = read(written(tmp_path, case.file, case.content), case.hints)

    assert reading.layout == case.layout
    assert row(chunks[0], 0) == expected(case.first)
    assert row(chunks[-1], -1) == expected(case.last)
    assert case.symbol in (None, reading.symbol)
    assert case.timeframe in (None, reading.timeframe)


def test_dividends_in_words_and_null_cells_are_rows_without_prices(tmp_path: Path) -> None:
    reading, (table,) = read(written(tmp_path, "AAPL.csv", files.YAHOO_WITH_DIVIDEND))
    _, (download,) = read(written(tmp_path, "AAPL2.csv", files.YAHOO))

    assert np.isnan([table.open[1], table.close[1], table.volume[1]]).all() and table.line.tolist() == [2, 3, 4]
    assert np.isnan([download.open[2], download.volume[2]]).all() and instant(download.time[2]).day == 6
    assert "rows with a dividend or split in words are kept without prices" in reading.notes


def test_adjusted_closes_splits_and_dividends_are_kept_and_no_split_is_one(tmp_path: Path) -> None:
    _, (yahoo,) = read(written(tmp_path, "1.csv", files.YFINANCE_UNADJUSTED))
    _, (vantage,) = read(written(tmp_path, "2.csv", files.ALPHA_VANTAGE))
    _, (quandl,) = read(written(tmp_path, "3.csv", files.QUANDL))

    assert listed(yahoo.splits) == [1, 4] and listed(yahoo.dividends) == [0, 0.2]
    assert listed(yahoo.adj_close) == [121.73, 125.88]
    assert listed(vantage.splits) == [4, 1] and listed(vantage.dividends) == [0, 0.21]
    assert listed(vantage.adj_close) == [126.8, 122.6]
    assert listed(quandl.splits) == [7, 1] and listed(quandl.adj_close) == [89.29, 89.82]


@pytest.mark.parametrize("content", [files.YFINANCE_HISTORY, files.YFINANCE_ACTIONS, "parquet"])
def test_adjusted_prices_of_yfinance_are_not_adjusted_again(content: str, tmp_path: Path) -> None:
    history = pd.read_csv(io.StringIO(files.YFINANCE_HISTORY), index_col="Date")
    history.index = pd.to_datetime(history.index, utc=True).tz_convert("America/New_York")
    file = to_parquet(history) if content == "parquet" else content

    reading, (rows,) = read(written(tmp_path, "AAPL.csv", file))

    assert reading.layout == "yfinance" and any("not applied to them again" in note for note in reading.notes)
    assert rows.splits is None and rows.dividends is None
    assert listed(rows.adj_close)[:2] == rows.close.tolist()[:2] == [121.73, 125.88]


def test_intraday_prices_of_yfinance_have_no_adjusted_close(tmp_path: Path) -> None:
    _, (rows,) = read(written(tmp_path, "AAPL_1m.csv", files.YFINANCE_INTRADAY))

    assert rows.adj_close is None and rows.splits is None and rows.dividends is None


def listed(column: Floats | None) -> list[float]:
    assert column is not None
    return column.tolist()


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        (
            files.FRENCH.encode("latin-1"),
            ["encoding: Windows-1252 or Latin-1", "separator: semicolon", "decimal mark: comma"],
        ),
        (
            files.METATRADER_5.encode("utf-16"),
            ["encoding: UTF-16-LE", "separator: tab", "columns left out: '<VOL>', '<SPREAD>'"],
        ),
        (files.BINANCE_US, ["header: none", "time: microseconds since 1970, told by their size"]),
        (files.FIRST_RATE, ["zone: UTC, for the file names no zone; say zone where that is wrong"]),
        (files.REMARKS, ["comment lines left out at the top: 2", "lines left out at the top: 1, from 'Symbol:;AAPL'"]),
        (files.REMARKS, ["line left out at the end: '(3 rows)'", "line left out at the end: 'Total||||600|'"]),
        (files.REMARKS, ["comment lines and repeated headers between the rows are left out"]),
        (files.YFINANCE, ["header: line 1 and the 2 below it", "symbol: AAPL, from the file's ticker"]),
        (files.YAHOO, ["days: each bar starts at 00:00 UTC of its day", "symbol: MSFT, from the file's name"]),
        (
            files.YFINANCE_HISTORY,
            ["daily bars: each starts at 00:00 UTC of its day in its own zone"],
        ),
        (files.TRADESTATION, ["volume: no such column, 0 in every row", "columns left out: 'Up', 'Down'"]),
        (dated(13), ["dates: month before day"]),
    ],
)
def test_the_reading_names_every_choice_made(content: str | bytes, notes: list[str], tmp_path: Path) -> None:
    reading, _ = read(written(tmp_path, "MSFT.csv", content))

    assert set(notes) <= set(reading.notes)


def test_rows_come_in_chunks_no_larger_than_asked_for(tmp_path: Path) -> None:
    _, chunks = read(written(tmp_path, "x.csv", dated(13)), rows=5)

    assert [len(chunk) for chunk in chunks] == [5, 5, 3]
    assert np.concatenate([chunk.close for chunk in chunks]).tolist() == list(range(1, 14))


@pytest.fixture(scope="session")
def minutes() -> list[str]:
    """The lines of more minutes than are read at once, all in the first twelve days of months."""
    stamps = pd.date_range("2000-01-01", periods=1_000_000, freq="1min")
    stamps = stamps[stamps.day <= 12][:300_000]
    return [
        "Date,Open,High,Low,Close,Volume",
        *(f"{stamp},1.5,2.5,0.5,2.25,100" for stamp in stamps.strftime("%d/%m/%Y %H:%M")),
    ]


def test_a_date_far_down_tells_day_from_month(minutes: list[str], tmp_path: Path) -> None:
    late = "\n".join([*minutes, "13/12/2001 00:00,1,2,0.5,1.5,10"])

    _, chunks = read(written(tmp_path, "x.csv", late))

    assert len(chunks) > 1
    assert row(chunks[0], 1) == expected((3, "2000-01-01T00:01", 1.5, 2.5, 0.5, 2.25, 100))
    assert row(chunks[-1], -1) == expected((300_002, "2001-12-13", 1, 2, 0.5, 1.5, 10))


def test_an_oddity_far_down_does_not_move_the_lines(minutes: list[str], tmp_path: Path) -> None:
    odd = [
        *minutes[:250_000],
        "",
        "# a remark",
        '"13/12/2001 00:00","1,000.5",2000,"$0.5",1.5,10',
        *minutes[250_000:250_010],
    ]

    _, chunks = read(written(tmp_path, "x.csv.gz", gzipped("\r\n".join(odd).encode())))

    last = chunks[-1]
    assert (
        last.open[-11] == 1000.5
        and last.low[-11] == 0.5
        and last.line[-12:].tolist() == [250_000, *range(250_003, 250_014)]
    )


def test_a_zip_gives_one_file_for_each_member_that_is_a_table(tmp_path: Path) -> None:
    members = {"b/AAPL.csv": files.YAHOO, "a/MSFT.csv": files.STOOQ, "__MACOSX/._MSFT.csv": "x", "README.md": "x"}
    path = written(tmp_path, "prices.zip", zipped({name: text.encode() for name, text in members.items()}))

    found = price_files(path)

    assert [(file.name, file.reading().symbol) for file in found] == [
        ("prices.zip: a/MSFT.csv", "MSFT"),
        ("prices.zip: b/AAPL.csv", "AAPL"),
    ]


def test_a_folder_gives_its_price_files_in_order_and_names_the_others(tmp_path: Path) -> None:
    (tmp_path / "crypto").mkdir()
    for name in ("b.csv", "a.txt", "notes.md", ".hidden.csv", "crypto/c.csv"):
        written(tmp_path, name, files.STOOQ)
    written(tmp_path, "z.zip", zipped({"m.csv": files.STOOQ.encode(), "n.csv": files.STOOQ.encode()}))

    found = price_files(tmp_path)

    assert [file.name for file in found] == ["a.txt", "b.csv", "c.csv", "z.zip: m.csv", "z.zip: n.csv"]
    assert skipped_in(tmp_path) == [
        ".hidden.csv: left out, it is hidden or has no known ending",
        "notes.md: left out, it is hidden or has no known ending",
    ]


def test_a_hinted_zone_is_the_day_of_daily_stamps_in_utc(tmp_path: Path) -> None:
    stamps = ("2020-01-02T05:00:00Z", "2020-07-02T04:00:00Z", "2020-07-03T04:00:00Z")
    midnights = "time,o,h,l,c\n" + "".join(f"{stamp},1,2,0.5,1.5\n" for stamp in stamps)

    _, (rows,) = read(written(tmp_path, "x.csv", midnights), Hints(zone="America/New_York"))

    assert [f"{instant(time):%m-%d %H:%M}" for time in rows.time] == ["01-02 00:00", "07-02 00:00", "07-03 00:00"]


def test_a_hinted_zone_is_the_day_of_daily_counts_too(tmp_path: Path) -> None:
    midnights = "time,o,h,l,c\n" + "".join(f"{1577890800 + day * 86400},1,2,0.5,1.5\n" for day in range(3))

    reading, (rows,) = read(written(tmp_path, "x.csv", midnights), Hints(zone="Asia/Tokyo"))

    assert [f"{instant(time):%m-%d %H:%M}" for time in rows.time] == ["01-02 00:00", "01-03 00:00", "01-04 00:00"]
    assert "daily bars: each starts at 00:00 UTC of its day in Asia/Tokyo" in reading.notes


def test_local_times_become_utc_by_the_offset_of_their_own_day(tmp_path: Path) -> None:
    stamps = (
        "2020-03-06 09:30",
        "2020-03-08 01:59",
        "2020-03-08 03:00",
        "2020-03-09 09:30",
        "2020-11-01 00:59",
        "2020-11-01 02:00",
    )
    content = "time,o,h,l,c\n" + "".join(f"{stamp},1,2,0.5,1.5\n" for stamp in stamps)

    _, (rows,) = read(written(tmp_path, "x.csv", content), Hints(zone="America/New_York"))

    assert [f"{instant(time):%d %H:%M}" for time in rows.time] == [
        "06 14:30",
        "08 06:59",
        "08 07:00",
        "09 13:30",
        "01 04:59",
        "01 07:00",
    ]


@pytest.mark.parametrize(
    ("name", "symbol", "timeframe"),
    [
        ("AAPL.csv", "AAPL", None),
        ("ibm_daily.csv", "IBM", D1),
        ("EURUSD60.csv", "EURUSD", H1),
        ("EURUSDM15.csv", "EURUSD", Timeframe.M15),
        ("EURUSD_M15.csv", "EURUSD", Timeframe.M15),
        ("BTCUSDT-1m-2024-01.csv", "BTCUSDT", M1),
        ("BTC-USD.csv", "BTC-USD", None),
        ("BRK-B.csv", "BRK-B", None),
        ("Binance_ETHUSDT_d.csv", "ETHUSDT", D1),
        ("intraday_5min_IBM.csv", "IBM", M5),
        ("XBTUSD_1440.csv", "XBTUSD", D1),
        ("BINANCE_BTCUSDT, 240_a1b2c.csv", "BTCUSDT", Timeframe.H4),
        ("DAT_ASCII_EURUSD_M1_2020.csv", "EURUSD", M1),
        ("DAX30.csv", "DAX30", None),
        ("prices.csv", None, None),
        ("2024-01-02.csv", None, None),
    ],
)
def test_a_files_name_may_tell_symbol_and_timeframe(
    name: str, symbol: str | None, timeframe: Timeframe | None, tmp_path: Path
) -> None:
    reading = PriceFile(written(tmp_path, name, files.TRADINGVIEW)).reading()

    assert (reading.symbol, reading.timeframe) == (symbol, timeframe)
