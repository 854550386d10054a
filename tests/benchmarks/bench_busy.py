"""The server while long work is done: `python -m tests.benchmarks.bench_busy`.

Prints the latency of list_strategies beside an optimisation as a multiple of the idle one of the same process, how long
after a cancel the processes that did the parts are gone, and how long after the end of input all processes are.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

import psutil

from backtesting.optimization.request import OptimizationRequest
from backtesting.types import Run
from tests.fixtures.patience import until
from tests.fixtures.postgres import reachable_folder
from tests.test_kills import SEARCH, parts_of
from tests.test_worker import MAIN, House, all_gone, answer, call, family, greet

CALLS, ROUNDS = 200, 3


def latencies(server: subprocess.Popen[str]) -> list[float]:
    found = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        call(server, 9, "list_strategies", {})
        answer(server)
        found.append(time.perf_counter() - begun)
    return found


def begun(house: House, server: subprocess.Popen[str]) -> str:
    """Start a search, and wait until its parts are being done."""
    job_id = Run.new_id()
    request = OptimizationRequest.model_validate(SEARCH)
    house.stores.jobs.submit(job_id, "optimization", request.model_dump(mode="json"))
    call(server, 2, "get_backtest_status", {"backtest_id": job_id})
    answer(server)
    until(lambda: house.chunks(job_id))
    return job_id


def taken(do: Callable[[], object], is_over: Callable[[], bool]) -> float:
    started = time.perf_counter()
    do()
    until(is_over)
    return time.perf_counter() - started


def one_round(house: House) -> tuple[float, float, float, float]:
    with house.process() as server:
        greet(server)
        latencies(server)
        idle = statistics.median(latencies(server))
        job_id = begun(house, server)
        busy = statistics.median(latencies(server))
        workers: list[psutil.Process] = [each for each in parts_of(server) if each.cpu_times().user > 1]
        cancelled = taken(
            lambda: (call(server, 3, "cancel_backtest", {"backtest_id": job_id}), answer(server)),
            lambda: all_gone(workers),
        )
        begun(house, server)
        everybody = family(server)
        assert server.stdin is not None
        ended = taken(server.stdin.close, lambda: server.poll() is not None and all_gone(everybody))
    return idle, busy, cancelled, ended


def main() -> None:
    with reachable_folder() as folder:
        home = folder / "our data"
        environment = os.environ | {"BACKTEST_DATA_DIR": str(home), "BACKTEST_ENV_FILE": ""}
        subprocess.run([sys.executable, MAIN, "demo"], env=environment, check=True, capture_output=True)
        house = House(home)
        with closing(house.stores):
            for _ in range(ROUNDS):
                idle, busy, cancelled, ended = one_round(house)
                print(
                    f"list_strategies idle {idle * 1000:.2f} ms, busy {busy / idle:.2f} times that; "
                    f"cancelled after {cancelled:.2f} s, ended after {ended:.2f} s"
                )


if __name__ == "__main__":
    main()
