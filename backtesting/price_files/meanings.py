"""What a column can mean, and the names it goes by."""

import re
from collections.abc import Sequence
from enum import StrEnum


class Meaning(StrEnum):
    """What the cells of a column say."""

    TIME = "time"
    CLOCK = "clock"
    OPEN = "open"
    HIGH = "high"
    LOW = "low"
    CLOSE = "close"
    ADJ_CLOSE = "adj_close"
    VOLUME = "volume"
    SPLITS = "splits"
    DIVIDENDS = "dividends"
    TICKER = "ticker"
    PERIOD = "period"


PRICES = (Meaning.OPEN, Meaning.HIGH, Meaning.LOW, Meaning.CLOSE)
BESIDES = (Meaning.VOLUME, Meaning.ADJ_CLOSE, Meaning.SPLITS, Meaning.DIVIDENDS)
NUMBERS = (*PRICES, *BESIDES)

# Every name a meaning goes by as `key` writes it, the preferred one first where a file has several.
NAMES = {
    Meaning.TIME: (
        "unix unixtimestamp unixtime epoch opentime windowstart timestamp datetime dateandtime date gmttime utctime"
        " localtime time starttime start barstart begin beginsat timeperiodstart tradedate tradingday tradingdate"
        " pricedate dt ts t day timeutc dateutc utc gmt index indexlevel0 data datum fecha fechacierre"
    ),
    Meaning.CLOCK: "time timeofday hour clock tradetime czas zeit uhrzeit",
    Meaning.OPEN: (
        "open o op openprice openingprice priceopen first openbid bidopen otwarcie eroffn eroffnung eroffnungskurs"
        " erster apertura ouverture"
    ),
    Meaning.HIGH: (
        "high h hi highprice highestprice pricehigh max highbid bidhigh najwyzszy hoch hochst hochstkurs tageshoch"
        " maximo plushaut"
    ),
    Meaning.LOW: (
        "low l lo lowprice lowestprice pricelow min lowbid bidlow najnizszy tief tiefstkurs tagestief minimo plusbas"
    ),
    Meaning.CLOSE: (
        "close c cl closeprice closingprice priceclose closelast last lastprice price settle settlement"
        " settlementprice closebid bidclose closeclosepriceadjustedforsplits zamkniecie zuletzt schluss schlusskurs"
        " schlusspreis cierre cloture"
    ),
    Meaning.ADJ_CLOSE: (
        "adjclose adjustedclose closeadj closeadjusted adjcloseprice adjustedcloseprice adjustedclosingprice adjusted"
        " adjprice adjclosep divadjclose splitdivadjclose"
        " adjcloseadjustedclosepriceadjustedforsplitsanddividendandorcapitalgaindistributions"
    ),
    Meaning.VOLUME: (
        "volume vol v volumefrom basevolume volumebase totalvolume tradedvolume sharevolume shares"
        " quantity qty wolumen stucke stuecke volumen tickvol tickvolume"
    ),
    Meaning.SPLITS: "stocksplits splitcoefficient splitfactor splitratio splits split",
    Meaning.DIVIDENDS: "dividends dividend dividendamount divcash exdividend cashdividend",
    Meaning.TICKER: (
        "ticker symbol tic sym instrument instrumentid asset pair code stock security stockcode actsymbol name"
    ),
    Meaning.PERIOD: "per period interval timeframe",
}
ORDER = {meaning: tuple(names.split()) for meaning, names in NAMES.items()}

UNITS = re.compile(r"(usd[tc]?|eur|gbp|jpy|chf|pln|inr|price)$")
PLAIN_LETTERS = str.maketrans("àáâãäåąçćèéêëęìíîïłńñòóôõöøśùúûüýźżß", "aaaaaaacceeeeeiiiilnnoooooosuuuuyzzs")
LEVELS = re.compile(r"^\('([^']*)', '([^']*)'\)$")
PREFIX = re.compile(r"([^._ ]+)[._ ]")
TICK_VOLUMES = ("tickvol", "tickvolume")


def key(name: str) -> str:
    """Return the letters and digits that tell a column's name: `1. Open (USD)` is open, `<TICKVOL>` tickvol."""
    text = re.sub(r"\(.*?\)|\[.*?\]|^\s*\d+\.\s", " ", name.lower().translate(PLAIN_LETTERS))
    return re.sub(r"[^a-z0-9]", "", text)


def rank(name: str, meaning: Meaning) -> int | None:
    """Return how far down the names of this meaning a column's name stands, None where it is none of them."""
    spelled = key(name)
    known = ORDER[meaning]
    if spelled in known:
        return known.index(spelled)
    if meaning in PRICES and UNITS.sub("", spelled) in known:
        return len(known)
    if meaning is Meaning.VOLUME and spelled.startswith("volume"):
        return len(known)
    return None


def meanings_of(name: str) -> list[Meaning]:
    """Return every meaning a column of this name could have."""
    return [meaning for meaning in Meaning if rank(name, meaning) is not None]


def without_levels(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and tickers of columns that pandas calls `('Close', 'AAPL')` and quantmod `AAPL.Close`."""
    pairs = [LEVELS.match(name) for name in names]
    if any(pairs):
        plain = tuple(pair[1] if pair else name for pair, name in zip(pairs, names, strict=True))
        return plain, tuple(pair[2] if pair else "" for pair in pairs)
    prefix = PREFIX.match(names[-1]) if len(names) > len(PRICES) else None
    if prefix is None or not all(name.startswith(prefix[0]) for name in names[1:]):
        return tuple(names), ("",) * len(names)
    return (names[0], *(name.removeprefix(prefix[0]) for name in names[1:])), ("", *[prefix[1]] * (len(names) - 1))
