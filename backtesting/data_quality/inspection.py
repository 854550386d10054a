"""An inspection: rows as read go in, sorted bars that keep the contract (T5) come out, and a report."""

import bisect
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from backtesting.data_quality.adjustment import ACTIONS_LOST, AFTER_FIRST_PART, CHANGING, actions_on, adj_close_of
from backtesting.data_quality.cadence import settle
from backtesting.data_quality.ledger import Kind, Ledger
from backtesting.data_quality.market_fit import WEEKENDS, ZONE, weekends, zone
from backtesting.data_quality.rules import RULES, Evidence
from backtesting.data_quality.single_rows import ROW_RULES
from backtesting.sessions import end_of, missing, session_of
from backtesting.types import (
    Asset,
    Bars,
    Booleans,
    Integers,
    PriceRows,
    QualityReport,
    Severity,
    Timeframe,
    instant,
    nanoseconds,
)

ERROR, WARNING, REMARK = Severity
MOST_QUARANTINED = 0.05
CONTEXT = 2  # bars of the part before: whether its last one is an outlier shows only now
A_DAY = timedelta(days=1)
OLDEST = datetime(1900, 1, 1, tzinfo=UTC)
NO_ROWS = Kind("no_rows", ERROR, "there is no usable row")
TOO_MANY_BAD = Kind("too_many_quarantined", ERROR, "{rows} ({share}) are unusable: this looks misread, not damaged")
NEWEST_FIRST = Kind("newest_first", REMARK, "{rows} stand newest first, and were turned round")
UNSORTED = Kind("unsorted", REMARK, "{rows} come after later ones, and were sorted")
PARTS_UNSORTED = Kind(
    "unsorted_parts",
    ERROR,
    "{rows} are earlier than the part of the source before them: sort a source this large first",
)
RELABELLED = Kind("relabelled", REMARK, "{rows} are labelled by their session's day at midnight UTC")
UNFINISHED = Kind("unfinished", REMARK, "{rows} whose time is not over yet, left out")
REPEATED = Kind("repeated_rows", REMARK, "{rows} repeat another to the last digit, left out")
CONFLICTING = Kind("conflicting_duplicates", ERROR, "{rows} have the stamp of another row and other prices")
FUTURE = Kind(
    "future_stamps", ERROR, "{rows} stamped later than tomorrow: check the order of day and month, and the unit"
)
ANCIENT = Kind("before_1900", ERROR, "{rows} stamped before 1900: check the unit of the stamps")
NO_VOLUME_GIVEN = Kind("missing_volume", REMARK, "{rows} without a volume, which counts as 0")


def inspect(
    rows: PriceRows, asset: Asset, timeframe: Timeframe | None = None, *, now: datetime
) -> tuple[Bars, QualityReport]:
    """Return the bars to store and what was found in the rows."""
    inspection = Inspection(asset, timeframe, now=now)
    bars = inspection.take(rows)
    return bars, inspection.report()


class Inspection:
    """The use case: a source is inspected part by part, its parts in order of time and of any order within."""

    def __init__(self, asset: Asset, timeframe: Timeframe | None = None, *, now: datetime) -> None:
        self._asset = asset
        self._stated = timeframe
        self._now = now
        self._ledger = Ledger()
        self._timeframe: Timeframe | None = None
        self._adjusted: bool | None = None
        self._before: PriceRows | None = None
        self._read = self._kept = self._quarantined = 0
        self._span: tuple[int, int] | None = None

    @property
    def asset(self) -> Asset:
        """The asset whose sessions the rows are inspected against."""
        return self._asset

    @property
    def timeframe(self) -> Timeframe | None:
        """The timeframe, known once a part was taken that shows it."""
        return self._timeframe

    def take(self, rows: PriceRows) -> Bars:
        """Return the bars of the next part; what it repeats of the last bar before is left out."""
        self._read += len(rows)
        rows = self._in_order(self._usable(rows))
        rows = self._finished(self._labelled(rows))
        rows = self._with_volume(self._unique(rows))
        known = 0 if self._before is None else len(self._before)
        bars = self._bars(rows, known)
        if self._timeframe is not None and len(rows) > known:
            self._judge(bars, rows, known, self._timeframe)
        self._before = _remembered(rows)
        return self._counted(bars[known:])

    def report(self) -> QualityReport:
        """Return what was found in all parts so far."""
        if not self._kept:
            self._ledger.conclude(NO_ROWS, 1)
        if self._quarantined > MOST_QUARANTINED * self._read:
            self._ledger.conclude(TOO_MANY_BAD, self._quarantined)
        first, last = (instant(each) for each in self._span) if self._span else (None, None)
        return QualityReport(
            rows_read=self._read,
            rows_kept=self._kept,
            quarantined=self._quarantined,
            timeframe=self._timeframe,
            first=first,
            last=last,
            findings=self._ledger.findings(self._read),
        )

    def _usable(self, rows: PriceRows) -> PriceRows:
        """Leave out the rows that break a rule by themselves."""
        bad = np.zeros(len(rows), np.bool_)
        for kind, broken in ROW_RULES:
            rule = broken(rows)
            self._note(kind, rule, rows)
            bad |= rule
        if rows.adj_close is None:
            self._note(ACTIONS_LOST, bad & actions_on(rows), rows)
        self._quarantined += int(bad.sum())
        return _taken(rows, ~bad) if bad.any() else rows

    def _in_order(self, rows: PriceRows) -> PriceRows:
        """Sort by time, then line, behind the last bars of the part before."""
        steps = np.diff(rows.time)
        backwards = int(np.count_nonzero(steps < 0))
        if backwards and (steps <= 0).all():
            self._ledger.add(NEWEST_FIRST, len(rows))
        else:
            self._ledger.add(UNSORTED, backwards)
        if backwards or (np.diff(rows.line)[steps == 0] < 0).any():
            rows = _taken(rows, np.lexsort((rows.line, rows.time)))
        if self._before is None or not len(self._before):
            return rows
        late = rows.time < self._before.time[-1]
        self._note(PARTS_UNSORTED, late, rows)
        return _joined(self._before, _taken(rows, ~late))

    def _labelled(self, rows: PriceRows) -> PriceRows:
        """Settle the timeframe, and stamp days and weeks by their session's day."""
        if self._timeframe is None:
            self._timeframe = settle(rows.time, self._stated, self._ledger) if len(rows) else self._stated
        if self._timeframe not in (Timeframe.D1, Timeframe.W1):
            return rows
        labels = session_of(self._asset, self._timeframe, rows.time)
        self._note(RELABELLED, labels != rows.time, rows)
        return replace(rows, time=labels)

    def _finished(self, rows: PriceRows) -> PriceRows:
        """Leave out what is to come and the bars that are still being traded."""
        self._note(ANCIENT, rows.time < nanoseconds(OLDEST), rows)
        tomorrow = int(np.searchsorted(rows.time, nanoseconds(self._now + A_DAY), "right"))
        self._ledger.add(FUTURE, len(rows) - tomorrow, rows.line[tomorrow:])
        rows = _taken(rows, slice(tomorrow))
        if (timeframe := self._timeframe) is None:
            return rows
        now = nanoseconds(self._now)
        over = bisect.bisect_right(rows.time, now, key=lambda start: end_of(self._asset, timeframe, int(start)))
        self._ledger.add(UNFINISHED, len(rows) - over, rows.line[over:])
        return _taken(rows, slice(over))

    def _unique(self, rows: PriceRows) -> PriceRows:
        """Keep the first row of each stamp."""
        again = np.flatnonzero(np.diff(rows.time) == 0) + 1
        same = np.ones(len(again), np.bool_)
        for column in (rows.open, rows.high, rows.low, rows.close, rows.volume, rows.adj_close):
            if column is not None:
                same &= (column[again] == column[again - 1]) | (np.isnan(column[again]) & np.isnan(column[again - 1]))
        self._ledger.add(REPEATED, int(same.sum()), rows.line[again[same]])
        self._ledger.add(CONFLICTING, int((~same).sum()), rows.line[again[~same]])
        return _taken(rows, np.delete(np.arange(len(rows)), again)) if len(again) else rows

    def _with_volume(self, rows: PriceRows) -> PriceRows:
        empty = np.isnan(rows.volume)
        self._note(NO_VOLUME_GIVEN, empty, rows)
        return replace(rows, volume=np.nan_to_num(rows.volume, nan=0.0)) if empty.any() else rows

    def _bars(self, rows: PriceRows, known: int) -> Bars:
        """Make bars of clean rows, adjusted as those of the first part are."""
        adj_close = adj_close_of(rows, self._ledger)
        if self._adjusted is None:
            self._adjusted = adj_close is not None
        elif self._adjusted is not (adj_close is not None):
            self._ledger.add(CHANGING, len(rows) - known)
        if known and rows.adj_close is None:
            self._note(AFTER_FIRST_PART, actions_on(rows), rows)
        return Bars(rows.time, rows.open, rows.high, rows.low, rows.close, rows.volume, adj_close)

    def _judge(self, bars: Bars, rows: PriceRows, known: int, timeframe: Timeframe) -> None:
        gaps = missing(self._asset, timeframe, bars.time[max(known - 1, 0) :])
        evidence = Evidence(bars, known, rows.line, actions_on(rows), self._asset, timeframe, gaps)
        for kind, rule in (*RULES, (ZONE, zone), (WEEKENDS, weekends)):
            found = rule(evidence)
            self._ledger.add(kind, found.count, found.lines, found.named)

    def _counted(self, bars: Bars) -> Bars:
        if len(bars):
            first = self._span[0] if self._span else int(bars.time[0])
            self._span = (first, int(bars.time[-1]))
        self._kept += len(bars)
        return bars

    def _note(self, kind: Kind, where: Booleans, rows: PriceRows) -> None:
        if where.any():
            self._ledger.add(kind, int(where.sum()), rows.line[where])


def _taken(rows: PriceRows, which: slice | Integers | Booleans) -> PriceRows:
    return replace(rows, **{name: column[which] for name, column in _columns(rows).items()})


def _joined(before: PriceRows, rows: PriceRows) -> PriceRows:
    earlier = _columns(before)
    return replace(rows, **{name: np.concatenate([earlier[name], each]) for name, each in _columns(rows).items()})


def _remembered(rows: PriceRows) -> PriceRows:
    """Return the last rows as the next part looks back on them, their splits and dividends done with."""
    last = _taken(rows, slice(-CONTEXT, None))
    none = np.zeros(len(last))
    return replace(
        last, splits=None if last.splits is None else none, dividends=None if last.dividends is None else none
    )


def _columns(rows: PriceRows) -> dict[str, Any]:
    columns = {field.name: getattr(rows, field.name) for field in fields(rows)}
    return {name: column for name, column in columns.items() if column is not None}
