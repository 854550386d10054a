"""What a worker of a Dask cluster does with a task of ours: a process of its own, that is killed when it has to be."""

import multiprocessing
from collections import deque
from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from utils.packing import called
from utils.process import LocalExecutor
from utils.spool import Spooled

LOOK_SECONDS = 0.1
LATEST_VALUES = 8
EXECUTING = "executing"

_guard = Lock()
_latest: deque[Spooled[Any]] = deque(maxlen=LATEST_VALUES)


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
        processes = _processes(terms, worker.state.nthreads)
        handles = [processes.share(value) for value in values]
        _latest.extend(each for each in handles if each not in _latest)
    future = processes.submit(called, call, handles)
    while not wait((future,), LOOK_SECONDS).done:
        task = worker.state.tasks.get(key)
        if task is None or task.state != EXECUTING:
            future.cancel()
    return future.result()


@lru_cache(maxsize=1)
def _processes(terms: Terms, count: int) -> LocalExecutor:
    # Dask's workers are daemons, which may have no children; ours end with their parent by themselves
    multiprocessing.current_process()._config.pop("daemon", None)  # type: ignore[attr-defined] # noqa: SLF001
    return LocalExecutor(count, task_seconds=terms.task_seconds, memory_mb=terms.memory_mb, preload=terms.preload)
