"""The two lock files beside the data; the kernel frees them however a process ends, kill -9 included."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class StartLock:
    """Held alone by the process that creates, starts or stops the server.

    Its holder may take it again: a signal handler has to close what it interrupted. Threads of one process need a
    lock of their own around it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._depth = 0

    @contextmanager
    def held(self, pause: Callable[[], None]) -> Iterator[None]:
        """Hold the lock, calling `pause` for as long as another process has it."""
        self._depth += 1
        try:
            if self._file is None:
                self._file = _opened(self._path)
            # flock on a descriptor that holds the lock already succeeds at once.
            while not _locked_alone(self._file):
                pause()
            yield
        finally:
            self._depth -= 1
            if self._file is not None and self._depth == 0:
                os.close(self._file)
                self._file = None


class ClientLock:
    """Shared by all clients for as long as they live; joined and asked only under the start lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def is_joined(self) -> bool:
        """Whether we are among the clients."""
        return self._file is not None

    def join(self) -> None:
        """Become one of the clients."""
        if self._file is None:
            self._file = _opened(self._path)
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Be a client no longer."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def is_deserted(self) -> bool:
        """Whether no client is left, in this process or any other."""
        file = _opened(self._path)
        try:
            return _locked_alone(file)
        finally:
            os.close(file)


def _opened(path: Path) -> int:
    """Open a lock file that no child inherits (Python opens close-on-exec)."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _locked_alone(file: int) -> bool:
    """Take the lock exclusively, or say that somebody has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
