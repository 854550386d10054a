"""What is known of stored assets, and what may be asked and changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from backtesting.types.imports import Finding, Severity
from backtesting.types.input import Input
from backtesting.types.market import Asset, AssetClass, Timeframe

LARGEST_OFFSET = 1_000_000_000
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"

Words = Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE)]
Size = Annotated[float, Field(gt=0, le=1e9)]


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """One stored series: the starts of its ends, what its imports added, and what the last of them found.

    `adjusted` says that its first and its last bar have an adjusted close.
    """

    timeframe: Timeframe
    first: datetime
    last: datetime
    bars: int
    adjusted: bool
    imported_at: datetime | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetEntry:
    """An asset, why it is taken for what it is, and its series, shortest bars first."""

    asset: Asset
    reasons: tuple[str, ...]
    series: tuple[SeriesEntry, ...]

    @property
    def quality(self) -> Severity | None:
        """The worst that the last import of any series found."""
        found = {finding.severity for each in self.series for finding in each.findings}
        return next((severity for severity in Severity if severity in found), None)


@dataclass(frozen=True, slots=True)
class AssetPage:
    """Some of the assets that were searched for, and how many there are in all."""

    entries: tuple[AssetEntry, ...]
    total: int


class AssetSearch(Input):
    """A page of the assets whose symbol or name holds the text, or whose symbol is one of `spellings`."""

    text: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")] = ""
    spellings: tuple[str, ...] = ()
    asset_class: Annotated[AssetClass | None, Field(strict=False)] = None
    offset: Annotated[int, Field(ge=0, le=LARGEST_OFFSET)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class AssetEdit(Input):
    """What a person says of an asset; None leaves as it is what an import inferred."""

    name: Words | None = None
    asset_class: Annotated[AssetClass | None, Field(strict=False)] = None
    currency: Words | None = None
    exchange: Words | None = None
    tick_size: Size | None = None
    lot_size: Size | None = None

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError(f"nothing to change: say one of {', '.join(AssetEdit.model_fields)}")
        return self
