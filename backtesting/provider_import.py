"""Fetches series one by one: one that fails does not keep the others out, and of each it is told what is stored."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from backtesting.data_import import Imported
from backtesting.errors import BacktestError
from backtesting.fetching import Fetcher, FetchRequest, Mode
from backtesting.import_report import describe, holding
from backtesting.ports import Provider


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


def fetch_series(
    fetcher: Fetcher, make: Callable[[], Provider], requests: Iterable[FetchRequest]
) -> Iterator[FetchOutcome]:
    """Fetch the series; the provider is made by the first that needs it, so that what is stored is told without it."""
    provider = cache(make)
    for request in requests:
        try:
            if request.mode is not Mode.LOCAL:
                for imported in fetcher.run(provider(), request):
                    yield FetchOutcome(request.symbol, imported)
            yield FetchOutcome(request.symbol, stored=holding(*fetcher.stored(request.symbol)))
        except BacktestError as error:
            yield FetchOutcome(request.symbol, error=error)
