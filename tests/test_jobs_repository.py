"""Long work, its chunks and the ledger of trials: the same sentences about the twins and about PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
import sqlalchemy as sa

from backtesting.errors import JobLostError, RunNotFoundError
from backtesting.ports import JobQueue, RunRepository, TrialLedger
from backtesting.types import (
    Chunk,
    Claim,
    Job,
    JobProgress,
    JobStatus,
    Lease,
    Run,
    RunFilter,
    RunStatus,
    Timeframe,
    Trial,
    TrialCount,
)
from database import roles
from database.repository import run_search
from database.repository.jobs import SqlJobQueue
from database.stores import Stores
from database.transactions import Transactions
from tests.fixtures.in_memory import Desk, InMemoryRuns
from tests.fixtures.in_memory_jobs import InMemoryJobs
from tests.fixtures.postgres import Database
from tests.fixtures.series import p_bars

MINUTE, OVER = timedelta(minutes=1), timedelta(seconds=-1)
ID = "bt-0123456789ab"
SOME = JobProgress(1, 3, "evaluating", {"sharpe_ratio": 0.5})

Queues = Callable[[timedelta], JobQueue]


def app(stores: Stores) -> Transactions:
    return Transactions(stores._pools[roles.APP])  # noqa: SLF001 - another lease on the same connections


@pytest.fixture(params=["in memory", "PostgreSQL"])
def queues(request: pytest.FixtureRequest) -> Iterator[Queues]:
    """Make queues that see the same work, with leases of any length."""
    if request.param == "in memory":
        twin = InMemoryJobs(MINUTE)

        def lend(lease: timedelta) -> JobQueue:
            twin._lease = lease  # noqa: SLF001 - the twin is one object
            return twin

        yield lend
    else:
        with closing(request.getfixturevalue("database").stores()) as stores:
            yield lambda lease: SqlJobQueue(app(stores), lease)


@pytest.fixture
def queue(queues: Queues) -> JobQueue:
    return queues(MINUTE)


def claimed(queue: JobQueue) -> Claim:
    claim = queue.claim(uuid4())
    assert claim is not None
    return claim


def submitted(queue: JobQueue, job_id: str = ID) -> Claim:
    queue.submit(job_id, "batch", {"numbers": [1, 2]})
    return claimed(queue)


def test_submitted_work_is_pending_and_its_claim_has_the_request(queue: JobQueue) -> None:
    queue.submit(ID, "batch", {"numbers": [1, 2]})
    pending = queue.get(ID)

    claim = claimed(queue)

    assert (pending.status, pending.kind, pending.request) == (JobStatus.PENDING, "batch", {"numbers": [1, 2]})
    assert (claim.kind, claim.request, dict(claim.chunks)) == ("batch", {"numbers": [1, 2]}, {})
    assert queue.get(ID).status is JobStatus.RUNNING


def test_submitting_again_changes_nothing(queue: JobQueue) -> None:
    submitted(queue)

    queue.submit(ID, "other", {})

    assert (queue.get(ID).kind, queue.get(ID).status) == ("batch", JobStatus.RUNNING)


def test_work_is_claimed_once_and_in_the_order_it_came(queue: JobQueue) -> None:
    ids = [f"bt-{number:012x}" for number in (5, 3, 9)]
    for job_id in ids:
        queue.submit(job_id, "batch", {})

    assert [claimed(queue).lease.job_id for _ in ids] == ids
    assert queue.claim(uuid4()) is None


def test_forty_jobs_are_claimed_by_four_workers_exactly_once(queue: JobQueue) -> None:
    ids = [f"bt-{number:012x}" for number in range(40)]
    for job_id in ids:
        queue.submit(job_id, "batch", {})

    def drain(_: int) -> list[str]:
        owner = uuid4()
        return [claim.lease.job_id for claim in iter(lambda: queue.claim(owner), None)]

    with ThreadPoolExecutor(4) as workers:
        found = [job_id for part in workers.map(drain, range(4)) for job_id in part]

    assert sorted(found) == ids


def test_a_chunk_is_stored_with_the_progress_and_found_by_the_next_attempt(queues: Queues) -> None:
    first = submitted(queues(OVER))

    queues(MINUTE).keep(first.lease, Chunk(2, {"best": 0.25}), SOME)
    second = claimed(queues(MINUTE))

    assert dict(second.chunks) == {2: {"best": 0.25}}
    assert queues(MINUTE).get(ID).progress == SOME
    assert second.lease.attempt == first.lease.attempt + 1


def test_a_stored_chunk_stays_as_it_is(queue: JobQueue) -> None:
    claim = submitted(queue)

    queue.keep(claim.lease, Chunk(0, "first"), SOME)
    queue.keep(claim.lease, Chunk(0, "second"), SOME)

    queue.release(claim.lease.owner)
    assert dict(claimed(queue).chunks) == {0: "first"}


def test_a_late_owner_writes_nothing(queues: Queues) -> None:
    late = submitted(queues(OVER)).lease
    queue = queues(MINUTE)
    current = claimed(queue).lease

    with pytest.raises(JobLostError):
        queue.keep(late, Chunk(0, "late"), SOME)

    assert not queue.is_held(late) and queue.is_held(current)
    assert not queue.beat(late, SOME)
    assert not queue.finish(late, JobStatus.COMPLETED, {}, None)
    queue.release(late.owner)
    assert queue.get(ID).status is JobStatus.RUNNING and queue.get(ID).progress == JobProgress()


def test_a_forged_lease_is_none(queue: JobQueue) -> None:
    lease = submitted(queue).lease

    assert not queue.is_held(replace(lease, owner=uuid4()))
    assert not queue.is_held(replace(lease, attempt=2))


def test_a_beat_extends_the_lease_and_tells_the_progress(queues: Queues) -> None:
    claim = submitted(queues(OVER))

    assert queues(MINUTE).beat(claim.lease, SOME)

    assert queues(MINUTE).claim(uuid4()) is None
    assert queues(MINUTE).get(ID).progress == SOME


def test_finished_work_has_its_result_and_finishing_twice_is_the_same(queue: JobQueue) -> None:
    lease = submitted(queue).lease

    ended = [queue.finish(lease, JobStatus.COMPLETED, {"runs": 2}, None) for _ in range(2)]

    job = queue.get(ID)
    assert ended == [True, True]
    assert (job.status, job.result, job.error) == (JobStatus.COMPLETED, {"runs": 2}, None)
    assert job.finished_at is not None and job.finished_at >= job.created_at
    assert queue.unfinished() == []


def test_failed_work_has_its_reason_and_is_not_claimed_again(queue: JobQueue) -> None:
    lease = submitted(queue).lease

    queue.finish(lease, JobStatus.FAILED, None, "no bars")

    assert (queue.get(ID).status, queue.get(ID).error) == (JobStatus.FAILED, "no bars")
    assert queue.claim(uuid4()) is None


def test_three_deaths_without_progress_fail_the_work_with_the_reason(queues: Queues) -> None:
    queue = queues(OVER)
    submitted(queue)
    for _ in range(2):
        claimed(queue)

    assert queue.claim(uuid4()) is None
    assert list(queue.sweep()) == [ID]

    assert queue.get(ID).status is JobStatus.FAILED
    assert "died 3 times without progress" in (queue.get(ID).error or "")


def test_progress_between_deaths_keeps_work_alive(queues: Queues) -> None:
    queue = queues(OVER)
    claim = submitted(queue)

    for number in range(5):
        queue.keep(claim.lease, Chunk(number, number), SOME)
        claim = claimed(queue)

    assert list(queue.sweep()) == []
    assert sorted(claim.chunks) == [0, 1, 2, 3, 4]


def test_a_clean_release_is_resumed_at_once_and_costs_no_strike(queue: JobQueue) -> None:
    queue.submit(ID, "batch", {})

    for _ in range(5):
        queue.release(claimed(queue).lease.owner)

    assert queue.get(ID).status is JobStatus.PENDING
    assert claimed(queue).lease.attempt == 6


@pytest.mark.parametrize("lease", [MINUTE, OVER, None], ids=["running", "its owner dead", "pending"])
def test_cancelled_work_ends_at_once_and_nobody_writes_its_results(queues: Queues, lease: timedelta | None) -> None:
    queue = queues(MINUTE)
    queue.submit(ID, "batch", {})
    held = claimed(queues(lease)).lease if lease else Lease(ID, uuid4(), 1)

    job = queue.cancel(ID)

    assert job.status is JobStatus.CANCELLED and job.finished_at is not None
    assert not queue.is_held(held) and not queue.finish(held, JobStatus.COMPLETED, {}, None)
    with pytest.raises(JobLostError):
        queue.keep(held, Chunk(0, None), SOME)
    assert queue.claim(uuid4()) is None and list(queue.sweep()) == []


def test_cancelling_what_has_ended_changes_nothing(queue: JobQueue) -> None:
    queue.finish(submitted(queue).lease, JobStatus.COMPLETED, {"runs": 2}, None)

    assert queue.cancel(ID).status is JobStatus.COMPLETED


@pytest.mark.parametrize("ask", [lambda queue: queue.get("bt-000000000000"), lambda queue: queue.cancel("1 or 1=1")])
def test_unknown_work_is_told(queue: JobQueue, ask: Callable[[JobQueue], Job]) -> None:
    with pytest.raises(RunNotFoundError, match="backtest_id"):
        ask(queue)


def test_the_time_to_the_end_is_told_by_the_pace_of_this_attempt(database: Database) -> None:
    with closing(database.stores()) as stores:
        lease = submitted(stores.jobs).lease
        stores.jobs.keep(lease, Chunk(0, None), JobProgress(10, 30))
        database.execute("update app.jobs set claimed_at = clock_timestamp() - interval '5 seconds'")

        eta = stores.jobs.get(ID).eta_seconds

    assert eta is not None and 10 <= eta < 12  # 5 s for 10 parts, so 10 s for the 20 that are left


def test_two_users_do_not_see_claim_cancel_or_sweep_each_others_work(database: Database) -> None:
    with closing(database.stores("alice")) as alice, closing(database.stores("bob")) as bob:
        SqlJobQueue(app(alice), OVER).submit(ID, "batch", {})
        lease = claimed(SqlJobQueue(app(alice), OVER)).lease

        assert bob.jobs.claim(uuid4()) is None
        assert bob.jobs.unfinished() == [] and not bob.jobs.is_held(lease)
        with pytest.raises(RunNotFoundError):
            bob.jobs.cancel(ID)
        with pytest.raises(JobLostError):
            bob.jobs.keep(lease, Chunk(0, "forged"), SOME)
        assert alice.jobs.get(ID).status is JobStatus.RUNNING


def test_chunk_runs_and_trials_are_stored_together_or_not_at_all(database: Database) -> None:
    desk = Desk(p_bars())
    run = desk.run("sma_crossover", parameters={"fast_period": 5, "slow_period": 20})
    broken = [desk.runs.stored[run.id], (replace(run, id="bt-ffffffffffff", completed_at=None), None)]

    with closing(database.stores()) as stores:
        lease = submitted(stores.jobs).lease
        with pytest.raises(sa.exc.IntegrityError):
            stores.jobs.keep(lease, Chunk(0, None, broken), SOME)
        counts = [database.execute(f"select count(*) from app.{table}")[0][0] for table in ("job_chunks", "trials")]

        stores.jobs.keep(lease, Chunk(0, None, broken[:1]), SOME)

        assert counts == [0, 0]
        assert stores.runs.get(run.id) == run
        assert stores.jobs.get(ID).progress == SOME


# The ledger of trials, and finding runs


@pytest.fixture(params=["in memory", "PostgreSQL"])
def books(request: pytest.FixtureRequest) -> Iterator[tuple[RunRepository, TrialLedger]]:
    if request.param == "in memory":
        twin = InMemoryRuns()
        yield twin, twin
    else:
        with closing(request.getfixturevalue("database").stores()) as stores:
            yield stores.runs, stores.trials


def tried(runs: RunRepository, **options: object) -> Run:
    """Run on the series of the contract, and store the run."""
    desk = Desk(p_bars())
    request = {"strategy_id": "sma_crossover", "parameters": {"fast_period": 5, "slow_period": 20}} | options
    run = desk.run(**request)  # type: ignore[arg-type]
    tags = ("sweep",) if options else ()
    run = replace(run, id=Run.new_id(), tags=tags)
    runs.add(run, desk.runs.stored[next(iter(desk.runs.stored))][1])
    return run


def trial_of(run: Run) -> Trial:
    trial = Trial.of(run)
    assert trial is not None
    return trial


def test_every_configuration_is_counted_once_however_often_it_ran(books: tuple[RunRepository, TrialLedger]) -> None:
    runs, ledger = books
    first = tried(runs)
    tried(runs)
    second = tried(runs, parameters={"fast_period": 6, "slow_period": 20})

    count = ledger.count(trial_of(first))

    sharpes = [trial_of(run).sharpe for run in (first, second)]
    assert count.counted == 2
    assert None not in sharpes
    mean = sum(sharpes) / 2  # type: ignore[arg-type]
    assert count.variance == pytest.approx(sum((each - mean) ** 2 for each in sharpes))  # type: ignore[operator]


def test_a_trial_competes_with_those_of_an_overlapping_period_of_its_market(
    books: tuple[RunRepository, TrialLedger],
) -> None:
    runs, ledger = books
    trial = trial_of(tried(runs))

    def counted(**changes: object) -> int:
        return ledger.count(replace(trial, **changes)).counted  # type: ignore[arg-type]

    assert counted(start_date=trial.end_date, end_date=date(2030, 1, 1)) == 1
    assert counted(start_date=date(2029, 1, 1), end_date=date(2030, 1, 1)) == 0
    assert counted(symbol="OTHER") == 0
    assert counted(timeframe=Timeframe.H1) == 0


def searched(desk: Desk, hashes: tuple[str, str], sharpes: list[float]) -> Trial:
    request = desk.request("sma_crossover")
    return Trial.of_sets(request, hashes, np.array(sharpes), sessions=250, by=ID)


@pytest.fixture(params=["in memory", "PostgreSQL"])
def shelf(request: pytest.FixtureRequest) -> Iterator[tuple[JobQueue, RunRepository, TrialLedger]]:
    if request.param == "in memory":
        twin = InMemoryRuns()
        yield InMemoryJobs(runs=twin), twin, twin
    else:
        with closing(request.getfixturevalue("database").stores()) as stores:
            yield stores.jobs, stores.runs, stores.trials


def test_the_sets_of_a_search_count_one_by_one_beside_single_runs(
    shelf: tuple[JobQueue, RunRepository, TrialLedger],
) -> None:
    queue, runs, ledger = shelf
    single = trial_of(tried(runs))
    queue.submit(ID, "optimization", {})
    lease = claimed(queue).lease
    first, second = [0.01, 0.03, float("nan"), -0.02, 0.05], [0.10, 0.11, 0.12]
    parts = {"a": first, "b": second}

    for number, (name, sharpes) in enumerate(parts.items()):
        queue.keep(lease, Chunk(number, [], trials=[searched(Desk(p_bars()), ("bars", name), sharpes)]), SOME)
    count = ledger.count(single)

    assert single.sharpe is not None
    assert count.counted == 1 + 5 + 3
    assert count.variance == pytest.approx(np.nanvar([single.sharpe, *first, *second], ddof=1), rel=1e-9)


def test_the_same_search_counts_once_and_one_without_any_sharpe_ratio_has_no_variance(
    shelf: tuple[JobQueue, RunRepository, TrialLedger],
) -> None:
    queue, _, ledger = shelf
    trial = searched(Desk(p_bars()), ("bars", "a"), [float("nan")] * 7)
    for job_id in (ID, "bt-00000000000a"):
        queue.submit(job_id, "optimization", {})
        queue.keep(claimed(queue).lease, Chunk(0, [], trials=[trial]), SOME)

    assert ledger.count(trial) == TrialCount(7, None)


def test_a_failed_run_is_no_trial(books: tuple[RunRepository, TrialLedger]) -> None:
    runs, ledger = books
    trial = trial_of(tried(InMemoryRuns()))
    request, now = Desk(p_bars()).request(), datetime.now(UTC)

    runs.add(Run(Run.new_id(), RunStatus.FAILED, request, created_at=now, completed_at=now, error="no bars"), None)

    assert ledger.count(trial).counted == 0


def test_a_user_counts_no_trial_of_another(database: Database) -> None:
    with closing(database.stores("alice")) as alice, closing(database.stores("bob")) as bob:
        run = tried(alice.runs)

        assert alice.trials.count(trial_of(run)).counted == 1
        assert bob.trials.count(trial_of(run)).counted == 0


def test_runs_are_found_by_what_they_are_and_ranked_by_any_metric(books: tuple[RunRepository, TrialLedger]) -> None:
    runs, _ = books
    made = [
        tried(runs, parameters={"fast_period": fast, "slow_period": 20, "position_size": size})
        for fast, size in ((5, 0.95), (6, 0.95), (7, 0.5))
    ]
    idle = tried(runs, strategy_id="rsi", parameters={"oversold": 1.0})

    ranked = runs.find(RunFilter(sort_by="profit_factor"))

    def ids(**conditions: object) -> set[str]:
        return {run.id for run in runs.find(RunFilter(**conditions)).runs}  # type: ignore[arg-type]

    assert ranked.total == 4
    best = sorted(made, key=lambda run: -(run.summary.metrics["profit_factor"] or 0))  # type: ignore[union-attr]
    assert [run.id for run in ranked.runs] == [*(run.id for run in best), idle.id]
    assert ids(strategy_id="rsi") == {idle.id}
    assert ids(tag="sweep") == {run.id for run in (*made, idle)} and ids(tag="none") == set()
    assert ids(symbol="TEST", status=RunStatus.COMPLETED) == {run.id for run in (*made, idle)}
    assert ids(status=RunStatus.FAILED) == ids(since=date(2050, 1, 1)) == ids(symbol="IBM") == set()


@pytest.mark.parametrize("metric", ["sharpe_ratio", "sortino_ratio"])
def test_failed_runs_come_after_those_with_the_metric_across_pages(
    books: tuple[RunRepository, TrialLedger], metric: str
) -> None:
    runs, _ = books
    request, now = Desk(p_bars()).request(), datetime.now(UTC)
    failed = Run(Run.new_id(), RunStatus.FAILED, request, created_at=now, completed_at=now, error="no bars")
    runs.add(failed, None)
    made = [tried(runs, parameters={"fast_period": fast, "slow_period": 20}) for fast in (5, 6, 7)]
    best = sorted(made, key=lambda run: -(run.summary.metrics[metric] or 0))  # type: ignore[union-attr]

    pages = [runs.find(RunFilter(sort_by=metric, limit=2, offset=offset)) for offset in (0, 2, 4)]

    assert [[run.id for run in page.runs] for page in pages] == [[best[0].id, best[1].id], [best[2].id, failed.id], []]
    assert runs.find(RunFilter(sort_by=metric, status=RunStatus.FAILED)).runs == [failed]


def test_more_runs_than_are_worth_counting_are_told_as_more_than(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "COUNTED", 1)
    with closing(database.stores()) as stores:
        for _ in range(4):
            tried(stores.runs)

        pages = [stores.runs.find(RunFilter(limit=limit)) for limit in (2, 3)]

    assert [(page.total, page.is_all) for page in pages] == [(3, False), (4, True)]


def test_pages_of_runs_follow_each_other(books: tuple[RunRepository, TrialLedger]) -> None:
    runs, _ = books
    made = {tried(runs).id for _ in range(5)}

    pages = [runs.find(RunFilter(limit=2, offset=offset)) for offset in (0, 2, 4)]

    assert [page.total for page in pages] == [5, 5, 5]
    assert [len(page.runs) for page in pages] == [2, 2, 1]
    assert {run.id for page in pages for run in page.runs} == made


def test_the_completed_runs_of_a_request_are_found_by_its_hash(books: tuple[RunRepository, TrialLedger]) -> None:
    runs, _ = books
    run = tried(runs)

    assert list(runs.completed(trial_of(run).config_hash)) == [run]
    assert list(runs.completed("0" * 64)) == []
