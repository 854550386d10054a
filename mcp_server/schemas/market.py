"""The shapes of what is said of stored assets and their bars."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, Field

from backtesting.market_view import MarketView
from backtesting.types import AssetEntry, AssetPage, Bars, Finding, SeriesEntry, Timeframe, instant
from mcp_server.schemas.data import FindingReply, fitting, worst

BYTES_OF_ASSETS, TOLD_CODES, TOLD_FINDINGS = 3400, 6, 5
BAR_COLUMNS = ("time", "open", "high", "low", "close", "volume")
ENDS = 5  # bars shown of either end

Cell = str | float | None


class SeriesReply(BaseModel):
    """One stored series; `findings` are codes of what its last import found."""

    timeframe: str
    first: str
    last: str
    bars: int
    adjusted: bool
    imported: str | None
    findings: list[str]

    @classmethod
    def of(cls, series: SeriesEntry) -> Self:
        """Shape a series."""
        return cls(
            timeframe=series.timeframe.value,
            first=stamp(series.timeframe, series.first.isoformat()),
            last=stamp(series.timeframe, series.last.isoformat()),
            bars=series.bars,
            adjusted=series.adjusted,
            imported=series.imported_at.date().isoformat() if series.imported_at else None,
            findings=[each.code for each in worst(series.findings, TOLD_CODES)],
        )


class AssetReply(BaseModel):
    """One asset; `quality` is the worst that its last imports found."""

    symbol: str
    name: str
    asset_class: str
    currency: str
    exchange: str | None
    quality: str
    series: list[SeriesReply]

    @classmethod
    def of(cls, entry: AssetEntry) -> Self:
        """Shape an entry."""
        return cls(
            symbol=entry.asset.symbol,
            name=entry.asset.name,
            asset_class=entry.asset.asset_class.value,
            currency=entry.asset.currency,
            exchange=entry.asset.exchange,
            quality=entry.quality.value if entry.quality else "ok",
            series=[SeriesReply.of(each) for each in entry.series],
        )


class AssetsReply(BaseModel):
    """A page of assets."""

    assets: list[AssetReply]
    total: int
    next_offset: int | None

    @classmethod
    def of(cls, page: AssetPage, offset: int) -> Self:
        """Shape as much of the page as a small answer holds."""
        shown = list(fitting(map(AssetReply.of, page.entries), BYTES_OF_ASSETS))
        following = offset + len(shown)
        return cls(assets=shown, total=page.total, next_offset=following if shown and following < page.total else None)


class MarketReply(BaseModel):
    """Bars of a period and what they came to; fractions are not percent, null is explained in `undefined`."""

    symbol: str
    timeframe: str
    adjustment: str
    summary: dict[str, float | int | None]
    undefined: dict[str, str]
    findings: Annotated[list[FindingReply], Field(description="Of the last import")]
    columns: list[str]
    rows: list[list[Cell]]
    next_offset: int | None

    @classmethod
    def of(cls, view: MarketView, findings: Sequence[Finding], page: tuple[int, int] | None) -> Self:
        """Shape a view with a page of its bars, by offset and length, or with both ends of them."""
        count = len(view.bars)
        offset, length = page or (0, 0)
        shown = range(offset, min(offset + length, count)) if page else _ends(count)
        return cls(
            symbol=view.asset.symbol,
            timeframe=view.timeframe.value,
            adjustment=view.adjustment,
            summary=dict(view.summary),
            undefined=dict(view.undefined),
            findings=[FindingReply.of(each) for each in worst(findings, TOLD_FINDINGS)],
            columns=[*BAR_COLUMNS, *view.indicators],
            rows=[_row(view, at) for at in shown],
            next_offset=offset + length if page and offset + length < count else None,
        )

    def text(self) -> str:
        """Return the same in words."""
        told = [f"{name} {_figure(name, value, self.undefined)}" for name, value in self.summary.items()]
        rows = [" ".join("-" if cell is None else str(cell) for cell in row) for row in self.rows]
        more = [f"next page: offset={self.next_offset}"] if self.next_offset else []
        found = [f"{each.severity} {each.code}: {each.message}" for each in self.findings]
        heading = f"{self.symbol} {self.timeframe}, {self.adjustment} prices: {', '.join(told)}"
        return "\n".join([heading, *found, ", ".join(self.columns), *rows, *more])


def stamp(timeframe: Timeframe, iso: str) -> str:
    """Return a bar's start as a day where that says it all, else as a minute UTC."""
    return iso[:10] if timeframe in (Timeframe.D1, Timeframe.W1) else f"{iso[:16]}Z"


def _ends(count: int) -> list[int]:
    if count <= 2 * ENDS:
        return list(range(count))
    return [*range(ENDS), *range(count - ENDS, count)]


def _row(view: MarketView, at: int) -> list[Cell]:
    bars: Bars = view.bars
    values = [float(column[at]) for column in (*bars.ohlcv, *view.indicators.values())]
    # ten digits are more than any price has, and adjusted ones have sixteen
    rounded = [None if value != value else float(f"{value:.10g}") for value in values]  # noqa: PLR0124 - NaN
    return [stamp(view.timeframe, instant(bars.time[at]).isoformat()), *rounded]


def _figure(name: str, value: float | None, undefined: dict[str, str]) -> str:
    if value is None:
        return f"none ({undefined[name]})"
    return f"{value:.2%}" if name in ("total_return", "annual_volatility", "max_drawdown") else f"{value:.10g}"
