"""Long work on a real Dask scheduler with real workers: the same results, the same limits, and nothing is lost."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event, Thread

import dask
import psutil
import pytest
from distributed.security import Security

from backtesting.types import JobStatus, Limits
from config.executors import executor_state, open_executor
from tests.fixtures import tasks
from tests.fixtures.cluster import Cluster, cluster_of
from tests.fixtures.patience import until
from tests.fixtures.searches import asked, searched, walk, without_ids
from tests.test_job import BATCH, Bench, metrics_of
from tests.test_process import is_gone, process_in
from tests.test_spool import PRICES
from utils.cluster import ClusterExecutor
from utils.cluster_worker import MOST_EXECUTORS, Terms, executor_of

LIMITS = Limits(task_memory_mb=2048)
TERMS = Terms(task_seconds=5.0, memory_mb=2048)
SEARCH = {"space": {"fast_period": list(range(1, 11)), "slow_period": list(range(12, 32))}, "stop_loss": 0.05}
PRICES_OF_SEARCH = walk(1, 600)
CHUNKS = list(range(6))  # 60 runs, 10 a chunk


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(tmp_path_factory.mktemp("cluster"), workers=2) as cluster:
        until(lambda: workers_of(cluster) == 2)
        yield cluster


@pytest.fixture
def executor(cluster: Cluster) -> Iterator[ClusterExecutor]:
    executor = ClusterExecutor(cluster.url, TERMS)
    yield executor
    executor.shutdown()


def opening(cluster: Cluster) -> Callable[[], ClusterExecutor]:
    return lambda: ClusterExecutor(cluster.url, TERMS)


def workers_of(cluster: Cluster) -> int:
    executor = opening(cluster)()
    try:
        return executor.processes
    finally:
        executor.shutdown()


def test_tasks_run_in_processes_of_the_workers(cluster: Cluster, executor: ClusterExecutor) -> None:
    until(lambda: executor.processes == 2)

    answers = [future.result(60) for future in [executor.submit(tasks.answer, number) for number in range(8)]]

    assert [square for square, _ in answers] == [number * number for number in range(8)]
    assert not {process for _, process in answers} & {worker.pid for worker in cluster.workers}


def test_cancelling_kills_the_running_task_on_its_worker(executor: ClusterExecutor, tmp_path: Path) -> None:
    future = executor.submit(tasks.never, str(tmp_path / "told"))
    process = process_in(tmp_path / "told")

    future.cancel()

    until(lambda: is_gone(process), seconds=5)
    with pytest.raises(CancelledError):
        future.result(10)


def test_leaving_kills_what_runs(cluster: Cluster, tmp_path: Path) -> None:
    executor = opening(cluster)()
    executor.submit(tasks.never, str(tmp_path / "told"))
    process = process_in(tmp_path / "told")

    executor.shutdown()

    until(lambda: is_gone(process), seconds=5)


def test_a_task_fails_as_it_would_here(cluster: Cluster, tmp_path: Path) -> None:
    executor = ClusterExecutor(cluster.url, Terms(task_seconds=1.5, memory_mb=2048))

    with pytest.raises(TimeoutError):
        executor.submit(tasks.never, str(tmp_path / "told")).result(60)
    with pytest.raises(MemoryError):
        executor.submit(tasks.hoard, 3000).result(60)
    with pytest.raises(OSError, match=r"."):
        executor.submit(tasks.die).result(60)
    with pytest.raises(ValueError, match="a defect of ours"):
        executor.submit(tasks.refuse).result(60)
    executor.shutdown()


def test_the_processes_of_terms_that_are_not_asked_for_any_more_end(tmp_path: Path) -> None:
    processes = set[int]()
    for seconds in range(60, 66):
        executor = executor_of(Terms(seconds, memory_mb=2048), 1, tmp_path)
        handle = executor.share(PRICES)
        processes.add(executor.submit(tasks.total_of, handle).result(60)[1])

    assert len(processes) == 6
    until(lambda: len([each for each in processes if psutil.pid_exists(each)]) == MOST_EXECUTORS, seconds=20)
    for seconds in (64, 65):
        executor_of(Terms(seconds, memory_mb=2048), 1, tmp_path).shutdown()


def test_a_shared_value_is_sent_once_and_mapped_by_the_tasks(executor: ClusterExecutor) -> None:
    handle = executor.share(PRICES)

    totals = [executor.submit(tasks.total_of, executor.share(PRICES)).result(60)[0] for _ in range(4)]

    assert totals == [PRICES.close.sum()] * 4
    assert executor.share(PRICES) is handle


def test_a_batch_comes_to_the_same_as_here(cluster: Cluster) -> None:
    here, there = Bench(), Bench()
    here.done(BATCH)

    job = there.jobs.submit(BATCH)
    there.worker(opening(cluster)).serve(Event())

    assert there.queue.get(job.id).status is JobStatus.COMPLETED
    assert metrics_of(there) == metrics_of(here)


def test_a_cancelled_job_leaves_the_cluster_to_the_next_one(cluster: Cluster) -> None:
    bench = Bench()
    job = bench.jobs.submit(BATCH)
    bench.queue.after = lambda _: bench.jobs.cancel(job.id)
    bench.worker(opening(cluster)).serve(Event())
    bench.queue.after = lambda _: None

    following = bench.jobs.submit(BATCH)
    bench.worker(opening(cluster)).serve(Event())

    assert bench.queue.get(job.id).status is JobStatus.CANCELLED
    assert bench.queue.get(following.id).status is JobStatus.COMPLETED


def test_workers_killed_in_the_middle_lose_nothing(tmp_path: Path) -> None:
    here, there = Bench(), Bench()
    here.done(BATCH)
    with cluster_of(tmp_path, workers=2) as cluster:
        until(lambda: workers_of(cluster) == 2)

        def kill(_: int) -> None:
            if len(there.queue.kept) == 1:
                cluster.workers[0].kill()
            if len(there.queue.kept) == 3:
                cluster.workers[1].kill()
                cluster.add_worker()

        there.queue.after = kill
        job = there.jobs.submit(BATCH)
        there.worker(opening(cluster)).serve(Event())

    assert there.queue.get(job.id).status is JobStatus.COMPLETED, there.queue.get(job.id).error
    assert sorted(there.queue.kept) == CHUNKS
    assert metrics_of(there) == metrics_of(here)


def test_an_optimisation_comes_to_the_same_as_here_with_a_worker_killed_too(tmp_path: Path) -> None:
    here, searched_here = searched(PRICES_OF_SEARCH, **SEARCH)
    there = Bench(bars=PRICES_OF_SEARCH)
    with cluster_of(tmp_path, workers=2) as cluster:
        until(lambda: workers_of(cluster) == 2)

        def kill(_: int) -> None:
            there.queue.after = lambda _: None
            cluster.workers[0].kill()

        there.queue.after = kill
        job = there.jobs.submit(asked(**SEARCH))
        there.worker(opening(cluster)).serve(Event())

    searched_there = there.queue.get(job.id)
    assert (searched_there.status, searched_there.error) == (JobStatus.COMPLETED, None)
    assert without_ids(searched_there) == without_ids(searched_here)
    assert sorted(there.queue.kept) == sorted(here.queue.kept)
    assert metrics_of(there) == metrics_of(here)


def test_work_whose_scheduler_dies_waits_for_another_and_repeats_nothing(tmp_path: Path) -> None:
    here, there, stop = Bench(), Bench(), Event()
    here.done(BATCH)
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with cluster_of(folders[0], workers=1) as first, cluster_of(folders[1], workers=1) as second:
        clusters = [first]

        def lose(_: int) -> None:
            there.queue.after = lambda _: None
            first.kill_scheduler()
            clusters.append(second)

        there.queue.after = lose
        job = there.jobs.submit(BATCH)
        worker = there.worker(lambda: ClusterExecutor(clusters[-1].url, TERMS, connect_seconds=5))
        serving = Thread(target=worker.run, args=(stop,))
        serving.start()
        ended = until(lambda: None if (now := there.queue.get(job.id)).status.is_open else now)
        stop.set()
        serving.join(30)

    assert (ended.status, ended.error) == (JobStatus.COMPLETED, None)
    assert sorted(there.queue.kept) == CHUNKS
    assert metrics_of(there) == metrics_of(here)


def test_a_scheduler_that_is_not_there_is_told() -> None:
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
        ClusterExecutor("tcp://127.0.0.1:9", TERMS, connect_seconds=3)


def test_a_scheduler_without_workers_is_told(tmp_path: Path) -> None:
    with cluster_of(tmp_path, workers=0) as cluster, pytest.raises(OSError, match="has no workers"):
        ClusterExecutor(cluster.url, TERMS, connect_seconds=3)


def test_what_the_settings_name_does_a_task_and_is_told(cluster: Cluster, tmp_path: Path) -> None:
    assert executor_state(cluster.url, LIMITS, tmp_path) == f"{cluster.url}, 2 tasks at a time"
    assert executor_state("local", LIMITS, tmp_path) == "local, 2 tasks at a time"


def test_a_cluster_without_the_extra_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(OSError, match="pip install distributed"):
        open_executor("tcp://127.0.0.1:8786", LIMITS, tmp_path)


def secured(folder: Path) -> dict[str, str]:
    """Return Dask's settings for a new certificate, which is its own authority."""
    folder.mkdir()
    made = Security.temporary()
    for name, text in {"cert": made.tls_ca_file, "key": made.tls_client_key}.items():
        (folder / name).write_text(str(text), encoding="ascii")
    cert, key = str(folder / "cert"), str(folder / "key")
    own = {f"distributed.comm.tls.{role}.{part}": path for role in ("scheduler", "worker", "client")
           for part, path in (("cert", cert), ("key", key))}  # fmt: skip
    return own | {"distributed.comm.tls.ca-file": cert}


def test_a_cluster_with_certificates_serves_those_who_have_one_and_nobody_else(tmp_path: Path) -> None:
    ours, foreign = secured(tmp_path / "ours"), secured(tmp_path / "foreign")
    cert, key = str(tmp_path / "ours" / "cert"), str(tmp_path / "ours" / "key")
    tls = ("--protocol", "tls", "--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key)
    with cluster_of(tmp_path, 1, *tls) as cluster:
        with dask.config.set(ours), ClusterExecutor(cluster.url, TERMS) as executor:
            answered = executor.submit(tasks.answer, 3).result(60)[0]
        with dask.config.set(foreign), pytest.raises(OSError, match=r"."):
            ClusterExecutor(cluster.url, TERMS, connect_seconds=2)
        with pytest.raises(OSError, match=r"."):
            ClusterExecutor(cluster.url.replace("tls://", "tcp://"), TERMS, connect_seconds=2)

    assert answered == 9
