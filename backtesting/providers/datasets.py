"""What lies where a user points: Parquet files, or a database file, or a server's address."""

from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from backtesting.errors import BacktestError
from backtesting.price_files import UnreadableFileError

HEAD = 16
PARQUET, SQLITE, DUCKDB = b"PAR1", b"SQLite format 3\0", b"DUCK"
SERVERS = {"postgresql://": "postgres", "postgres://": "postgres"}


@dataclass(frozen=True, slots=True)
class Dataset:
    """The statements that open it, and the relation to read, or None where a table of a database is to be found."""

    name: str
    statements: tuple[str, ...]
    relation: str | None = None
    table: str | None = None


def dataset_at(path: str, table: str | None) -> Dataset:
    """Tell what lies at a path; UnreadableFileError where it is nothing that DuckDB reads here."""
    for scheme, kind in SERVERS.items():
        if path.startswith(scheme):
            return Dataset(kind, attached(path, kind), table=table)
    files = _files(path)
    head = _head(files[0])
    if head.startswith(SQLITE):
        return Dataset(files[0].name, attached(str(files[0]), "sqlite"), table=table)
    if DUCKDB in head:
        return Dataset(files[0].name, attached(str(files[0]), "duckdb"), table=table)
    if not head.startswith(PARQUET):
        raise UnreadableFileError(f"{path}: is no Parquet file and no database of DuckDB or SQLite; import other files")
    if table:
        raise BacktestError("table: Parquet files have none, leave it out", field="table")
    listed = ", ".join(literal(str(file)) for file in files)
    relation = f"read_parquet([{listed}], hive_partitioning = true, union_by_name = true)"
    return Dataset(Path(path).name, (f"set allowed_paths = [{listed}]",), relation)


def attached(path: str, kind: str) -> tuple[str, ...]:
    """Return the statements that open a database to be read only, by an extension that is there already."""
    load = () if kind == "duckdb" else (f"load {kind}",)
    return *load, f"attach {literal(path)} as source (type {kind}, read_only)"


def literal(text: str) -> str:
    """Return a text as an SQL literal, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


def _files(path: str) -> list[Path]:
    place = Path(path)
    if place.is_dir():
        found = sorted(place.rglob("*.parquet"))
    elif has_magic(path) and not place.exists():
        found = sorted(map(Path, glob(path, recursive=True)))  # noqa: PTH207 - Path.glob takes no absolute pattern
    else:
        found = [place]
    files = [each.resolve() for each in found if each.is_file()]
    if not files:
        raise UnreadableFileError(f"{path}: there is no such file, and no Parquet file in such a folder")
    return files


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(HEAD)
    except OSError as error:
        raise UnreadableFileError(f"{file.name}: cannot be read ({error.strerror})") from error
