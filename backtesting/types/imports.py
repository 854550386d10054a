"""What comes out of reading a price file, and what is said about it before anything is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from backtesting.types.input import Input
from backtesting.types.market import Asset, Floats, Integers, Timeframe


class ImportRequest(Input):
    """A file, or a folder or an archive of files, and what its user says of them where they leave it open."""

    path: Annotated[Path, Field(strict=False)]
    symbol: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[\x20-\x7e]+$")] | None = None
    timeframe: Annotated[Timeframe, Field(strict=False)] | None = None
    zone: Annotated[str, Field(max_length=64)] | None = None
    day_first: bool | None = None
    decimal_mark: Literal[".", ","] | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PriceRows:
    """Rows of a source as they stand there: any order, repeated or incomplete ones included; shape (n,) each.

    `time` is int64 nanoseconds UTC of each bar's start, `line` the number of the row's line in its file, from 1 (its
    row where the format has no lines); prices and `volume` are float64, NaN where the cell is empty. `adj_close`,
    `splits` (2.0 is two for one) and `dividends` are None where the source has no such column.
    """

    line: Integers
    time: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    adj_close: Floats | None = None
    splits: Floats | None = None
    dividends: Floats | None = None

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source was understood, in words a person can check.

    `layout` names the tool whose layout it is ("Yahoo Finance", "Binance klines", "columns by name"); `notes` hold
    every choice that was made, one sentence each: encoding, separator, decimal mark, order of day and month, zone, unit
    of epoch stamps, lines skipped at the top and at the end, columns left out. `asset` is what the source knows of the
    instrument.
    """

    layout: str
    notes: tuple[str, ...]
    symbol: str | None = None
    timeframe: Timeframe | None = None
    asset: Asset | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """How many bars an import added and how many it changed."""

    inserted: int
    updated: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: `done` of `total` files, the one under way by the part of it that is read."""

    source: str
    rows: int
    done: float
    total: int


class Severity(StrEnum):
    """What becomes of the rows: errors refuse the import, warnings and remarks are stored with it."""

    ERROR = "error"
    WARNING = "warning"
    REMARK = "remark"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an inspection found: how often, and the first lines where."""

    code: str
    severity: Severity
    message: str
    count: int
    lines: tuple[int, ...] = ()

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Read a finding that was kept as JSON."""
        return cls(**{**kept, "severity": Severity(kept["severity"]), "lines": tuple(kept["lines"])})


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """What the history says of an import: `content_hash` is the SHA-256 of the source, `report` is JSON.

    `first` and `last` are the starts of the first and the last bar it brought.
    """

    source: str
    content_hash: str
    imported_at: datetime
    report: Mapping[str, Any]
    first: datetime | None = None
    last: datetime | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings the report keeps."""
        return tuple(Finding.of(kept) for kept in self.report.get("findings", ()))


@dataclass(frozen=True, slots=True)
class Coverage:
    """The span of one series: the starts of its first and its last bar.

    Every write gives the series another `version`. `warnings` are the latest of its imports, without those of imports
    whose span a later one covers. `resampled_from` is the stored timeframe a series that is not stored can be made of;
    all else is then that of the stored one.
    """

    timeframe: Timeframe
    first: datetime
    last: datetime
    version: str
    warnings: tuple[Finding, ...] = ()
    resampled_from: Timeframe | None = None


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What an inspection found; `quarantined` rows are left out of what is stored."""

    rows_read: int
    rows_kept: int
    quarantined: int
    timeframe: Timeframe | None
    first: datetime | None
    last: datetime | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that refuse the import."""
        return tuple(each for each in self.findings if each.severity is Severity.ERROR)
