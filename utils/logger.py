"""Log lines to stderr, one handler for everybody's: stdout is the protocol."""

import logging
import os
import re
import sys
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

MOST_WAITING_LINES = 1000
TALKATIVE = ("alembic.runtime.plugins",)  # it tells at INFO which of its plugins it set up
LONGEST_FLUSH_SECONDS = 0.5
_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_PASSWORD_SETTING = re.compile(
    r"""(password[\\"']*\s*[=:]\s*)([\\"']+).*?\2|(password\s*[=:]\s*)[^\s,;}"'\\]+""", re.IGNORECASE
)


def configure_logging(level: str = "INFO", *, json: bool | None = None) -> None:
    """Send every logger, structlog's and the standard library's, to stderr; JSON unless stderr is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, formatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = StderrHandler()
    handler.setFormatter(
        formatter(
            foreign_pre_chain=shared,
            processors=[formatter.remove_processors_meta, *_renderers(as_json), mask_passwords],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


class StderrHandler(logging.Handler):
    """Writes lines to stderr in a thread of its own: where nobody reads stderr, lines are lost, and nobody waits."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Queue[bytes] = Queue(MOST_WAITING_LINES)
        self._descriptor = sys.stderr.fileno()
        Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the line on, or drop it when too many are waiting."""
        with suppress(Full):
            self._lines.put_nowait(f"{self.format(record)}\n".encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Wait a moment for the lines that are still waiting."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, LONGEST_FLUSH_SECONDS)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            with suppress(OSError):
                os.write(self._descriptor, line)
            self._lines.task_done()


def tell(line: str) -> None:
    """Say something beside the result, which is on stdout: in the log while serving, else plainly."""
    if structlog.is_configured():
        structlog.stdlib.get_logger(__name__).info(line)
    else:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def mask_passwords(_logger: Any, _method: str, line: Any) -> str:
    """Hide every password in a finished line, wherever it came from."""
    return _PASSWORD_SETTING.sub(_masked, _PASSWORD_IN_URL.sub(r"\1***@", line))


def _renderers(as_json: bool) -> list[Any]:  # noqa: FBT001 - private, one caller
    if not as_json:
        return [structlog.dev.ConsoleRenderer()]
    # structlog's own default prints local variables, and with them connection strings
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    return [tracebacks, structlog.processors.JSONRenderer()]


def _masked(found: re.Match[str]) -> str:
    name, quote, plain_name = found.groups()
    return f"{plain_name}***" if plain_name else f"{name}{quote}***{quote}"
