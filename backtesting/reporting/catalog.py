"""Stored assets in plain text."""

from collections.abc import Iterable, Iterator

from backtesting.types import AssetEntry, SeriesEntry


def asset_lines(entries: Iterable[AssetEntry], *, reasons: bool = False) -> list[str]:
    """Return a few lines an asset: what it is, what is stored of it, and why it is taken for that where asked."""
    return [line for entry in entries for line in _lines(entry, reasons=reasons)]


def _lines(entry: AssetEntry, *, reasons: bool) -> Iterator[str]:
    asset = entry.asset
    name = "" if asset.name == asset.symbol else f" ({asset.name})"
    steps = (("tick", asset.tick_size), ("lot", asset.lot_size))
    known = "".join(f", {label} {size:g}" for label, size in steps if size is not None)
    yield f"{asset.symbol}{name}: {asset.asset_class}, {asset.currency}, {asset.exchange or 'no exchange'}{known}"
    yield from (f"  {_series(each)}" for each in entry.series)
    if reasons:
        yield from (f"  {reason}" for reason in entry.reasons)


def _series(series: SeriesEntry) -> str:
    imported = f", imported {series.imported_at:%Y-%m-%d}" if series.imported_at else ""
    codes = ", ".join(f"{finding.severity} {finding.code}" for finding in series.findings)
    return (
        f"{series.timeframe} {series.first:%Y-%m-%d} to {series.last:%Y-%m-%d}, {series.bars:,} bars, "
        f"{'adjusted and raw' if series.adjusted else 'raw'}{imported}; {codes or 'nothing found wrong'}"
    )
