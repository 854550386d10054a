"""Where prices are fetched from: the visible list of providers, which import their libraries when they are used."""

from collections.abc import Mapping

from backtesting.errors import UnknownNameError
from backtesting.ports import Provider
from backtesting.providers.ccxt_exchange import CcxtExchange
from backtesting.providers.duckdb_query import DuckDBQuery
from backtesting.providers.patience import Patience
from backtesting.providers.yahoo import Yahoo
from backtesting.types import Place

PROVIDERS: Mapping[str, type[Yahoo | CcxtExchange | DuckDBQuery]] = {
    "yfinance": Yahoo,
    "ccxt": CcxtExchange,
    "duckdb": DuckDBQuery,
}


def provider(name: str, place: Place = Place(), patience: Patience = Patience()) -> Provider:  # noqa: B008 - frozen
    """Return the provider of this name; UnknownNameError offers the nearest one."""
    if name not in PROVIDERS:
        raise UnknownNameError.among("provider", name, PROVIDERS, field="provider")
    return PROVIDERS[name].at(place, patience)
