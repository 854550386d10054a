"""Processes that end with the one that started them, however that one ends."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypeVar

from pebble import ProcessPool
from pebble.common.types import CONSTS

from utils.spool import Spool, Spooled
from utils.watch import when

Result = TypeVar("Result")
Value = TypeVar("Value")

PARENT_IS_GONE = 113
STDERR = 2
# Between the request to stop and the kill; pebble's own 3 s would delay every cancel.
GRACE_SECONDS = 0.2


class LocalExecutor(Executor):
    """Processes with a time and a memory limit, where `Future.cancel` kills a running task.

    A task over its time raises TimeoutError, one over its memory MemoryError, one whose process died an OSError; the
    other tasks go on. The processes start with the first task and end with this one, even when it is killed. What tasks
    share lies in files below `scratch` (default: the system's folder for temporary files).
    """

    def __init__(
        self,
        processes: int,
        *,
        task_seconds: float,
        memory_mb: int,
        preload: Sequence[str] = (),
        scratch: Path | None = None,
    ) -> None:
        CONSTS.term_timeout = GRACE_SECONDS
        # never fork: a child would inherit descriptors, locks and threads half-way
        context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux":
            context.set_forkserver_preload(list(preload))
        self.processes = processes
        self._seconds = task_seconds
        self._spool = Spool(scratch or Path(tempfile.gettempdir()))
        self._pool = ProcessPool(processes, context=context, initializer=start_process, initargs=(memory_mb,))

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Run the function in a process of its own."""
        return self._pool.schedule(fn, args=args, kwargs=kwargs, timeout=self._seconds)

    def share(self, value: Value) -> Spooled[Value]:
        """Return a handle of the value for tasks of this executor, which lasts until the executor is shut down."""
        return self._spool.put(value)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - Executor's signature
        """Let the tasks end, or kill them."""
        if cancel_futures:
            self._pool.stop()  # type: ignore[no-untyped-call]
        else:
            self._pool.close()  # type: ignore[no-untyped-call]
        if wait:
            self._pool.join()
        if wait or cancel_futures:
            self._spool.close()


def start_process(memory_mb: int) -> None:
    """Bind this process to the one that started it, and limit its memory where the system can."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only for child processes"  # noqa: S101
    when(parent.join, lambda: os._exit(PARENT_IS_GONE))
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - only there on POSIX

        # The thread above needs the interpreter, which compiled code may hold. Our end of the parent's pipe sends SIGIO
        # when the other end is gone, and SIGIO ends a process that does not handle it.
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, fcntl.fcntl(parent.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - only there on POSIX

        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20,) * 2)


class Companion:
    """A process of our own that serves beside us, is started when it is needed, and ends with us.

    It holds the end of a pipe: when we leave, or are killed, it reads the end of its input.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command, self._folder = list(command), folder
        self._guard = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_left = False

    def ensure(self) -> None:
        """Start it unless it is alive, or was left."""
        with self._guard:
            if self._is_left or (self._process and self._process.poll() is None):
                return
            self._close_input()
            # what it prints goes to our stderr: our stdout may be a protocol
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command, cwd=self._folder, stdin=subprocess.PIPE, stdout=STDERR
            )
            Thread(target=self._process.wait, name="reaper", daemon=True).start()

    def leave(self) -> None:
        """Let it end, without waiting; it is not started again."""
        self._is_left = True
        self._close_input()

    def _close_input(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
