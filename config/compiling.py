"""Our own kernels compiled aside, so that no call waits for it and the server does not grow by the compiler."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

from backtesting.kernels import are_compiled, note_in
from config.settings import PROJECT

LEAST_PRIORITY = 19


def compile_aside(folder: Path | None = None) -> "subprocess.Popen[bytes] | None":
    """Have what is not compiled yet compiled by a process that works when the processor has nothing else to do.

    Return that process, if there was need of one. `folder` is where the note of it lies.
    """
    if are_compiled(note_in(folder)):
        return None
    quiet, idle = subprocess.DEVNULL, getattr(subprocess, "IDLE_PRIORITY_CLASS", 0)
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "backtesting.kernels", *([str(folder)] if folder else [])],
        cwd=PROJECT,
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        creationflags=idle,
    )
    if sys.platform != "win32":
        os.setpriority(os.PRIO_PROCESS, process.pid, LEAST_PRIORITY)
    Thread(target=process.wait, name="reaper", daemon=True).start()
    return process
