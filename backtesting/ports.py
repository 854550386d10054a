"""What the domain needs from outside, one protocol per stored noun."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from backtesting.types import (
    Asset,
    AssetEntry,
    AssetPage,
    AssetSearch,
    BacktestResult,
    Bars,
    Chunk,
    Claim,
    Coverage,
    EquityCurve,
    ImportRecord,
    Job,
    JobProgress,
    JobStatus,
    Lease,
    PriceRows,
    Reading,
    Run,
    RunFilter,
    RunPage,
    Stored,
    Timeframe,
    Trade,
    Trial,
    TrialCount,
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
        """Store a run with its result, trades and trial, all or nothing; adding it again changes nothing."""
        ...

    def completed(self, config_hash: str) -> Sequence[Run]:
        """Return the completed runs of a request, newest first."""
        ...


class RunRepository(RunRecorder, Protocol):
    """Keeps the runs of one user; a stored run never changes. Safe to share between threads."""

    def get(self, run_id: str) -> Run:
        """Return the run; RunNotFoundError when this user has none of that id."""
        ...

    def find(self, wanted: RunFilter) -> RunPage:
        """Return the runs that fulfil the filter, page by page."""
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


class TrialLedger(Protocol):
    """Remembers every configuration that was ever evaluated for one user."""

    def count(self, trial: Trial) -> TrialCount:
        """Count the configurations tried on the same symbol and timeframe in a period that overlaps the trial's."""
        ...


class JobQueue(Protocol):
    """Keeps the long work of one user, and lets one owner at a time write its results. Safe to share between threads.

    An owner holds a lease, which it has to extend. Work whose lease ran out may be claimed by another; whoever lost it
    writes nothing any more. Work that loses its owner three times without storing a chunk has failed.
    """

    def submit(self, job_id: str, kind: str, request: Mapping[str, Any]) -> None:
        """Store new work as pending; submitting it again changes nothing."""
        ...

    def claim(self, owner: UUID) -> Claim | None:
        """Take on the oldest work that is pending or lost its owner; None when there is none."""
        ...

    def is_held(self, lease: Lease) -> bool:
        """Say whether the lease still gives the right to write."""
        ...

    def beat(self, lease: Lease, progress: JobProgress) -> bool:
        """Extend the lease and tell the progress; False when it is lost."""
        ...

    def keep(self, lease: Lease, chunk: Chunk, progress: JobProgress) -> None:
        """Store a chunk with its runs and trials, all or nothing; one of that number that is stored stays as it is.

        JobLostError when the lease is lost; then nothing is stored.
        """
        ...

    def finish(self, lease: Lease, status: JobStatus, result: Mapping[str, Any] | None, error: str | None) -> bool:
        """End the work; False when the lease is lost."""
        ...

    def release(self, owner: UUID) -> None:
        """Give back whatever the owner holds, to be resumed at once."""
        ...

    def cancel(self, job_id: str) -> Job:
        """End the work unless it has ended, and return it; from then on nobody writes its results."""
        ...

    def sweep(self) -> Sequence[str]:
        """End the work that lost its owner too often; return its ids."""
        ...

    def get(self, job_id: str) -> Job:
        """Return the work; RunNotFoundError when this user has none of that id."""
        ...

    def unfinished(self) -> Sequence[Job]:
        """Return the work that is pending or running, oldest first."""
        ...
