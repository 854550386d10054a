"""Our own kernels compiled aside, so that no call waits for it and the server does not grow by the compiler.

`python -m config.compiling` is the process aside. It ends with its input, and so with the server, however that
one ends.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Thread

from backtesting.kernels import are_compiled, compile_all, note_in
from config.settings import PROJECT
from utils.watch import when

LEAST_PRIORITY = 19
STDIN = 0
PARENT_IS_GONE = 113


def compile_aside(folder: Path | None = None) -> "subprocess.Popen[bytes] | None":
    """Have what is not compiled yet compiled by a process that works when the processor has nothing else to do.

    Return that process, if there was need of one. `folder` is where the note of it lies.
    """
    if are_compiled(note_in(folder)):
        return None
    quiet, idle = subprocess.DEVNULL, getattr(subprocess, "IDLE_PRIORITY_CLASS", 0)
    theirs, ours = os.pipe()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "config.compiling", *([str(folder)] if folder else [])],
        cwd=PROJECT,
        stdin=theirs,
        stdout=quiet,
        stderr=quiet,
        creationflags=idle,
    )
    _bind(theirs, process.pid)
    os.close(theirs)
    if sys.platform != "win32":
        os.setpriority(os.PRIO_PROCESS, process.pid, LEAST_PRIORITY)
    Thread(target=_reap, args=(process, ours), name="reaper", daemon=True).start()
    return process


def _bind(pipe: int, process: int) -> None:
    """Have the process ended by SIGIO when our end of its input is gone, however far it is and whatever it does."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - only there on POSIX

        fcntl.fcntl(pipe, fcntl.F_SETOWN, process)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def _reap(process: "subprocess.Popen[bytes]", ours: int) -> None:
    process.wait()
    os.close(ours)


if __name__ == "__main__":
    when(partial(os.read, STDIN, 1), partial(os._exit, PARENT_IS_GONE))
    compile_all(note_in(*map(Path, sys.argv[1:])))
