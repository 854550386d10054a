"""Real processes on an embedded PostgreSQL of their own: whatever is killed, work is done once, and nothing stays."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp import Client, StdioServerParameters

from backtesting.jobs.batch import BatchRequest
from backtesting.jobs.folds import WalkForwardRequest
from backtesting.strategies import STRATEGIES
from backtesting.types import BacktestRequest, Job, JobStatus, Run, RunFilter
from backtesting.walk_forward.windows import Scheme
from config.database import LazyEngine
from database.embedded.server import EmbeddedPostgres
from database.stores import Stores
from tests.fixtures.patience import until
from tests.fixtures.postgres import reachable_folder

MAIN = str(Path(__file__).resolve().parent.parent / "main.py")
IBM: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2000-03-01",
    "end_date": "2013-03-01",
    "initial_capital": 100_000,
    "parameters": {},
}
SETS = [{"fast_period": fast, "slow_period": slow} for fast in range(2, 10) for slow in range(20, 30)]
BATCH = {"strategy_id": "sma_crossover", "symbols": ["IBM"], "parameters": SETS}
CHUNKS = 8  # 80 runs, 10 a chunk
SOON = 5.0  # what takes well under 2 s, on a machine that has other things to do


class House:
    """A data directory, and the stores in it as a client of the database sees them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.server = EmbeddedPostgres(home)
        self.stores = Stores(
            self.server, lambda role: LazyEngine(lambda: self.server.url(role), "local"), home / "cache"
        )
        self.stores.open([strategy.describe() for strategy in STRATEGIES], upgrade=False)

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        ours = {"DATA_DIR": str(self.home), "ENV_FILE": "", "LOG_LEVEL": "WARNING", "TOOLSET": "all"}
        return kept | {f"BACKTEST_{name}": value for name, value in ours.items()}

    def submit(self, **changes: Any) -> str:
        request = BatchRequest.model_validate(BATCH | changes)
        job_id = Run.new_id()
        self.stores.jobs.submit(job_id, "batch", request.model_dump(mode="json"))
        return job_id

    def job(self, job_id: str) -> Job:
        return self.stores.jobs.get(job_id)

    def begun(self, job_id: str) -> Job:
        """Wait until some chunks are stored, but not all."""
        job = until(lambda: (job := self.job(job_id)).progress.done and job)
        assert job.status is JobStatus.RUNNING, "killed in the middle"
        return job

    def ended(self, job_id: str) -> Job:
        return until(lambda: None if (job := self.job(job_id)).status.is_open else job, 120)

    def runs(self, job_id: str) -> list[Run]:
        pages = [self.stores.runs.find(RunFilter(tag=job_id, limit=100, offset=offset)) for offset in (0, 100, 200)]
        return [run for page in pages for run in page.runs]

    def chunks(self, job_id: str) -> list[int]:
        query = "select chunk from app.job_chunks where job_id = :job_id order by chunk"
        return [row[0] for row in self.execute(query, job_id=job_id)]

    def let_the_lease_run_out(self) -> None:
        self.execute("update app.jobs set lease_until = clock_timestamp() - interval '1 second' where owner is not null"
                     " and status = 'running' returning id")  # fmt: skip

    def execute(self, statement: str, **values: Any) -> list[Any]:
        import sqlalchemy as sa  # noqa: PLC0415

        return self.stores._app.run(lambda connection: list(connection.execute(sa.text(statement), values)))  # noqa: SLF001

    @contextmanager
    def process(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        pipe = subprocess.PIPE
        command = [sys.executable, MAIN, *arguments]
        with subprocess.Popen(command, env=self.environment(), stdin=pipe, stdout=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with reachable_folder() as folder:
        home = folder / "our data"
        environment = os.environ | {"BACKTEST_DATA_DIR": str(home), "BACKTEST_ENV_FILE": ""}
        subprocess.run([sys.executable, MAIN, "demo"], env=environment, check=True, capture_output=True)
        house = House(home)
        with closing(house.stores):
            yield house


@pytest.fixture(scope="module")
def undisturbed(house: House) -> Mapping[str, Any]:
    """What the batch comes to when nothing happens: the metrics of every run."""
    with house.process("worker"):
        job = house.ended(house.submit(rerun=True))
    return results(house, job)


def results(house: House, job: Job) -> Mapping[str, Any]:
    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    found = {json.dumps(run.request.parameters): run.summary.metrics for run in house.runs(job.id) if run.summary}
    assert house.chunks(job.id) == list(range(CHUNKS))
    assert len(house.runs(job.id)) == len(found) == len(SETS), "every run once"
    return found


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def all_gone(processes: list[psutil.Process]) -> bool:
    return all(not each.is_running() or each.status() == psutil.STATUS_ZOMBIE for each in processes)


def greet(process: subprocess.Popen[str]) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    say(process, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    answer(process)
    say(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})


def say(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def call(process: subprocess.Popen[str], number: int, tool: str, arguments: dict[str, Any]) -> None:
    params = {"name": tool, "arguments": arguments}
    say(process, {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def submitted(process: subprocess.Popen[str]) -> str:
    call(process, 2, "run_batch", BATCH | {"options": {"rerun": True}, "wait_seconds": 0})
    return str(answer(process)["result"]["structuredContent"]["backtest_id"])


def test_a_worker_killed_in_the_middle_is_followed_by_another_that_repeats_no_chunk(
    house: House, undisturbed: Mapping[str, Any]
) -> None:
    job_id = house.submit(rerun=True)
    with house.process("worker") as first:
        house.begun(job_id)
        children = family(first)
        first.kill()
        first.wait()
        until(lambda: all_gone(children), SOON)
    stored = house.chunks(job_id)
    house.let_the_lease_run_out()

    with house.process("worker"):
        job = house.ended(job_id)

    assert 0 < len(stored) < CHUNKS and job.attempt == 2
    assert results(house, job) == undisturbed


def test_a_worker_whose_postgres_is_killed_goes_on_when_it_is_back(
    house: House, undisturbed: Mapping[str, Any]
) -> None:
    job_id = house.submit(rerun=True)
    with house.process("worker"):
        house.begun(job_id)
        for each in psutil.process_iter(["cmdline"]):
            if f"{house.home}/pg18/data" in (each.info["cmdline"] or []):
                each.kill()

        job = house.ended(job_id)

    assert results(house, job) == undisturbed


def test_a_walk_forward_whose_worker_is_killed_comes_to_what_an_undisturbed_one_does(house: House) -> None:
    asked = WalkForwardRequest(
        request=BacktestRequest.model_validate(IBM),
        space={"fast_period": tuple(range(2, 22)), "slow_period": tuple(range(40, 100))},
        scheme=Scheme(test_sessions=252),
    )
    first, second = (Run.new_id() for _ in range(2))
    for job_id in (first, second):
        house.stores.jobs.submit(job_id, "walk_forward", asked.model_dump(mode="json"))
    with house.process("worker") as worker:
        house.begun(first)
        worker.kill()
        worker.wait()
    stored = house.chunks(first)
    house.let_the_lease_run_out()

    with house.process("worker"):
        killed, undisturbed = house.ended(first), house.ended(second)

    assert 0 < len(stored) < killed.progress.done and (killed.attempt, undisturbed.attempt) == (2, 1)
    assert killed.error is None and killed.result and undisturbed.result
    assert {**killed.result, "tag": ""} == {**undisturbed.result, "tag": ""}
    assert house.chunks(first) == house.chunks(second) == list(range(len(killed.result["windows"])))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_to_end_gives_its_work_back_at_once(house: House, number: signal.Signals) -> None:
    job_id = house.submit(rerun=True)
    with house.process("worker") as process:
        house.begun(job_id)
        children = family(process)
        process.send_signal(number)
        until(lambda: house.job(job_id).status is JobStatus.PENDING, SOON)
        code = process.wait(10)
        until(lambda: all_gone(children), SOON)

    assert code == 0
    assert house.stores.jobs.cancel(job_id).status is JobStatus.CANCELLED


def test_a_cancelled_job_is_left_within_a_second_and_the_next_one_is_done(house: House) -> None:
    first, second = house.submit(rerun=True), house.submit(parameters=SETS[:3], rerun=True)
    with house.process("worker"):
        house.begun(first)

        house.stores.jobs.cancel(first)
        stored = house.chunks(first)

        until(lambda: house.job(second).attempt, 5)
        done = house.ended(second)
    assert house.job(first).status is JobStatus.CANCELLED and house.chunks(first) == stored
    assert (done.status, (done.result or {})["runs"]) == (JobStatus.COMPLETED, 3)


def test_the_end_of_input_ends_the_server_at_once_and_the_next_one_completes_its_work(
    house: House, undisturbed: Mapping[str, Any]
) -> None:
    with house.process() as server:
        greet(server)
        job_id = submitted(server)
        house.begun(job_id)
        children = family(server)
        assert server.stdin is not None
        server.stdin.close()
        code = server.wait(SOON)
        until(lambda: all_gone(children), SOON)
    given_back = house.job(job_id).status

    with house.process() as server:
        greet(server)
        call(server, 2, "get_backtest_status", {"backtest_id": job_id})
        answer(server)
        job = house.ended(job_id)

    assert (code, given_back) == (0, JobStatus.PENDING)
    assert results(house, job) == undisturbed


def test_a_server_killed_leaves_no_orphan_and_the_next_one_completes_its_work(
    house: House, undisturbed: Mapping[str, Any]
) -> None:
    with house.process() as server:
        greet(server)
        job_id = submitted(server)
        house.begun(job_id)
        children = family(server)
        assert len(children) >= 2, "the worker and its processes"
        server.kill()
        server.wait()
        until(lambda: all_gone(children), SOON)

    with house.process("worker"):
        job = house.ended(job_id)

    assert results(house, job) == undisturbed


def test_cancelling_the_call_over_stdio_cancels_the_work(house: House) -> None:
    with house.process() as server:
        greet(server)
        call(server, 2, "run_batch", BATCH | {"options": {"rerun": True}, "wait_seconds": 45})
        (job,) = until(house.stores.jobs.unfinished)
        house.begun(job.id)

        say(server, {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}})

        until(lambda: house.job(job.id).status is JobStatus.CANCELLED, 5)
        call(server, 3, "get_backtest_status", {"backtest_id": job.id})
        while (found := answer(server)).get("id") != 3:
            assert found.get("method") == "notifications/progress"
    assert found["result"]["structuredContent"]["status"] == "cancelled"


async def test_eight_clients_with_good_and_bad_requests_lose_no_run_and_get_no_wrong_answer(
    house: House, undisturbed: Mapping[str, Any]
) -> None:
    server = StdioServerParameters(command=sys.executable, args=[MAIN], env=house.environment(), cwd="/")

    async def asked(client_number: int) -> list[str]:
        async with Client(server, read_timeout_seconds=120) as client:
            ids = []
            for number in range(6):
                parameters = SETS[client_number * 10 + number] | {"position_size": 1.0}
                run = await client.call_tool("run_backtest", IBM | {"parameters": parameters, "rerun": True})
                bad = await client.call_tool("run_backtest", IBM | {"parameters": {"fast_period": -number}})
                told = run.structured_content or {}
                expected = undisturbed[json.dumps({**parameters})]
                assert bad.is_error and told["metrics"]["final_capital"] == expected["final_capital"]
                ids.append(told["backtest_id"])
            gone = await client.call_tool("get_backtest_status", {"backtest_id": "bt-000000000000"})
            assert gone.is_error
            return ids

    answered = await asyncio.gather(*(asked(number) for number in range(8)))

    ids = [run_id for part in answered for run_id in part]
    assert len(set(ids)) == 48
    assert all(house.stores.runs.get(run_id).summary for run_id in ids)
