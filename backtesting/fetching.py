"""Fetching series from a provider: what is asked for, what is stored already, and one gate for all bars.

1. The provider says which symbol is meant; what is stored of it decides the period to ask for.
2. The period is fetched in parts where the provider wants that. Each part goes through the importer, whole or not at
   all, in an order that leaves no gap: forwards, or backwards when filling backwards. So a fetch that is interrupted
   keeps what it has, and the next one goes on from there.
3. Where new bars join stored ones, some are fetched again. If their prices are no longer the stored ones, a split or
   dividend has come since, and the whole series is fetched anew; a source that never readjusts is another source then,
   which is refused.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from backtesting.assets import aliases
from backtesting.data_import import DataImporter, Imported
from backtesting.errors import BacktestError, UnknownNameError
from backtesting.ports import BarSource, PriceSource, Provider
from backtesting.providers.errors import NothingFetchedError, ProviderUnavailableError
from backtesting.providers.fetched import Explained
from backtesting.sessions import STEP
from backtesting.types import Asset, Bars, Coverage, FetchMode, FetchRequest, Floats, Timeframe, instant, utc_now

OVERLAP = 10  # bars fetched again where new ones join them: providers correct the last ones, too
ANEW = "the stored prices were others, as after a new split or dividend: all bars are fetched anew"
JOIN_SPAN = 100  # steps in which the first of them are looked for
SAME_PRICE = 1e-5  # Yahoo's adjusted closes differ by rounding from one answer to the next


class OtherSeriesError(BacktestError):
    """What is stored under a symbol is not the provider's series."""

    code = "other_series"


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """The first stored instant, and the stored bars where new ones are to join, none where new ones replace them."""

    first: datetime
    bars: Bars


@dataclass(frozen=True, slots=True)
class Period:
    """From the first instant, or from the provider's first bar, to before the last one."""

    start: datetime | None
    end: datetime


class Fetcher:
    """The use case: bars of a provider are stored, those that are there already left as they are."""

    def __init__(self, bars: BarSource, importer: DataImporter, now: Callable[[], datetime] = utc_now) -> None:
        self._bars = bars
        self._importer = importer
        self._now = now

    def run(self, provider: Provider, name: str, request: FetchRequest) -> Iterator[Imported]:
        """Fetch and store a series part by part; an error leaves stored what came before it, and says so."""
        try:
            symbol = provider.symbol(name)
        except ProviderUnavailableError as error:
            raise interrupted(error, 0, request) from error
        join, parts = self._plan(provider, symbol, request)
        done = 0
        missing: NothingFetchedError | None = None
        for part in parts:
            try:
                source = self._source(provider, symbol, request.timeframe, part, join if not done else None)
            except NothingFetchedError as error:
                missing = error
                continue
            except ProviderUnavailableError as error:
                raise interrupted(error, done, request) from error
            yield self._importer.run(source, dry_run=request.dry_run)
            done += 1
        if missing and not done:
            raise missing

    def stored(self, symbol: str) -> tuple[Asset, tuple[Coverage, ...]]:
        """Return what is stored of a symbol in any of its spellings; UnknownNameError where nothing is."""
        for spelling in (symbol, *aliases(symbol).same):
            if coverage := self._coverage(spelling.upper()):
                return self._bars.asset(spelling), coverage
        return self._bars.asset(symbol), ()

    def _plan(self, provider: Provider, symbol: str, request: FetchRequest) -> tuple[Join | None, list[Period]]:
        """Return where new bars join, and the periods to fetch in their order."""
        start, end = midnight(request.start), min(after(request.end), self._now())
        held = next((each for each in self._coverage(symbol) if each.timeframe is request.timeframe), None)
        join = self._join(symbol, held, request.mode) if held else None
        if join is None:
            return None, in_parts(Period(start, end), request.timeframe, provider.part)
        if request.mode is FetchMode.TAIL:
            start = instant(join.bars.time[0])
        elif request.mode is FetchMode.FULL:
            start = min(start, join.first) if start else join.first if provider.part else None
        elif start and start >= join.first:
            return join, []
        else:
            end = instant(join.bars.time[-1] + STEP[request.timeframe])
        parts = in_parts(Period(start, end), request.timeframe, provider.part)
        return join, parts[::-1] if request.mode is FetchMode.BACKFILL else parts

    def _join(self, symbol: str, held: Coverage, mode: FetchMode) -> Join:
        if mode is FetchMode.TAIL:
            just_after = held.last + timedelta(microseconds=1)
            return Join(held.first, self._bars.load(symbol, held.timeframe, held.last, just_after, OVERLAP - 1))
        span = JOIN_SPAN if mode is FetchMode.BACKFILL else 0
        end = held.first + timedelta(microseconds=span * STEP[held.timeframe] // 1000)
        return Join(held.first, self._bars.load(symbol, held.timeframe, held.first, end, 0)[:OVERLAP])

    def _source(
        self, provider: Provider, symbol: str, timeframe: Timeframe, part: Period, join: Join | None
    ) -> PriceSource:
        """Fetch a part, and all anew where its prices do not join those that are stored."""
        source = provider.fetch(symbol, timeframe, part.start, part.end)
        if join is None or joins(source, join.bars):
            return source
        if not len(join.bars):
            begins = first_of(source)
            return Explained(source, f"stored bars before {begins:%Y-%m-%d} stay") if begins > join.first else source
        if not provider.readjusts:
            raise OtherSeriesError(
                f"symbol: the stored {timeframe} bars of {symbol} have other prices than {source.name}, so they are of "
                "another source; fetch with --mode full to put these in their place",
                field="symbol",
            )
        start = min(part.start, join.first) if part.start else None
        whole = provider.fetch(symbol, timeframe, start, self._now())
        if (begins := first_of(whole)) > join.first:
            raise OtherSeriesError(
                f"symbol: the stored {timeframe} bars of {symbol} have other prices than {source.name} gives now, as "
                f"after a split or dividend, and those before {begins:%Y-%m-%d} cannot be fetched anew; fetch with "
                "--mode full to replace the others all the same",
                field="symbol",
            )
        return Explained(whole, ANEW)

    def _coverage(self, symbol: str) -> tuple[Coverage, ...]:
        try:
            return tuple(self._bars.coverage(self._bars.asset(symbol).symbol))
        except UnknownNameError:
            return ()


def joins(source: PriceSource, stored: Bars) -> bool:
    """Whether the oldest stored bar that the source has too has the same prices there."""
    for rows in source.chunks():
        common = np.flatnonzero(np.isin(rows.time, stored.time))
        if len(common):
            here = int(common[np.argmin(rows.time[common])])
            there = int(np.searchsorted(stored.time, rows.time[here]))
            pairs = ((rows.close, stored.close), (rows.adj_close, stored.adj_close))
            return all(same(value_at(new, here), value_at(old, there)) for new, old in pairs)
    return False


def first_of(source: PriceSource) -> datetime:
    """Return the first instant of a source."""
    return instant(min(int(rows.time.min()) for rows in source.chunks()))


def value_at(column: Floats | None, row: int) -> float:
    """Return a value of a column, NaN where the column is missing."""
    return float("nan") if column is None else float(column[row])


def same(new: float, old: float) -> bool:
    """Whether two prices differ by rounding only."""
    return bool(np.isclose(new, old, rtol=SAME_PRICE, atol=0, equal_nan=True))


def in_parts(period: Period, timeframe: Timeframe, bars: int | None) -> list[Period]:
    """Cut a period into parts of so many bars."""
    if bars is None or period.start is None:
        return [period]
    length = timedelta(microseconds=bars * STEP[timeframe] // 1000)
    starts = [period.start]
    while starts[-1] + length < period.end:
        starts.append(starts[-1] + length)
    ends = [*starts[1:], period.end]
    return [Period(start, end) for start, end in zip(starts, ends, strict=True)]


def interrupted(error: ProviderUnavailableError, done: int, request: FetchRequest) -> ProviderUnavailableError:
    """Return the error that also says what is stored now."""
    if not done or request.dry_run:
        return ProviderUnavailableError(f"{error}. Nothing was changed.")
    again = f"--mode {FetchMode.TAIL}" if request.mode is FetchMode.FULL else "the same command"
    kept = "the part before is" if done == 1 else f"the {done} parts before are"
    return ProviderUnavailableError(f"{error}; {kept} stored; {again} goes on from there.")


def midnight(day: date | None) -> datetime | None:
    """Return the first instant of a day."""
    return datetime.combine(day, time(), UTC) if day else None


def after(day: date | None) -> datetime:
    """Return the first instant after a day, the last of all where there is none."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1) if day else datetime.max.replace(tzinfo=UTC)
