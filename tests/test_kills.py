"""An optimisation of 10,000 sets whose processes, worker, server or PostgreSQL are killed comes to the same."""

import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import psutil
import pytest

from backtesting.optimization.request import OptimizationRequest
from backtesting.types import Job, JobStatus, Run
from tests.fixtures.patience import until
from tests.fixtures.searches import without_ids
from tests.test_worker import House, all_gone, answer, call, family, greet, house

__all__ = ["house"]  # a fixture

SPACE = {"fast_period": list(range(2, 102)), "slow_period": list(range(105, 205))}  # 100 x 100
SEARCH: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2012-01-03",
    "space": SPACE,
    "min_trades": 1,
    "stop_loss": 0.05,  # such runs are made one by one, which takes long enough to be killed
}
LEASE_SECONDS = 30.0
COUNTING = {"trials_counted", "dsr", "luckiest_sharpe", "verdict"}
# 10,000 sets on train, the best of them on the holdout, and over both periods by the searches before
TRIALS = 10_002


def search(house: House) -> str:
    request = OptimizationRequest.model_validate(SEARCH)
    job_id = Run.new_id()
    house.stores.jobs.submit(job_id, "optimization", request.model_dump(mode="json"))
    return job_id


def result(house: House, job: Job) -> Mapping[str, Any]:
    """Return what a search came to, but for what depends on the searches before it."""
    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    chunks = house.chunks(job.id)
    assert chunks == list(range(len(chunks))) and len(chunks) > 10
    return {name: value for name, value in without_ids(job).items() if name not in COUNTING}


def further(house: House, job_id: str, than: int) -> list[int]:
    """Wait until more chunks are stored, but not all."""
    chunks = until(lambda: len(found := house.chunks(job_id)) > than and found)
    assert house.job(job_id).status is JobStatus.RUNNING, "killed in the middle"
    return list(chunks)


@pytest.fixture(scope="module")
def undisturbed(house: House) -> Iterator[Mapping[str, Any]]:
    with house.process("worker"):
        yield result(house, house.ended(search(house)))


def parts_of(server: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that do the parts, below the server's worker."""
    return [each for worker in psutil.Process(server.pid).children() for each in worker.children(recursive=True)]


def kill_postgres(house: House) -> None:
    for each in psutil.process_iter(["cmdline"]):
        if f"{house.home}/pg18/data" in (each.info["cmdline"] or []):
            each.kill()


def seconds_left(house: House, job_id: str) -> float:
    """Return how many seconds the work of a killed server may still be `running`; 0 when it was given back."""
    query = (
        "select extract(epoch from lease_until - clock_timestamp()) from app.jobs"
        " where id = :job_id and status = 'running'"
    )
    return max((float(row[0]) for row in house.execute(query, job_id=job_id)), default=0.0)


def completions(house: House, job_id: str) -> dict[int, str]:
    """Return when each chunk was stored: what is stored again would have another time."""
    query = "select chunk, xmin::text from app.job_chunks where job_id = :job_id"
    return {row[0]: str(row[1]) for row in house.execute(query, job_id=job_id)}


def test_whatever_is_killed_the_search_completes_and_no_chunk_is_done_twice(
    house: House, undisturbed: Mapping[str, Any]
) -> None:
    job_id = search(house)
    with house.process() as server:
        greet(server)
        call(server, 2, "get_backtest_status", {"backtest_id": job_id})
        answer(server)
        stored = further(house, job_id, 0)
        for process in parts_of(server):
            process.kill()
        stored = further(house, job_id, len(stored))
        kill_postgres(house)
        stored = further(house, job_id, len(stored))
        children = family(server)
        server.kill()
        server.wait()
        until(lambda: all_gone(children), 5)
    left = seconds_left(house, job_id)
    with house.process("worker") as worker:
        stored = further(house, job_id, len(stored))
        worker.kill()
        worker.wait()
    kept = completions(house, job_id)
    house.let_the_lease_run_out()

    with house.process("worker"):
        job = house.ended(job_id)

    after = completions(house, job_id)
    assert left <= LEASE_SECONDS
    assert len(kept) < len(after), "some were done before, some after"
    assert {number: after[number] for number in kept} == kept, "none was stored again"
    assert result(house, job) == undisturbed
    assert (job.result or {})["trials_counted"] == TRIALS, "and none was counted twice"
