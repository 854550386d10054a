"""What may be asked of a provider of prices."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from backtesting.errors import BacktestError
from backtesting.types.input import Input
from backtesting.types.market import Timeframe
from backtesting.types.request import AssetSymbol, Day

TABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$"


class FetchMode(StrEnum):
    """Which bars are fetched, beside those that are stored."""

    TAIL = "tail"  # newer than the last stored one
    BACKFILL = "backfill"  # older than the first stored one
    FULL = "full"  # all, in the place of stored ones
    LOCAL = "local"  # none: what is stored is told


class Place(Input):
    """Where a provider finds its series: an exchange of ccxt, or the files or database that DuckDB reads."""

    exchange: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9_]+$")] | None = None
    path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    table: Annotated[str, Field(pattern=TABLE)] | None = None

    def require_only(self, provider: str, *fields: str) -> None:
        """Refuse what the provider has no use for."""
        for name in Place.model_fields:
            if getattr(self, name) is not None and name not in fields:
                raise BacktestError(f"{name}: {provider} has none, leave it out", field=name)


class FetchRequest(Place):
    """Series to fetch from one provider; `start` and `end` are days, inclusive."""

    provider: Annotated[str, Field(min_length=1, max_length=32)]
    symbols: Annotated[list[AssetSymbol], Field(min_length=1, max_length=100)]
    timeframe: Annotated[Timeframe, Field(strict=False)] = Timeframe.D1
    mode: Annotated[FetchMode, Field(strict=False)] = FetchMode.TAIL
    start: Day | None = None
    end: Day | None = None
    dry_run: bool = False

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} is after end {self.end}: choose an earlier start")
        return self
