"""What a person says of a stored asset takes the place of what an import inferred."""

from collections.abc import Sequence
from dataclasses import replace

from backtesting.errors import UnknownNameError, did_you_mean, shown
from backtesting.markets import COIN_QUOTES, COINS, CRYPTO_VENUES, CURRENCIES, CURRENCY_OF, METALS, MIC_OF
from backtesting.ports import AssetCatalog, AssetStore, BarSource
from backtesting.sessions import exchange_named
from backtesting.types import AssetClass, AssetEdit, AssetEntry

BY_HAND = "set by hand: "
NO_EXCHANGE, OTHER_EXCHANGE = "none", "other:"
KNOWN_EXCHANGES = {*CURRENCY_OF, *MIC_OF, *CRYPTO_VENUES}
MONEY = {*CURRENCIES, *METALS, *COINS, *COIN_QUOTES}


class AssetEditor:
    """The use case: descriptions of assets are checked and kept; imports leave them alone from then on."""

    def __init__(self, bars: BarSource, catalog: AssetCatalog, store: AssetStore) -> None:
        self._bars = bars
        self._catalog = catalog
        self._store = store

    def edit(self, symbol: str, edit: AssetEdit) -> AssetEntry:
        """Change what is said and return the whole; UnknownNameError offers near names where one is not known."""
        entry = self._catalog.entry(self._bars.asset(symbol).symbol)
        changed = edit.model_dump(exclude_none=True)
        if edit.currency is not None:
            changed["currency"] = known_currency(edit.currency)
        if edit.exchange is not None:
            changed["exchange"] = known_exchange(edit.exchange)
        asset = replace(entry.asset, **changed)
        if _lost_its_exchange(entry, edit):
            asset = replace(asset, exchange=None)
        self._store.describe(asset, _reasons(entry, list(changed)))
        return self._catalog.entry(asset.symbol)


def known_currency(name: str) -> str:
    """Return the code of a currency, metal or coin that prices are quoted in."""
    code = name.upper()
    if code not in MONEY:
        raise UnknownNameError(
            f"currency: unknown currency {shown(name)}{did_you_mean(code, sorted(MONEY))}; "
            "write its ISO 4217 code, such as USD, or that of a coin, such as USDT",
            field="currency",
        )
    return code


def known_exchange(name: str) -> str | None:
    """Return the code of an exchange whose hours or place are known; `other:` lets any text through, `none` is none."""
    if name == NO_EXCHANGE:
        return None
    if name.startswith(OTHER_EXCHANGE) and (text := name.removeprefix(OTHER_EXCHANGE).strip()):
        return text
    code = MIC_OF.get(name.upper(), name.upper())
    if code in KNOWN_EXCHANGES or exchange_named(code) is not None:
        return code
    raise UnknownNameError(
        f"exchange: unknown exchange {shown(name)}{did_you_mean(code, sorted(KNOWN_EXCHANGES))}; write its ISO 10383 "
        f"code, such as XNYS, or '{OTHER_EXCHANGE}{name[:20]}' for one whose hours are not known, or '{NO_EXCHANGE}'",
        field="exchange",
    )


def _lost_its_exchange(entry: AssetEntry, edit: AssetEdit) -> bool:
    """Tell whether an exchange was inferred with another class: coins and currencies trade on none."""
    by_hand = any(each.startswith(BY_HAND) and "exchange" in each for each in entry.reasons)
    return edit.asset_class in (AssetClass.CRYPTO, AssetClass.FX) and edit.exchange is None and not by_hand


def _reasons(entry: AssetEntry, changed: Sequence[str]) -> list[str]:
    """Return the reasons that were inferred, and one sentence that names all that was ever set by hand."""
    inferred = [each for each in entry.reasons if not each.startswith(BY_HAND)]
    before = [name for each in entry.reasons for name in each.removeprefix(BY_HAND).split(", ") if each not in inferred]
    return [*inferred, BY_HAND + ", ".join(sorted({*before, *changed}))]
