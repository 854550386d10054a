"""The one gate through which bars come into the store: read, inspected, stored whole or not at all."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np

from backtesting.assets import AssetGuess, canonical, describe
from backtesting.data_quality import Inspection
from backtesting.data_sources import SAMPLES
from backtesting.errors import BacktestError, UnknownNameError
from backtesting.ports import BarSource, BarStore, PriceSource
from backtesting.price_files import Hints, PriceFile
from backtesting.types import Asset, Bars, Finding, ImportRecord, PriceRows, QualityReport, Reading, Stored, utc_now

LARGEST_WHOLE = 2_000_000  # rows that are held at once and may stand in any order; more come in parts, in order of time


class RefusedImportError(BacktestError):
    """What was read must not be stored, and nothing was."""

    code = "refused_import"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one source: how it was read, what was found, and what was stored; None in a dry run."""

    source: str
    asset: AssetGuess
    reading: Reading
    report: QualityReport
    stored: Stored | None


def load_samples(importer: "DataImporter", stored: Collection[str]) -> None:
    """Import the sample files whose symbols are not stored."""
    for sample in SAMPLES:
        if sample.asset.symbol not in stored:
            importer.run(PriceFile(sample.path, Hints(symbol=sample.asset.symbol)), asset=sample.asset)


class DataImporter:
    """The use case: a price file or another source goes in, its bars are stored."""

    def __init__(self, bars: BarSource, store: BarStore, now: Callable[[], datetime] = utc_now) -> None:
        self._bars = bars
        self._store = store
        self._now = now

    def run(self, source: PriceSource, *, asset: Asset | None = None, dry_run: bool = False) -> Imported:
        """Read, inspect and store a source, or say what would be stored; the asset is inferred where it is not given.

        UnreadableFileError when it cannot be read, RefusedImportError when what was read is wrong: both say what would
        be right, and nothing is stored.
        """
        guess = AssetGuess(asset, ("it was given",)) if asset else self._asset(source)
        inspection = Inspection(guess.asset, source.reading().timeframe, now=self._now())
        parts = map(inspection.take, whole_or_parts(source))
        first = next(parts, None)
        if first is None or inspection.timeframe is None:
            raise refusal(source.name, inspection.report())
        stored = None if dry_run else self._put(source, inspection, chain([first], parts), guess.reasons)
        for _ in parts:
            """A dry run looks at every row too."""
        return Imported(source.name, guess, source.reading(), inspection.report(), stored)

    def _put(self, source: PriceSource, inspection: Inspection, bars: Iterator[Bars], reasons: Sequence[str]) -> Stored:
        def record() -> ImportRecord:
            report = inspection.report()
            if report.errors:
                raise refusal(source.name, report)
            account = told(source.reading(), report)
            return ImportRecord(source.name, source.content_hash(), self._now(), account, report.first, report.last)

        assert inspection.timeframe is not None  # noqa: S101 - the caller has looked
        return self._store.store(inspection.asset, inspection.timeframe, bars, record, reasons)

    def _asset(self, source: PriceSource) -> AssetGuess:
        """Return the stored asset of the symbol, or what the source knows, or what the symbol's form says."""
        reading = source.reading()
        if reading.symbol is None:
            raise RefusedImportError(
                f"{source.name}: nothing in it says which symbol it holds: name it", field="symbol"
            )
        try:
            found = self._bars.asset(reading.symbol)
            spelled = (
                ""
                if found.symbol == canonical(reading.symbol)
                else f" as {found.symbol}, which is another spelling of it"
            )
            return AssetGuess(found, (f"it is stored already{spelled}",))
        except UnknownNameError:
            return AssetGuess(reading.asset, ("its source says so",)) if reading.asset else describe(reading.symbol)


def whole_or_parts(source: PriceSource) -> Iterator[PriceRows]:
    """Return the rows at once where that is possible, else part by part."""
    held: list[PriceRows] = []
    chunks = source.chunks()
    for chunk in chunks:
        held.append(chunk)
        if sum(map(len, held)) > LARGEST_WHOLE:
            yield from held
            yield from chunks
            return
    if held:
        yield joined(held)


def joined(parts: Sequence[PriceRows]) -> PriceRows:
    """Return the rows of all parts, which have the same columns."""
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(PriceRows) if getattr(parts[0], field.name) is not None]
    return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def refusal(source: str, report: QualityReport) -> RefusedImportError:
    """Return the error that names every finding that refuses, and its first lines."""
    return RefusedImportError(f"{source}: {'; '.join(map(sentence, report.errors))}. Nothing was stored.", field="path")


def sentence(finding: Finding) -> str:
    """Return a finding with the first lines where it was made."""
    lines = f" (first in line {', '.join(map(str, finding.lines))})" if finding.lines else ""
    return f"{finding.code}: {finding.message}{lines}"


def told(reading: Reading, report: QualityReport) -> dict[str, Any]:
    """Return what the history keeps of a reading and its report, as JSON."""
    return {
        "layout": reading.layout,
        "notes": list(reading.notes),
        "rows_read": report.rows_read,
        "rows_kept": report.rows_kept,
        "quarantined": report.quarantined,
        "findings": [asdict(finding) for finding in report.findings],
    }
