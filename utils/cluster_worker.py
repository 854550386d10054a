"""What a worker of a Dask cluster does with a task of ours: a process of its own, that is killed when it has to be."""

import multiprocessing
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from utils.packing import called
from utils.process import LocalExecutor
from utils.spool import Spooled

LOOK_SECONDS = 0.1
LATEST_VALUES = 8
MOST_EXECUTORS = 2
EXECUTING = "executing"

_guard = Lock()
_latest: deque[Spooled[Any]] = deque(maxlen=LATEST_VALUES)
_executors: "OrderedDict[tuple[Terms, int], LocalExecutor]" = OrderedDict()


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits of a task, and the modules that its process imports beforehand."""

    task_seconds: float
    memory_mb: int
    preload: tuple[str, ...] = ()


def run(call: bytes, values: Sequence[Any], terms: Terms) -> Any:
    """Do a packed call in another process of this worker, which is killed when nobody wants the outcome any more."""
    from distributed import get_worker  # noqa: PLC0415 - an extra

    worker = get_worker()
    key = worker.get_current_task()
    with _guard:
        processes = executor_of(terms, worker.state.nthreads, Path(worker.local_directory))
        handles = [processes.share(value) for value in values]
        _latest.extend(each for each in handles if each not in _latest)
        future = processes.submit(called, call, handles)  # guarded too: it must not be shut down before
    while not wait((future,), LOOK_SECONDS).done:
        task = worker.state.tasks.get(key)
        if task is None or task.state != EXECUTING:
            future.cancel()
    return future.result()


def executor_of(terms: Terms, count: int, scratch: Path) -> LocalExecutor:
    """Return the executor of these terms; the one longest unused ends after its tasks where there are too many."""
    if (terms, count) not in _executors:
        _executors[terms, count] = _opened(terms, count, scratch)
    _executors.move_to_end((terms, count))
    if len(_executors) > MOST_EXECUTORS:
        _, unused = _executors.popitem(last=False)
        Thread(target=unused.shutdown, name="shutdown", daemon=True).start()
    return _executors[terms, count]


def _opened(terms: Terms, count: int, scratch: Path) -> LocalExecutor:
    # Dask's workers are daemons, which may have no children; ours end with their parent by themselves
    multiprocessing.current_process()._config.pop("daemon", None)  # type: ignore[attr-defined] # noqa: SLF001
    return LocalExecutor(
        count, task_seconds=terms.task_seconds, memory_mb=terms.memory_mb, preload=terms.preload, scratch=scratch
    )
