"""What a file's name says of its symbol and timeframe."""

import re

from backtesting.types import Timeframe

MINUTES = {1: "1m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d", 10080: "1w"}
WORDS = {"d": "1d", "day": "1d", "daily": "1d", "h": "1h", "hour": "1h", "hourly": "1h", "minute": "1m", "min": "1m"}
WORDS |= {"w": "1w", "week": "1w", "weekly": "1w", "eod": "1d"}
UNITS = {"m": "m", "min": "m", "minute": "m", "minutes": "m", "t": "m", "h": "h", "hour": "h", "hours": "h", "hr": "h"}
UNITS |= {"d": "d", "day": "d", "w": "w", "week": "w"}
# Names of sites, tools and sheets that stand beside the symbol or in its place.
OTHER_WORDS = frozenset(
    word
    for line in (
        "binance bitstamp bitfinex coinbase kraken gemini ftx poloniex okx okex bybit kucoin huobi bats nasdaq nyse",
        "oanda fx forexcom capitalcom historical historicaldata data prices price stock stocks history quotes quote",
        "table candlestick candles klines bid ask mid dat ascii mt nt full adjsplitdiv adjusted unadjusted adjsplit",
        "last ohlc ohlcv ohlcvt intraday chart export download output sample file bars series market spot futures",
        "perp test new copy of the utc gmt t m all part monthly time rates import",
    )
    for word in line.split()
)
SYMBOL = re.compile(r"[A-Za-z^][A-Za-z0-9^=]{0,19}")
JOINED = re.compile(
    r"[A-Za-z0-9]{1,10}-(?:USDT?|USDC|EUR|GBP|BTC|ETH|[A-D])|[A-Za-z]{1,6}\.[A-Za-z]{1,3}|[A-Za-z]{1,6}=[XF]"
)
PAIR_AND_MINUTES = re.compile(r"([A-Za-z]{6,12}?)(1440|10080|240|60|30|15|5|1|M1|M5|M15|M30|H1|H4|D1|W1)")
LONG_MINUTES = ("60", "240", "1440", "10080")


def timeframe_of(text: str) -> Timeframe | None:
    """Return the timeframe a word stands for: `1h`, `M15`, `15min`, `daily`, `240`, None where it is none."""
    word = text.strip().lower()
    if word in WORDS:
        return Timeframe(WORDS[word])
    if word.isdigit():
        name = MINUTES.get(int(word[:6]))
        return Timeframe(name) if name else None
    match = re.fullmatch(r"(\d{1,4})[ _-]?([a-z]+)", word)
    count, unit = (match[1], match[2]) if match else (word[1:], word[:1])
    named = f"{count}{UNITS.get(unit, '')}"
    if named.endswith("m") and count.isdigit():
        named = MINUTES.get(int(count), "")
    return Timeframe(named) if named in set(Timeframe) else None


def named_in(stem: str) -> tuple[str | None, Timeframe | None]:
    """Return the symbol and the timeframe in a file's name, each None where it names none."""
    if match := PAIR_AND_MINUTES.fullmatch(stem):
        return match[1].upper(), timeframe_of(match[2])
    joined = re.sub(r"(?i)(\d+)_(m|h|d|hour|min)(?=_|$)", r"\1\2", stem)
    words = [word for word in re.split(r"[\s_,()]+", joined) if word]
    words = [part for word in words for part in ([word] if JOINED.fullmatch(word) else re.split(r"[-.]", word))]
    frames = [frame for word in words if (frame := _frame(word)) is not None]
    symbols = [word for word in words if _is_symbol(word)]
    return (symbols[0].upper() if symbols else None), (frames[0] if frames else None)


def _frame(word: str) -> Timeframe | None:
    """Return the timeframe of a word in a name, in which short figures and single letters mean other things."""
    if word.lower() in {"t", "m", "w"} or (word.isdigit() and word not in LONG_MINUTES):
        return None
    return timeframe_of(word)


def _is_symbol(word: str) -> bool:
    if JOINED.fullmatch(word):
        return True
    return bool(SYMBOL.fullmatch(word)) and word.lower() not in OTHER_WORDS and timeframe_of(word) is None
