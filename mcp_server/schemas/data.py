"""The shapes of what is said of stored and imported prices; long texts are cut, so that an answer stays small."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, Field

from backtesting.data_import import Imported
from backtesting.file_import import FileOutcome
from backtesting.types import Finding, Severity

LONGEST_TEXT, LONGEST_ERROR = 160, 500
TOLD_FINDINGS, TOLD_NOTES, TOLD_REFUSALS = 6, 8, 3
BYTES_OF_FILES = 3000

Shape = TypeVar("Shape", bound=BaseModel)


class FindingReply(BaseModel):
    """One thing an inspection found, and the first lines where."""

    code: str
    severity: str
    message: str
    count: int
    lines: list[int]

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """Shape a finding."""
        return cls(
            code=finding.code,
            severity=finding.severity.value,
            message=cut(finding.message),
            count=finding.count,
            lines=list(finding.lines),
        )


class FileReply(BaseModel):
    """What became of one file; `notes` say how it was read."""

    file: str
    outcome: Literal["stored", "checked", "refused"]
    error: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    first: str | None = None
    last: str | None = None
    rows_read: int | None = None
    rows_set_aside: int | None = None
    bars_added: int | None = None
    bars_changed: int | None = None
    asset: str | None = None
    layout: str | None = None
    notes: list[str] = []
    findings: list[FindingReply] = []

    @classmethod
    def of(cls, outcome: FileOutcome) -> Self:
        """Shape an outcome."""
        if outcome.imported is None:
            return cls(file=cut(outcome.source), outcome="refused", error=cut(str(outcome.error), LONGEST_ERROR))
        return cls._of(outcome.imported)

    @classmethod
    def _of(cls, done: Imported) -> Self:
        report, asset = done.report, done.asset.asset
        what = f"{asset.asset_class}, {asset.currency}, {asset.exchange or 'no exchange'}"
        return cls(
            file=cut(done.source),
            outcome="stored" if done.stored else "checked",
            symbol=asset.symbol,
            timeframe=report.timeframe,
            first=report.first.isoformat() if report.first else None,
            last=report.last.isoformat() if report.last else None,
            rows_read=report.rows_read,
            rows_set_aside=report.quarantined,
            bars_added=done.stored.inserted if done.stored else None,
            bars_changed=done.stored.updated if done.stored else None,
            asset=cut(f"{what} ({'; '.join(done.asset.reasons)})"),
            layout=done.reading.layout,
            notes=[cut(each) for each in done.reading.notes[:TOLD_NOTES]],
            findings=[FindingReply.of(each) for each in worst(report.findings, TOLD_FINDINGS)],
        )


class ImportReply(BaseModel):
    """What became of the files; refused ones first, and of many only some."""

    imported: int
    refused: int
    files: list[FileReply]
    not_shown: Annotated[int, Field(description="Files that were imported or refused too")]

    @classmethod
    def of(cls, outcomes: Sequence[FileOutcome]) -> Self:
        """Shape the outcomes."""
        refused = [each for each in outcomes if each.error]
        imported = [each for each in outcomes if not each.error]
        chosen = map(FileReply.of, [*refused[:TOLD_REFUSALS], *imported, *refused[TOLD_REFUSALS:]])
        files = list(fitting(chosen, BYTES_OF_FILES))
        left = len(outcomes) - len(files)
        return cls(imported=len(imported), refused=len(refused), files=files, not_shown=left)

    def text(self) -> str:
        """Return the same in words."""
        more = [f"and {self.not_shown} more files"] if self.not_shown else []
        return "\n".join([f"{self.imported} imported, {self.refused} refused", *map(_told, self.files), *more])


def cut(text: str, length: int = LONGEST_TEXT) -> str:
    """Return the text, its end left out where it is longer."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def worst(findings: Sequence[Finding], most: int) -> list[Finding]:
    """Return the gravest findings."""
    return sorted(findings, key=lambda finding: list(Severity).index(finding.severity))[:most]


def fitting(shapes: Iterable[Shape], size: int) -> Iterator[Shape]:
    """Yield the first shapes whose JSON has this size together, one at least."""
    taken = 0
    for shape in shapes:
        taken += len(shape.model_dump_json())
        if taken > size and taken > len(shape.model_dump_json()):
            return
        yield shape


def _told(file: FileReply) -> str:
    if file.error:
        return f"refused: {file.error}"
    span = f"{file.symbol} {file.timeframe}, {file.first} to {file.last}"
    rows = f"{file.rows_read} rows read, {file.rows_set_aside} set aside"
    stored = f"{file.bars_added} bars added, {file.bars_changed} changed"
    lines = [
        f"{file.file}: {span}; {rows}; {'nothing stored, dry run' if file.outcome == 'checked' else stored}",
        f"asset: {file.asset}",
        f"read as {file.layout}; {'; '.join(file.notes)}",
        *(f"{each.severity} {each.code}: {each.message}{_lines(each.lines)}" for each in file.findings),
    ]
    return "\n  ".join(lines)


def _lines(lines: Sequence[int]) -> str:
    return f" (first in line {', '.join(map(str, lines))})" if lines else ""
