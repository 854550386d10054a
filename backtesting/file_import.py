"""Imports what lies at a path: each file by itself, so that one that is refused does not keep the others out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backtesting.data_import import DataImporter, Imported
from backtesting.errors import BacktestError
from backtesting.import_report import describe
from backtesting.price_files import Hints, PriceFile, price_files
from backtesting.types import ImportRequest, Progress

Watch = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file: imported, or refused with the reason."""

    source: str
    imported: Imported | None = None
    error: BacktestError | None = None

    def __str__(self) -> str:
        return describe(self.imported) if self.imported else f"error: {self.error}"


def import_files(
    importer: DataImporter,
    request: ImportRequest,
    *,
    admitted: Callable[[Path], bool] = lambda _: True,
    watch: Watch = lambda _: None,
) -> Iterator[FileOutcome]:
    """Import the files one after the other; UnreadableFileError when there is none.

    Of a folder's files only the `admitted` ones are imported. `watch` is told how far the import is; what it raises
    undoes the file under way.
    """
    given = request.model_dump(include=set(Hints.__dataclass_fields__))
    files = price_files(request.path, Hints(**given), admitted)
    for number, file in enumerate(files):
        _watch(file, number, len(files), watch)
        yield _imported(importer, file, dry_run=request.dry_run)


def _watch(file: PriceFile, number: int, total: int, watch: Watch) -> None:
    def tell(rows: int, share: float) -> None:
        watch(Progress(file.name, rows, number + share, total))

    tell(0, 0.0)
    file.watch = tell


def _imported(importer: DataImporter, file: PriceFile, *, dry_run: bool) -> FileOutcome:
    try:
        return FileOutcome(file.name, importer.run(file, dry_run=dry_run))
    except BacktestError as error:
        return FileOutcome(file.name, error=error)
