"""Imports what lies at a path: each file by itself, so that one that is refused does not keep the others out."""

from collections.abc import Iterator
from dataclasses import dataclass

from backtesting.data_import import DataImporter, Imported
from backtesting.errors import BacktestError
from backtesting.import_report import describe
from backtesting.price_files import Hints, PriceFile, price_files
from backtesting.types import ImportRequest


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file: imported, or refused with the reason."""

    source: str
    imported: Imported | None = None
    error: BacktestError | None = None

    def __str__(self) -> str:
        return describe(self.imported) if self.imported else f"error: {self.error}"


def import_files(importer: DataImporter, request: ImportRequest) -> Iterator[FileOutcome]:
    """Import the files one after the other; UnreadableFileError when there is none."""
    given = request.model_dump(include=set(Hints.__dataclass_fields__))
    for file in price_files(request.path, Hints(**given)):
        yield _imported(importer, file, dry_run=request.dry_run)


def _imported(importer: DataImporter, file: PriceFile, *, dry_run: bool) -> FileOutcome:
    try:
        return FileOutcome(file.name, importer.run(file, dry_run=dry_run))
    except BacktestError as error:
        return FileOutcome(file.name, error=error)
