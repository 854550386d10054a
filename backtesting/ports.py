"""What the domain needs from outside, one protocol per stored noun."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from backtesting.types import (
    Asset,
    AssetEntry,
    AssetPage,
    AssetSearch,
    BacktestResult,
    Bars,
    Coverage,
    EquityCurve,
    ImportRecord,
    PriceRows,
    Reading,
    Run,
    Stored,
    Timeframe,
    Trade,
)


class BarSource(Protocol):
    """Reads stored bars; safe to share between threads."""

    def asset(self, symbol: str) -> Asset:
        """Return the asset of a symbol or of another spelling of it, e.g. BTC-USD; UnknownNameError when not stored."""
        ...

    def coverage(self, symbol: str) -> Sequence[Coverage]:
        """Return the stored series of a known symbol, one per timeframe."""
        ...

    def load(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, history: int) -> Bars:
        """Return the bars that start in [start, end), and up to `history` bars right before them."""
        ...


class BarStore(Protocol):
    """Writes bars."""

    def store(
        self,
        asset: Asset,
        timeframe: Timeframe,
        bars: Iterable[Bars],
        record: Callable[[], ImportRecord],
        reasons: Sequence[str] = (),
    ) -> Stored:
        """Add the bars to the series, in the place of stored ones of the same time, all or nothing.

        `bars` may come in parts, in order of time; `record` is called after the last part. An asset that is stored
        stays as it is; a new one is kept with the reasons why it is taken for what it is.
        """
        ...


class AssetCatalog(Protocol):
    """Reads what is known of stored assets; safe to share between threads."""

    def find(self, search: AssetSearch) -> AssetPage:
        """Return a page of assets by symbol, without reading their bars."""
        ...

    def entry(self, symbol: str) -> AssetEntry:
        """Return the entry of a stored symbol; UnknownNameError when it is not stored."""
        ...


class AssetStore(Protocol):
    """Changes what is known of assets."""

    def describe(self, asset: Asset, reasons: Sequence[str]) -> None:
        """Keep the description of a stored asset in the place of the one it has."""
        ...


class PriceSource(Protocol):
    """Where rows of one series are read from: a file, or the answer of a provider; it never writes."""

    @property
    def name(self) -> str:
        """What messages and the history call it."""
        ...

    def reading(self) -> Reading:
        """Say how it is read, after `chunks` also what was left out on the way."""
        ...

    def chunks(self) -> Iterator[PriceRows]:
        """Yield the rows as they stand; called again, from the first one again."""
        ...

    def content_hash(self) -> str:
        """Return the SHA-256 of what was read."""
        ...


class Provider(Protocol):
    """Fetches series from elsewhere; never writes.

    `part` is the number of bars that are fetched and stored at a time, None for all at once; `readjusts` says that a
    split or dividend changes the prices it gives of earlier days too.
    """

    @property
    def part(self) -> int | None:
        """Bars of a part."""
        ...

    @property
    def readjusts(self) -> bool:
        """Whether prices of earlier days change."""
        ...

    def symbol(self, name: str) -> str:
        """Return the symbol that its series is stored under; UnknownNameError offers the nearest one."""
        ...

    def fetch(self, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime) -> PriceSource:
        """Return the bars that start in [start, end), from the first one it has where `start` is None.

        NothingFetchedError when there are none, UnknownNameError when it has no such series, ProviderUnavailableError
        when it cannot be reached.
        """
        ...


class RunRecorder(Protocol):
    """Takes runs that have ended."""

    def add(self, run: Run, result: BacktestResult | None) -> None:
        """Store a run with its result and trades, all or nothing; adding the same run again changes nothing."""
        ...


class RunRepository(RunRecorder, Protocol):
    """Keeps the runs of one user; a stored run never changes. Safe to share between threads."""

    def get(self, run_id: str) -> Run:
        """Return the run; RunNotFoundError when this user has none of that id."""
        ...

    def trades(self, run_id: str, offset: int, limit: int) -> Sequence[Trade]:
        """Return at most `limit` trades of a stored run, oldest first, from number `offset`."""
        ...

    def equity(self, run_id: str) -> EquityCurve:
        """Return the whole equity curve of a completed run."""
        ...

    def benchmark(self, run_id: str) -> EquityCurve | None:
        """Return the equity curve of buy and hold beside it; None where the run was stored without."""
        ...
