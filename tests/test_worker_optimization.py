"""A search whose worker is killed in the middle, in real processes on an embedded PostgreSQL."""

from typing import Any

from backtesting.optimization.request import OptimizationRequest
from backtesting.types import Job, JobStatus, Run
from tests.fixtures.patience import until
from tests.fixtures.searches import without_ids
from tests.test_worker import SOON, House, all_gone, family, house

__all__ = ["house"]

# a stop takes the sets off the fast path, so that the search lasts long enough to be killed
SEARCH = OptimizationRequest(
    strategy_id="sma_crossover",
    asset_symbol="IBM",
    space={"fast_period": tuple(range(2, 22)), "slow_period": tuple(range(30, 50))},
    stop_loss=0.1,
    min_trades=3,
)
CHUNKS = 16  # of 25 sets each, and then the result


def submitted(house: House) -> str:
    job_id = Run.new_id()
    house.stores.jobs.submit(job_id, "optimization", SEARCH.model_dump(mode="json"))
    return job_id


def completed(house: House, job: Job) -> dict[str, Any]:
    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    assert house.chunks(job.id) == list(range(CHUNKS + 1))
    (run,) = house.runs(job.id)
    assert run.id == (job.result or {})["backtest_id"]
    return without_ids(job)


def test_a_search_whose_worker_is_killed_equals_an_undisturbed_one_and_a_cancelled_one_ends_within_a_second(
    house: House,
) -> None:
    with house.process("worker"):
        undisturbed = completed(house, house.ended(submitted(house)))
    job_id = submitted(house)
    with house.process("worker") as first:
        begun = house.begun(job_id)
        children = family(first)
        first.kill()
        first.wait()
        until(lambda: all_gone(children), SOON)
    stored = house.chunks(job_id)
    house.let_the_lease_run_out()

    with house.process("worker"):
        job = house.ended(job_id)
        cancelled, following = submitted(house), submitted(house)
        house.begun(cancelled)
        house.stores.jobs.cancel(cancelled)
        kept = house.chunks(cancelled)
        until(lambda: house.job(following).attempt, SOON)
        house.stores.jobs.cancel(following)

    resumed = completed(house, job)
    assert 0 < len(stored) < CHUNKS and job.attempt == 2
    assert begun.progress.best and begun.progress.total == 400
    # 400 sets, the run of the demo, and since then the winner of the first search
    assert resumed.pop("trials_counted") == undisturbed.pop("trials_counted") + 1 == 402
    for name in ("verdict", "dsr", "luckiest_sharpe"):
        assert resumed.pop(name) is not None and undisturbed.pop(name) is not None
    assert resumed == undisturbed
    assert house.job(cancelled).status is JobStatus.CANCELLED and house.chunks(cancelled) == kept
