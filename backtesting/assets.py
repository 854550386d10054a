"""Assets: what a symbol's spelling says about the instrument, with the reason, and its other spellings."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from backtesting.errors import UnknownNameError, shown
from backtesting.markets import (
    COIN_QUOTES,
    COINS,
    CRYPTO_VENUES,
    CURRENCY_OF,
    ETFS,
    FIAT,
    FUTURES,
    INDICES,
    METALS,
    MIC_OF,
    MONTH_CODES,
    NEAR_QUOTES,
    SAME_COIN,
    STABLE,
    SUFFIXES,
)
from backtesting.types import Asset, AssetClass

SHARE_CLASS = re.compile(r"([A-Z]{1,4})[.-]([A-Z])")


@dataclass(frozen=True, slots=True)
class AssetGuess:
    """What a symbol seems to be, and one sentence for each thing that was concluded."""

    asset: Asset
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spellings:
    """Other spellings of the same instrument, and of near ones that it may be taken for."""

    same: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Likeness:
    """What one form of symbol says."""

    asset_class: AssetClass
    currency: str
    exchange: str | None
    reason: str


def canonical(symbol: str) -> str:
    """Return the spelling symbols are compared in: upper case, without blanks around."""
    return symbol.strip().upper()


def describe(symbol: str, *, exchange: str | None = None) -> AssetGuess:
    """Infer class, exchange and currency from the symbol's form and, where given, the exchange it is from."""
    name = canonical(symbol)
    venue, _, bare = name.rpartition(":") if "/" not in name else ("", "", name)
    found = next((likeness for form in FORMS if (likeness := form(bare))), None)
    guess = found or Likeness(
        AssetClass.UNKNOWN, "USD", None, f"{shown(name)} has no form we know: US dollars are assumed"
    )
    reasons = (guess.reason,)
    if stated := canonical(exchange or venue):
        placed = _traded_at(MIC_OF.get(stated, stated), guess)
        reasons = (*(reasons if placed.asset_class is guess.asset_class else ()), placed.reason)
        guess = placed
    return AssetGuess(Asset(name, name, guess.asset_class, guess.currency, guess.exchange), reasons)


def aliases(symbol: str) -> Spellings:
    """Return the spellings that mean the same pair, and those near enough to ask "did you mean"."""
    name = canonical(symbol)
    same: list[str] = []
    near: list[str] = []
    if name in COINS:
        same, near = _names_of(name), _priced_in(name, NEAR_QUOTES)
    elif pair := _currency_pair(name):
        same = [*_joined(*pair), f"{pair[0]}{pair[1]}=X"]
    elif pair := _coin_pair(name):
        others = [each for each in NEAR_QUOTES if each != pair[1]] if pair[1] in NEAR_QUOTES else []
        same, near = _priced_in(pair[0], [pair[1]]), [*_names_of(pair[0]), *_priced_in(pair[0], others)]
        if name not in same:
            same, near = [], [*same, *near]
    elif match := SHARE_CLASS.fullmatch(name):
        same = [f"{match[1]}.{match[2]}", f"{match[1]}-{match[2]}"]
    return Spellings(tuple(each for each in same if each != name), tuple(near))


def resolve(symbol: str, stored: Collection[str]) -> str:
    """Return the stored symbol that is meant: its own spelling, or the only other spelling of the same instrument.

    UnknownNameError asks which of several is meant, offers near ones, or lists what is stored.
    """
    name = canonical(symbol)
    if name in stored:
        return name
    spellings = aliases(name)
    same = [each for each in dict.fromkeys(spellings.same) if each in stored]
    near = [each for each in dict.fromkeys(spellings.near) if each in stored]
    if len(same) == 1:
        return same[0]
    if same:
        text = f"asset_symbol: {shown(symbol)} is stored as {' and as '.join(same)}: name one"
        raise UnknownNameError(text, field="asset_symbol")
    if near:
        text = f"asset_symbol: {shown(symbol)} is not stored - did you mean {' or '.join(map(repr, near))}?"
        raise UnknownNameError(text, field="asset_symbol")
    raise UnknownNameError.among("symbol", symbol, stored, field="asset_symbol")


def spellings_of(text: str) -> tuple[str, ...]:
    """Return every symbol that one who searches for this text may mean."""
    found = aliases(text)
    return (*found.same, *found.near)


def _traded_at(venue: str, guess: Likeness) -> Likeness:
    """Let a stated exchange decide what the form left open: there are shares called BTC."""
    if venue in CRYPTO_VENUES:
        return Likeness(AssetClass.CRYPTO, guess.currency, venue, f"{venue} trades crypto currencies")
    currency = CURRENCY_OF.get(venue)
    if currency is None:
        return Likeness(
            guess.asset_class, guess.currency, venue, f"{venue} is taken as stated; its currency is unknown"
        )
    kept = guess.asset_class in (AssetClass.ETF, AssetClass.INDEX, AssetClass.FUTURE)
    asset_class = guess.asset_class if kept else AssetClass.EQUITY
    return Likeness(asset_class, currency, venue, f"{venue} is stated as the exchange, which quotes in {currency}")


def _index(name: str) -> Likeness | None:
    place = INDICES.get(name.removeprefix("^"))
    if place:
        return Likeness(AssetClass.INDEX, place[1], place[0], f"{name} is a known index, on the hours of {place[0]}")
    if name.startswith("^"):
        return Likeness(AssetClass.INDEX, "USD", None, "^ marks an index; its currency is assumed, its hours unknown")
    return None


def _future(name: str) -> Likeness | None:
    dated = re.fullmatch(rf"([A-Z0-9]{{2,3}})(=F|[{MONTH_CODES}]\d{{1,4}}|1!)", name)
    if dated and dated[1] in FUTURES:
        return Likeness(AssetClass.FUTURE, "USD", "CMES", f"{dated[1]} is a contract of the CME group")
    if name.endswith("=F"):
        return Likeness(AssetClass.FUTURE, "USD", None, "=F marks a future; its currency is assumed, its hours unknown")
    return None


def _currencies(name: str) -> Likeness | None:
    if pair := _currency_pair(name):
        return Likeness(
            AssetClass.FX, pair[1], None, f"{pair[0]} and {pair[1]} are currencies, or metals quoted like them"
        )
    return None


def _coins(name: str) -> Likeness | None:
    if pair := _coin_pair(name):
        return Likeness(AssetClass.CRYPTO, pair[1], None, f"{pair[0]} in {pair[1]} is how coins are quoted")
    if name in COINS:
        return Likeness(AssetClass.CRYPTO, "USD", None, f"{name} is a coin; US dollars are assumed")
    return None


def _fund(name: str) -> Likeness | None:
    if place := ETFS.get(name.removesuffix(".US")):
        return Likeness(AssetClass.ETF, "USD", place, f"{name} is a known exchange-traded fund")
    return None


def _share(name: str) -> Likeness | None:
    root, _, suffix = name.rpartition(".")
    if root and suffix in SUFFIXES:
        mic, currency = SUFFIXES[suffix]
        pence = ", mostly in pence" if mic == "XLON" else ""
        return Likeness(AssetClass.EQUITY, currency, mic, f".{suffix} marks {mic}, which quotes in {currency}{pence}")
    if re.fullmatch(r"[A-Z]{1,5}", name) or SHARE_CLASS.fullmatch(name):
        return Likeness(AssetClass.EQUITY, "USD", "XNYS", f"{name} reads like a US share; New York is assumed")
    return None


FORMS: tuple[Callable[[str], Likeness | None], ...] = (_index, _future, _currencies, _coins, _fund, _share)


def _currency_pair(name: str) -> tuple[str, str] | None:
    money = FIAT | METALS
    if name.endswith("=X") and name[:-2] in money:  # Yahoo leaves the dollar out in front
        return "USD", name[:-2]
    match = re.fullmatch(r"([A-Z]{3})[/_-]?([A-Z]{3})(=X)?", name)
    if match and {match[1], match[2]} <= money and match[1] != match[2]:
        return match[1], match[2]
    return None


def _coin_pair(name: str) -> tuple[str, str] | None:
    bare = name.partition(":")[0].removesuffix(".P")  # perpetuals of ccxt and TradingView
    base, _, quote = re.sub(r"[/_-]", "/", bare).partition("/")
    if base and quote in COIN_QUOTES:
        return SAME_COIN.get(base, base), quote
    split = [(bare.removesuffix(each), each) for each in COIN_QUOTES if bare.endswith(each)]
    likely = [pair for pair in split if pair[0] in COINS] or [
        pair for pair in split if pair[1] in STABLE and pair[0].isalnum()
    ]
    return next(((SAME_COIN.get(base, base), quote) for base, quote in likely), None)


def _names_of(coin: str) -> list[str]:
    known = SAME_COIN.get(coin, coin)
    return [known, *(other for other, same in SAME_COIN.items() if same == known)]


def _priced_in(coin: str, quotes: Iterable[str]) -> list[str]:
    return [each for quote in quotes for name in _names_of(coin) for each in _joined(name, quote)]


def _joined(base: str, quote: str) -> list[str]:
    return [f"{base}{quote}", f"{base}-{quote}", f"{base}/{quote}", f"{base}_{quote}"]
