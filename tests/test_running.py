"""Short runs, and those that turn out to be long: whatever they do, they end when they have to."""

import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from backtesting import bounded
from backtesting.bounded import Clock, Course, InterruptedEvaluation
from backtesting.errors import RunEndedError
from backtesting.running import Runner
from backtesting.strategy import Strategy
from backtesting.types import Limits, Run, RunStatus
from tests.fixtures.in_memory import Desk
from tests.fixtures.patience import until
from tests.fixtures.series import p_bars
from tests.fixtures.slow import Endless, Greedy
from tests.test_process import is_gone
from utils.process import LocalExecutor

ALWAYS, NEVER = 0.05, 600.0  # when a run leaves the thread


@pytest.fixture
def desk() -> Desk:
    return Desk(p_bars(), strategies=(Endless, Greedy))


@pytest.fixture
def runner_of(desk: Desk) -> Iterator[Callable[..., Runner]]:
    made: list[Runner] = []

    def make(thread_seconds: float, seconds: float = 60.0) -> Runner:
        processes = partial(LocalExecutor, 1, task_seconds=seconds, memory_mb=2048)
        limits = Limits(task_seconds=seconds, task_memory_mb=2048)
        made.append(Runner(desk.engine, processes, limits, thread_seconds=thread_seconds))
        return made[-1]

    yield make
    for runner in made:
        runner.close()


def told(folder: Path, *, here: bool) -> psutil.Process:
    """Wait until the endless strategy is at work, in this process or in another one."""
    ours = psutil.Process().pid

    def look() -> int | None:
        return next((pid for each in folder.iterdir() if ((pid := int(each.name)) == ours) is here), None)

    return psutil.Process(until(look))


def failed(desk: Desk, run: Run) -> Run:
    stored, result = desk.runs.stored[run.id]
    assert (stored.status, result) == (RunStatus.FAILED, None)
    return stored


def begun(desk: Desk, runner: Runner, folder: Path) -> tuple[Run, Future[Run]]:
    return runner.start(desk.request("endless", parameters={"told": str(folder)}))


def is_computing(strategy: type[Strategy]) -> bool:
    """Tell whether a thread of this process is inside the strategy's rule."""
    rule = strategy.signals.__code__
    stacks = [traceback.walk_stack(frame) for frame in sys._current_frames().values()]  # noqa: SLF001 - documented, under this name
    return any(frame.f_code is rule for stack in stacks for frame, _ in stack)


def test_a_run_under_way_in_a_thread_is_cancelled_at_once_and_its_processor_is_free(
    desk: Desk, runner_of: Callable[..., Runner], tmp_path: Path
) -> None:
    runner = runner_of(NEVER)
    run, future = begun(desk, runner, tmp_path)
    told(tmp_path, here=True)
    assert is_computing(Endless)

    runner.cancel(run.id)

    assert isinstance(future.exception(10), RunEndedError)
    assert failed(desk, run).error == "it was cancelled"
    assert not is_computing(Endless)


def test_a_run_that_takes_long_goes_on_in_a_process_that_a_cancel_kills(
    desk: Desk, runner_of: Callable[..., Runner], tmp_path: Path
) -> None:
    runner = runner_of(ALWAYS)
    run, future = begun(desk, runner, tmp_path)
    process = told(tmp_path, here=False)

    runner.cancel(run.id)

    assert isinstance(future.exception(10), RunEndedError)
    until(lambda: is_gone(process), seconds=10)
    assert failed(desk, run).error == "it was cancelled"


def test_a_run_over_its_time_is_killed_and_stored_with_the_limit(
    desk: Desk, runner_of: Callable[..., Runner], tmp_path: Path
) -> None:
    run, future = begun(desk, runner_of(ALWAYS, seconds=1.5), tmp_path)
    process = told(tmp_path, here=False)

    assert isinstance(future.exception(60), RunEndedError)

    assert failed(desk, run).error == "it took more time than the limit of 1.5 s: choose a shorter period"
    until(lambda: is_gone(process), seconds=10)


def test_a_run_over_its_memory_fails_with_the_limit(
    desk: Desk, runner_of: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "THREAD_BARS", 0)  # as if its bars were many
    run, future = runner_of(NEVER).start(desk.request("greedy"))

    assert isinstance(future.exception(60), RunEndedError)
    assert "more memory than the limit of 2048 MB" in (failed(desk, run).error or "")


def test_a_run_whose_process_is_killed_is_tried_again(
    desk: Desk, runner_of: Callable[..., Runner], tmp_path: Path
) -> None:
    runner = runner_of(ALWAYS)
    run, future = begun(desk, runner, tmp_path)
    first = told(tmp_path, here=False)

    first.kill()
    (tmp_path / str(first.pid)).unlink()
    second = told(tmp_path, here=False)

    assert second.pid != first.pid and not future.done()
    runner.cancel(run.id)
    wait([future], 10)


def test_a_run_of_many_bars_comes_to_the_same_in_a_process(
    desk: Desk, runner_of: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = desk.request("sma_crossover", parameters={"fast_period": 2, "slow_period": 5})
    here = runner_of(NEVER).start(request)[1].result(60)
    monkeypatch.setattr(bounded, "THREAD_BARS", 0)

    there = runner_of(NEVER).start(request, rerun=True)[1].result(60)

    assert there.id != here.id and there.summary == here.summary


def test_a_run_cancelled_before_it_began_leaves_nothing_and_says_so(desk: Desk, tmp_path: Path) -> None:
    runner = Runner(desk.engine, LocalExecutor, Limits(concurrent_runs=1))  # type: ignore[arg-type] # never opened
    first, _ = begun(desk, runner, tmp_path)
    second, _ = begun(desk, runner, tmp_path)

    runner.cancel(second.id)

    found = runner.find(second.id)
    assert found is not None and found.error == "it was cancelled before it began"
    assert second.id not in desk.runs.stored
    runner.cancel(first.id)


def test_cancelling_what_has_ended_or_is_unknown_changes_nothing(desk: Desk, runner_of: Callable[..., Runner]) -> None:
    runner = runner_of(NEVER)
    run, future = runner.start(desk.request())
    future.result(60)

    runner.cancel(run.id)
    runner.cancel("bt-000000000000")

    assert desk.runs.stored[run.id][0].status is RunStatus.COMPLETED


# What is under way in a thread


def test_what_is_ended_before_it_begins_is_not_done() -> None:
    course, done = Course(), list[int]()
    course.end()

    def work() -> None:
        for number in range(10_000_000):
            done.append(number)

    with pytest.raises(InterruptedEvaluation):
        course.here(work, Clock(), NEVER)
    assert len(done) < 10_000_000


def test_what_is_late_before_it_begins_is_stopped_too() -> None:
    class HastyClock(Clock):
        def limit(self, stop: Callable[[], None], seconds: float) -> None:  # noqa: ARG002 - at once instead
            stop()

    with pytest.raises(InterruptedEvaluation):
        Course().here(lambda: [number for number in range(10_000_000)], HastyClock(), NEVER)  # noqa: C416 - Python code


def test_what_is_done_in_time_is_returned_and_what_comes_too_late_hits_nothing() -> None:
    clock = Clock()

    answers = [Course().here(lambda: 7, clock, NEVER) for _ in range(50)]
    for _ in range(50):
        with suppress(InterruptedEvaluation):
            Course().here(lambda: 7, clock, 0.0)

    assert answers == [7] * 50
    assert sum(range(200_000)) == 19999900000 and not clock._due  # noqa: SLF001 - nothing is awaited


def test_only_what_is_late_is_stopped() -> None:
    clock, stopped = Clock(), list[str]()
    soon, later = (partial(stopped.append, name) for name in ("soon", "later"))

    clock.limit(later, NEVER)
    clock.limit(soon, 0.0)

    until(lambda: stopped)
    clock.forget(later)
    assert stopped == ["soon"] and not clock._due  # noqa: SLF001
