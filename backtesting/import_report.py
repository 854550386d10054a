"""An import in plain text: how the source was read, what was found in it, and what was stored."""

from collections.abc import Sequence

from backtesting.data_import import Imported, sentence
from backtesting.types import Asset, Coverage


def describe(done: Imported) -> str:
    """Return everything a person needs to check that the file was understood."""
    report, asset = done.report, done.asset.asset
    span = f", {report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}" if report.first and report.last else ""
    rows = f"{report.rows_read:,} rows read, {report.rows_kept:,} kept, {report.quarantined:,} set aside"
    reasons = "; ".join(done.asset.reasons)
    lines = [
        f"{done.source}: {asset.symbol} {report.timeframe}{span}; {rows}",
        f"layout: {done.reading.layout}",
        *done.reading.notes,
        f"asset: {asset.asset_class}, {asset.currency}, {asset.exchange or 'no exchange'} ({reasons})",
        *(f"{finding.severity}: {sentence(finding)}" for finding in report.findings),
        outcome(done),
    ]
    return "\n  ".join(lines)


def holding(asset: Asset, coverage: Sequence[Coverage]) -> str:
    """Say what is stored of an asset."""
    series = [f"{each.timeframe} {each.first:%Y-%m-%d %H:%M} to {each.last:%Y-%m-%d %H:%M}" for each in coverage]
    return f"{asset.symbol} ({asset.asset_class}, {asset.currency}) stored: {', '.join(series) or 'nothing'}"


def outcome(done: Imported) -> str:
    """Say what was stored."""
    if done.stored is None:
        return "nothing was stored, this was a dry run"
    return f"stored: {done.stored.inserted:,} bars added, {done.stored.updated:,} changed"
