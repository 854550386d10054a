"""Long work of any kind: done in chunks, resumed after the last stored one, ended by cancel, stop or failure."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
import structlog

from backtesting.engine import BacktestEngine
from backtesting.errors import (
    BacktestError,
    DatabaseUnavailableError,
    InvalidInputError,
    LimitExceededError,
    UnknownNameError,
)
from backtesting.job import JobContext, JobKind, Task
from backtesting.jobs import JOB_KINDS
from backtesting.jobs.backtest import LongBacktest
from backtesting.jobs.batch import BatchRequest
from backtesting.jobs.folds import WalkForwardRequest
from backtesting.objective import Objective
from backtesting.optimization.request import OptimizationRequest
from backtesting.reporting.runs import job_line
from backtesting.submission import Jobs
from backtesting.types import Bars, Chunk, Input, Job, JobStatus, Limits, Run, Timeframe
from backtesting.walk_forward.windows import Scheme
from backtesting.worker import Worker
from tests.fixtures import tasks
from tests.fixtures.in_memory import STOCK, Desk, InMemoryRuns, no_record
from tests.fixtures.in_memory_jobs import InMemoryJobs
from tests.fixtures.patience import until
from tests.fixtures.series import p_bars
from utils.process import LocalExecutor

SETS = [{"fast_period": fast, "slow_period": slow} for fast in range(2, 8) for slow in range(10, 20)]
BATCH = BatchRequest(strategy_id="sma_crossover", symbols=["TEST"], parameters=SETS)

SEARCH = OptimizationRequest(
    strategy_id="sma_crossover",
    asset_symbol="TEST",
    space={"fast_period": (2, 3, 4, 5), "slow_period": (10, 12, 14, 16, 18)},
    min_trades=1,
    stop_loss=0.2,
)


THREADS = partial(ThreadPoolExecutor, 2)


class Numbers(Input):
    """What the toy kind squares."""

    count: int
    broken: int | None = None


def no_check(_request: Numbers, _engine: BacktestEngine) -> None:
    pass


def square(number: int, broken: int | None) -> int:
    if number == broken:
        raise ZeroDivisionError("the secret of the house")
    return number * number


def squares(request: Numbers, context: JobContext) -> Mapping[str, Any]:
    def keep(number: int, value: int) -> None:
        context.progress(len(context.chunks) + 1, request.count, "squaring", {"largest": value})
        context.keep(Chunk(number, value))

    wanted = [number for number in range(request.count) if number not in context.chunks]
    context.work([Task(number, partial(square, number, request.broken)) for number in wanted], keep)
    return {"sum": sum(context.chunks.values())}


TOY = JobKind("squares", Numbers, no_check, squares)


class Recorded(InMemoryJobs):
    """Remembers which chunks were stored, and calls a function after each."""

    def __init__(self, lease: timedelta = timedelta(seconds=30), runs: InMemoryRuns | None = None) -> None:
        super().__init__(lease, runs)
        self.kept: list[int] = []
        self.after: Callable[[int], object] = lambda _: None

    def keep(self, lease: Any, chunk: Chunk, progress: Any) -> None:
        super().keep(lease, chunk, progress)
        self.kept.append(chunk.number)
        self.after(chunk.number)


class Bench:
    """Queue, engine and worker in one process, on the series of the contract or another."""

    def __init__(
        self,
        kinds: tuple[JobKind[Any], ...] = (*JOB_KINDS, TOY),
        limits: Limits = Limits(),  # noqa: B008
        bars: Bars | None = None,
    ) -> None:
        self.desk = Desk(bars or p_bars(), limits=limits)
        self.queue = Recorded(runs=self.desk.runs)
        self.called = 0
        self.kinds, self.limits = kinds, limits
        self.jobs = Jobs(self.queue, kinds, self.desk.engine, self._call, limits)

    def _call(self) -> None:
        self.called += 1

    def worker(self, open_executor: Callable[[], Executor] = THREADS) -> Worker:
        return Worker(self.queue, self.kinds, self.desk.engine, open_executor, self.desk.runs)

    def done(self, request: Input) -> Job:
        job = self.jobs.submit(request)
        assert self.worker().serve(Event())
        return self.queue.get(job.id)


REQUESTS: dict[str, Callable[[Bench], Input]] = {
    "backtest": lambda bench: LongBacktest(request=bench.desk.request("sma_crossover")),
    "batch": lambda _: BATCH,
    "optimization": lambda _: SEARCH,
    "walk_forward": lambda bench: WalkForwardRequest(
        request=bench.desk.request("sma_crossover"),
        space={"fast_period": (2, 3, 5), "slow_period": (8, 13)},
        objective=Objective(min_trades=0),
        scheme=Scheme(train_sessions=40, test_sessions=10),
    ),
}


def metrics_of(bench: Bench) -> list[tuple[str, Mapping[str, Any]]]:
    runs = [run for run, _ in bench.desk.runs.stored.values()]
    return sorted((str(run.request), run.summary.metrics) for run in runs if run.summary)


@pytest.fixture(params=[kind.name for kind in JOB_KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Every kind


def test_a_kind_is_done_and_leaves_its_result_and_its_runs(kind: str) -> None:
    bench = Bench()

    job = bench.done(REQUESTS[kind](bench))

    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    assert job.result and job.progress.done == job.progress.total
    assert bench.desk.runs.stored


def test_a_kind_that_was_stopped_is_resumed_and_comes_to_the_same(kind: str) -> None:
    undisturbed, bench, stop = Bench(), Bench(), Event()
    whole = undisturbed.done(REQUESTS[kind](undisturbed))
    job = bench.jobs.submit(REQUESTS[kind](bench))
    bench.queue.after = lambda _: stop.set()

    bench.worker().run(stop)
    bench.queue.after = lambda _: None
    while bench.queue.unfinished():
        bench.worker().serve(Event())

    resumed = bench.queue.get(job.id)
    assert resumed.status is JobStatus.COMPLETED
    assert metrics_of(bench) == metrics_of(undisturbed)
    assert sorted(bench.queue.kept) == sorted(undisturbed.queue.kept)
    assert (resumed.result or {}).keys() == (whole.result or {}).keys()


def test_a_kind_that_is_cancelled_stores_nothing_more(kind: str) -> None:
    bench = Bench()
    job = bench.jobs.submit(REQUESTS[kind](bench))
    bench.queue.after = lambda _: bench.jobs.cancel(job.id)

    bench.worker().serve(Event())

    assert bench.queue.get(job.id).status is JobStatus.CANCELLED
    assert len(bench.queue.kept) == 1


# The machinery


def test_chunks_of_earlier_attempts_are_not_computed_again() -> None:
    bench = Bench()
    job = bench.jobs.submit(Numbers(count=10))
    claim = bench.queue.claim(uuid4())
    assert claim is not None
    bench.queue.keep(claim.lease, Chunk(3, 1_000_000), job.progress)
    bench.queue.release(claim.lease.owner)

    bench.worker().serve(Event())

    assert bench.queue.get(job.id).result == {"sum": 285 - 9 + 1_000_000}  # 0 + 1 + 4 + ... + 81 = 285


def test_progress_and_the_best_so_far_are_told() -> None:
    job = Bench().done(Numbers(count=4))

    assert (job.progress.done, job.progress.total, job.progress.stage) == (4, 4, "squaring")
    assert job.progress.best is not None and job.progress.best["largest"] in (0, 1, 4, 9)


def test_a_defect_fails_the_work_without_its_details() -> None:
    with structlog.testing.capture_logs() as logs:
        job = Bench().done(Numbers(count=4, broken=2))
    structlog.reset_defaults()  # capturing counts as configuring, and then the command line would log its errors

    assert job.status is JobStatus.FAILED
    assert "defect" in (job.error or "") and "secret" not in (job.error or "")
    assert any(entry["event"] == "defect" for entry in logs)


def test_work_of_a_kind_that_this_version_does_not_know_fails_readably() -> None:
    bench = Bench()
    bench.queue.submit("bt-0123456789ab", "alchemy", {})

    bench.worker().serve(Event())

    assert "this version cannot do this alchemy" in (bench.queue.get("bt-0123456789ab").error or "")


def test_a_worker_serves_one_job_after_another_until_it_is_stopped() -> None:
    bench, stop = Bench(), Event()
    ids = [bench.jobs.submit(Numbers(count=count)).id for count in (3, 4)]
    serving = Thread(target=bench.worker().run, args=(stop,))

    serving.start()
    until(lambda: not bench.queue.unfinished())
    stop.set()
    serving.join(10)

    assert [bench.queue.get(job_id).result for job_id in ids] == [{"sum": 5}, {"sum": 14}]
    assert not serving.is_alive()


def test_a_worker_that_was_cut_off_resumes_its_work_when_the_database_is_back() -> None:
    bench, stop, lost = Bench(), Event(), [2, 5]
    job = bench.jobs.submit(Numbers(count=8))

    def cut_off(number: int) -> None:
        if number in lost:
            lost.remove(number)
            raise DatabaseUnavailableError("the database is gone")

    bench.queue.after = cut_off
    serving = Thread(target=bench.worker().run, args=(stop,))
    serving.start()
    until(lambda: bench.queue.get(job.id).status is JobStatus.COMPLETED)
    stop.set()
    serving.join(10)

    assert bench.queue.get(job.id).result == {"sum": 140}
    assert sorted(bench.queue.kept) == list(range(8))


def test_work_taken_over_by_another_is_left_to_it() -> None:
    bench = Bench()
    job = bench.jobs.submit(Numbers(count=100))

    def take_over(_: int) -> None:
        bench.queue.after = lambda _: None
        bench.queue._rows[job.id].lease_until = job.created_at  # noqa: SLF001 - as if the process had slept
        assert bench.queue.claim(uuid4()) is not None

    bench.queue.after = take_over
    bench.worker().serve(Event())

    assert len(bench.queue.kept) == 1
    assert bench.queue.get(job.id).status is JobStatus.RUNNING


class Endless(Executor):
    """Takes tasks and never does them."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        self.futures.append(Future())
        return self.futures[-1]


@pytest.mark.parametrize("end", ["cancel", "stop"])
def test_a_task_under_way_is_cancelled_within_a_moment(end: str) -> None:
    bench, stop, executor = Bench(), Event(), Endless()
    job = bench.jobs.submit(Numbers(count=100))
    serving = Thread(target=bench.worker(lambda: executor).serve, args=(stop,))
    serving.start()
    until(lambda: executor.futures)

    if end == "cancel":
        bench.jobs.cancel(job.id)
    else:
        stop.set()

    serving.join(1)
    assert not serving.is_alive()
    assert all(future.cancelled() for future in executor.futures)
    assert len(executor.futures) == 4, "two for each of two processes"


@pytest.fixture
def processes() -> Iterator[Callable[..., Executor]]:
    made: list[LocalExecutor] = []

    def make(seconds: float = 60.0, scratch: Path | None = None) -> Executor:
        made.append(LocalExecutor(2, task_seconds=seconds, memory_mb=2048, scratch=scratch))
        return made[-1]

    yield make
    for each in made:
        each.shutdown(cancel_futures=True)


def working(*calls: Callable[[], Any]) -> JobKind[Numbers]:
    """Return a kind whose parts are these calls."""

    def run(_: Numbers, context: JobContext) -> Mapping[str, Any]:
        context.work(
            [Task(number, call) for number, call in enumerate(calls)],
            lambda number, value: context.keep(Chunk(number, value)),
        )
        return {"values": [context.chunks[number] for number in range(len(calls))]}

    return JobKind("work", Numbers, no_check, run)


def done_by(processes: Callable[..., Executor], *calls: Callable[[], Any], seconds: float = 60.0) -> Job:
    limits = Limits(task_seconds=seconds, task_memory_mb=2048)
    bench = Bench((working(*calls),), limits)
    job = bench.jobs.submit(Numbers(count=1))
    bench.worker(lambda: processes(seconds)).serve(Event())
    return bench.queue.get(job.id)


def test_a_part_that_lost_its_process_is_tried_again(processes: Callable[..., Executor], tmp_path: Path) -> None:
    job = done_by(processes, partial(tasks.hoard, 1), partial(tasks.die_once, str(tmp_path / "died")))

    assert job.result == {"values": [1 << 17, 7]}


def test_a_part_that_loses_its_process_three_times_fails_the_work(processes: Callable[..., Executor]) -> None:
    assert "part 0 lost its process 3 times" in (done_by(processes, tasks.die).error or "")


def test_a_part_over_its_time_fails_the_work_with_the_limit(processes: Callable[..., Executor], tmp_path: Path) -> None:
    job = done_by(processes, partial(tasks.never, str(tmp_path / "told")), seconds=1.5)

    assert "part 0 took more time than the limit of 1.5 s" in (job.error or "")


def test_a_part_over_its_memory_fails_the_work_with_the_limit(processes: Callable[..., Executor]) -> None:
    job = done_by(processes, partial(tasks.hoard, 3000))

    assert "part 0 took more memory than the limit of 2048 MB" in (job.error or "")


# Submission


def test_submitting_calls_a_worker_and_so_does_asking_for_what_is_unfinished() -> None:
    bench = Bench()
    job = bench.jobs.submit(Numbers(count=1))
    bench.jobs.get(job.id)
    bench.jobs.resume()
    before = bench.called

    bench.worker().serve(Event())
    bench.jobs.get(job.id)
    bench.jobs.resume()

    assert (before, bench.called) == (3, 3)


def test_more_jobs_than_the_limit_are_refused_with_the_way_out() -> None:
    bench = Bench(limits=Limits(queued_jobs=2))
    for _ in range(2):
        bench.jobs.submit(Numbers(count=1))

    with pytest.raises(LimitExceededError, match=r"2 jobs are pending or running and at most 2.*cancel_backtest"):
        bench.jobs.submit(Numbers(count=1))

    assert len(bench.jobs.unfinished()) == 2


# A batch


def test_every_run_of_a_batch_equals_the_single_run_bit_for_bit() -> None:
    bench, single = Bench(), Desk(p_bars())
    bench.done(BATCH)

    runs = [run for run, _ in bench.desk.runs.stored.values()]
    expected = {run.id: single.run("sma_crossover", parameters=run.request.parameters) for run in runs}

    assert len(runs) == 60
    assert all(run.summary == expected[run.id].summary for run in runs)
    assert all(run.request == expected[run.id].request for run in runs)


def test_a_batch_in_other_processes_comes_to_the_same_and_its_bars_travel_as_files(
    processes: Callable[..., Executor], tmp_path: Path
) -> None:
    beside, bench = Bench(), Bench()
    beside.done(BATCH)
    written: list[int] = []
    bench.queue.after = lambda _: written.append(len([each for each in tmp_path.rglob("*") if each.is_file()]))

    bench.jobs.submit(BATCH)
    bench.worker(lambda: processes(scratch=tmp_path)).serve(Event())

    assert metrics_of(bench) == metrics_of(beside)
    assert set(written) == {10}, "a file for each length of history, whatever the number of parts"
    assert list(tmp_path.iterdir()) == []


def test_a_batch_tells_its_best_runs_and_files_them_under_its_id() -> None:
    bench = Bench()

    job = bench.done(BATCH.model_copy(update={"tags": ("grid",)}))

    def rank(run: Run) -> tuple[float, int]:
        """The best first, those that are equal as they were asked for."""
        asked = {name: run.request.parameters[name] for name in SETS[0]}
        return -run.summary.metrics["sharpe_ratio"], SETS.index(asked)  # type: ignore[union-attr, operator]

    ranked = sorted((run for run, _ in bench.desk.runs.stored.values()), key=rank)
    told = job.result or {}
    assert (told["runs"], told["failed"], told["tag"]) == (60, 0, job.id)
    assert [row["backtest_id"] for row in told["best"]] == [run.id for run in ranked[:5]]
    assert {run.tags for run in ranked} == {("grid", job.id)}
    assert job.progress.best == told["best"][0]


def test_a_batch_goes_over_every_symbol_and_its_failures_are_kept_with_the_reason() -> None:
    bench = Bench()
    bench.desk.bars.store(replace(STOCK, symbol="SHORT"), Timeframe.D1, [p_bars()[:15]], no_record)
    sets = [{"fast_period": 2, "slow_period": 5}, {"fast_period": 2, "slow_period": 30}]

    job = bench.done(BatchRequest(strategy_id="sma_crossover", symbols=["TEST", "SHORT"], parameters=sets))

    failed = [run for run, _ in bench.desk.runs.stored.values() if run.error]
    assert (job.result or {})["runs"] == 4 and (job.result or {})["failed"] == 1
    assert [run.request.asset_symbol for run in failed] == ["SHORT"]
    assert "warm-up" in (failed[0].error or "")


def test_a_batch_runs_nothing_anew_that_is_stored_unless_asked_to() -> None:
    bench = Bench()
    bench.done(BATCH)

    bench.done(BATCH)
    same = len(bench.desk.runs.stored)
    bench.done(BATCH.model_copy(update={"rerun": True}))

    assert (same, len(bench.desk.runs.stored)) == (60, 120)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"symbols": ["TEST", "TSET"]}, UnknownNameError, "did you mean 'TEST'"),
        ({"strategy_id": "sma"}, UnknownNameError, "sma_crossover"),
        ({"parameters": [SETS[0], {"fast_period": 0}]}, InvalidInputError, "fast_period"),
        ({"timeframe": "1h"}, BacktestError, "known: 1d"),
    ],
)
def test_a_batch_that_cannot_be_meant_is_refused_and_leaves_nothing(
    change: dict[str, Any], error: type[BacktestError], words: str
) -> None:
    bench = Bench()

    with pytest.raises(error, match=words):
        bench.jobs.submit(BatchRequest.model_validate(BATCH.model_dump(mode="json") | change))

    assert bench.jobs.unfinished() == []


def test_a_batch_over_the_limit_is_refused_with_the_way_out() -> None:
    bench = Bench(limits=Limits(runs_of_a_batch=59))

    with pytest.raises(LimitExceededError, match=r"60 runs are asked for and a batch may have at most 59: give fewer"):
        bench.jobs.submit(BATCH)


# One long backtest


def test_a_long_backtest_stores_its_run_under_the_jobs_own_id() -> None:
    bench = Bench()

    job = bench.done(LongBacktest(request=bench.desk.request("sma_crossover"), tags=("long",)))

    run = bench.desk.runs.get(job.id)
    assert run.summary == Desk(p_bars()).run("sma_crossover").summary
    assert (job.result, run.tags) == ({"backtest_id": job.id}, ("long",))


def test_a_long_backtest_that_was_run_before_names_the_stored_run() -> None:
    bench = Bench()
    run = bench.desk.run("sma_crossover")

    job = bench.done(LongBacktest(request=bench.desk.request("sma_crossover")))

    assert job.result == {"backtest_id": run.id}
    assert list(bench.desk.runs.stored) == [run.id]


def test_a_long_backtest_that_fails_tells_why() -> None:
    bench = Bench()
    request = bench.desk.request("sma_crossover", parameters={"fast_period": 5, "slow_period": 500})

    job = bench.done(LongBacktest(request=request))

    assert job.status is JobStatus.FAILED and "warm-up" in (job.error or "")


def test_new_ids_of_jobs_have_the_form_of_runs() -> None:
    assert len(Bench().jobs.submit(Numbers(count=1)).id) == len(Run.new_id())


def test_work_whose_processes_are_out_of_reach_waits_and_tells_for_what() -> None:
    bench, stop = Bench(), Event()
    job = bench.jobs.submit(BATCH)

    def refuse() -> Executor:
        stop.set()
        raise OSError("nobody answers at tcp://127.0.0.1:9")

    bench.worker(refuse).run(stop)
    waiting = bench.queue.get(job.id)

    assert waiting.status.is_open and "nobody answers at tcp://127.0.0.1:9" in job_line(waiting)
    assert bench.worker().serve(Event()) and bench.queue.get(job.id).status is JobStatus.COMPLETED
