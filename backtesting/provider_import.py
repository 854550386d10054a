"""Fetches series one by one: one that fails does not keep the others out, and of each it is told what is stored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

from backtesting.data_import import Imported
from backtesting.errors import BacktestError
from backtesting.fetching import Fetcher
from backtesting.import_report import describe, holding
from backtesting.ports import Provider
from backtesting.providers import provider
from backtesting.types import FetchMode, FetchRequest, Place

Make = Callable[[str, Place], Provider]


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """What became of a part of a series, what is stored of it at the end, or why it failed."""

    symbol: str
    imported: Imported | None = None
    stored: str = ""
    error: BacktestError | None = None

    def __str__(self) -> str:
        if self.error:
            return f"error: {self.symbol}: {self.error}"
        return describe(self.imported) if self.imported else self.stored


def fetch_series(fetcher: Fetcher, request: FetchRequest, make: Make = provider) -> Iterator[FetchOutcome]:
    """Fetch the series; the provider is made for the first of them, and not at all to tell what is stored."""
    made = cache(partial(make, request.provider, request))
    for symbol in request.symbols:
        try:
            yield from _outcomes(fetcher, request, symbol, made)
        except BacktestError as error:
            yield FetchOutcome(symbol, error=error)


def _outcomes(
    fetcher: Fetcher, request: FetchRequest, symbol: str, made: Callable[[], Provider]
) -> Iterator[FetchOutcome]:
    if request.mode is not FetchMode.LOCAL:
        for imported in fetcher.run(made(), symbol, request):
            yield FetchOutcome(symbol, imported)
    yield FetchOutcome(symbol, stored=holding(*fetcher.stored(symbol)))
