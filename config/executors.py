"""Where the tasks of long work are done: in processes of this machine, or on a cluster."""

from pathlib import Path

from backtesting.types import Limits
from utils.cluster import CONNECT_SECONDS, ClusterExecutor
from utils.cluster_worker import Terms
from utils.process import LocalExecutor

LOCAL = "local"
# What the processes need, imported once; ours is found from the project's folder only.
PRELOAD = ("backtesting.jobs",)
LOOK_SECONDS = 3.0  # how long the doctor waits for a cluster
MISSING_EXTRA = (
    "EXECUTOR_URL names a Dask scheduler and the package distributed is not installed; put `--with distributed` before "
    "main.py, or `pip install distributed`"
)


def open_executor(
    url: str, limits: Limits, scratch: Path, *, connect_seconds: float = CONNECT_SECONDS
) -> LocalExecutor | ClusterExecutor:
    """Return where tasks are done; OSError when it cannot be reached."""
    if url == LOCAL:
        return local_executor(limits, scratch)
    try:
        terms = Terms(limits.task_seconds, limits.task_memory_mb, PRELOAD)
        return ClusterExecutor(url, terms, connect_seconds=connect_seconds)
    except ImportError as error:
        raise OSError(MISSING_EXTRA) from error


def local_executor(limits: Limits, scratch: Path) -> LocalExecutor:
    """Return processes of this machine."""
    return LocalExecutor(
        limits.processes,
        task_seconds=limits.task_seconds,
        memory_mb=limits.task_memory_mb,
        preload=("__main__", *PRELOAD),
        scratch=scratch,
    )


def executor_state(url: str, limits: Limits, scratch: Path) -> str:
    """Do one task and tell where; OSError when it cannot be done."""
    with open_executor(url, limits, scratch, connect_seconds=LOOK_SECONDS) as executor:
        executor.submit(int).result(limits.task_seconds)
        return f"{url}, {executor.processes} tasks at a time"
