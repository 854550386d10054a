"""Processes that end with the one that started them, and tasks that are really stopped."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import psutil
import pytest

from tests.fixtures import tasks
from tests.fixtures.patience import until
from utils.process import Companion, LocalExecutor

PROJECT = Path(__file__).resolve().parent.parent
ECHO = "import sys, os, pathlib; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); sys.stdin.read()"


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    executor = LocalExecutor(2, task_seconds=60, memory_mb=2048)
    yield executor
    executor.shutdown(cancel_futures=True)


def process_in(file: Path) -> psutil.Process:
    """Return the process that wrote its number into the file."""
    return psutil.Process(int(until(lambda: file.exists() and file.read_text(encoding="ascii"))))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_tasks_run_in_other_processes(executor: LocalExecutor) -> None:
    answers = [executor.submit(tasks.answer, number).result(60) for number in range(4)]

    assert [square for square, _ in answers] == [0, 1, 4, 9]
    assert psutil.Process().pid not in {process for _, process in answers}


def test_cancelling_kills_a_running_task_and_no_other(executor: LocalExecutor, tmp_path: Path) -> None:
    future = executor.submit(tasks.never, str(tmp_path / "told"))
    process = process_in(tmp_path / "told")

    future.cancel()

    until(lambda: is_gone(process), seconds=10)
    with pytest.raises(CancelledError):
        future.result(10)
    assert executor.submit(tasks.answer, 3).result(60)[0] == 9


def test_a_task_over_its_time_is_killed(tmp_path: Path) -> None:
    executor = LocalExecutor(1, task_seconds=3, memory_mb=2048)
    future = executor.submit(tasks.never, str(tmp_path / "told"))
    process = process_in(tmp_path / "told")

    with pytest.raises(TimeoutError):
        future.result(60)

    until(lambda: is_gone(process), seconds=10)
    executor.shutdown(cancel_futures=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no memory this way")
def test_a_task_over_its_memory_fails_and_its_process_lives_on(executor: LocalExecutor) -> None:
    _, before = executor.submit(tasks.answer, 1).result(60)

    with pytest.raises(MemoryError):
        executor.submit(tasks.hoard, 3000).result(60)

    assert executor.submit(tasks.hoard, 10).result(60) == 10 << 17
    assert psutil.pid_exists(before)


def test_a_task_that_loses_its_process_fails_alone(executor: LocalExecutor) -> None:
    futures = [executor.submit(tasks.die), *(executor.submit(tasks.answer, number) for number in range(6))]

    with pytest.raises(OSError, match=r"."):
        futures[0].result(60)
    assert [future.result(60)[0] for future in futures[1:]] == [0, 1, 4, 9, 16, 25]


def test_a_defect_in_a_task_is_raised_as_it_is(executor: LocalExecutor) -> None:
    with pytest.raises(ValueError, match="a defect of ours"):
        executor.submit(tasks.refuse).result(60)


def test_no_process_outlives_the_one_that_started_it_even_when_that_is_killed(tmp_path: Path) -> None:
    code = f"from tests.fixtures.tasks import lead\nif __name__ == '__main__': lead({str(tmp_path / 'told')!r})"
    leader = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT)
    process = process_in(tmp_path / "told")

    leader.kill()
    leader.wait()

    until(lambda: is_gone(process), seconds=2)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own means are Linux's")
def test_a_process_whose_compiled_code_lets_nobody_else_run_does_not_outlive_its_parent(
    tmp_path: Path,
) -> None:
    code = (
        f"from tests.fixtures.tasks import lead_deaf\nif __name__ == '__main__': lead_deaf({str(tmp_path / 'told')!r})"
    )
    leader = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT)
    process = process_in(tmp_path / "told")

    leader.kill()
    leader.wait()

    until(lambda: is_gone(process), seconds=2)


def test_a_companion_is_started_once_and_again_when_it_died(tmp_path: Path) -> None:
    told = tmp_path / "told"
    companion = Companion([sys.executable, "-c", ECHO, str(told)], tmp_path)

    companion.ensure()
    first = process_in(told)
    companion.ensure()
    assert len([each for each in psutil.Process().children() if str(told) in each.cmdline()]) == 1
    told.unlink()
    first.kill()
    until(lambda: companion.ensure() or told.exists())  # a death is noticed within a moment

    second = process_in(told)
    assert second.pid != first.pid
    companion.leave()
    until(lambda: is_gone(second), seconds=10)


def test_a_companion_that_was_left_is_not_started_again(tmp_path: Path) -> None:
    companion = Companion([sys.executable, "-c", ECHO, str(tmp_path / "told")], tmp_path)

    companion.leave()
    companion.ensure()

    assert [each for each in psutil.Process().children() if str(tmp_path) in str(each.cmdline())] == []


def test_a_companion_ends_with_the_process_that_started_it_even_when_that_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = (
        "import pathlib, threading, utils.process as p\n"
        f"p.Companion([{sys.executable!r}, '-c', {ECHO!r}, {str(told)!r}], pathlib.Path('.')).ensure()\n"
        "threading.Event().wait()"
    )
    leader = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT)
    companion = process_in(told)

    leader.kill()
    leader.wait()

    until(lambda: is_gone(companion), seconds=2)
