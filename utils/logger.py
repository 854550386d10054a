"""Log lines to stderr, one handler for everybody's: stdout is the protocol."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_PASSWORD_SETTING = re.compile(r"(password\s*[=:]\s*)[^\s,;}\"']+", re.IGNORECASE)


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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        formatter(
            foreign_pre_chain=shared,
            processors=[formatter.remove_processors_meta, *_renderers(as_json), mask_passwords],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    logging.captureWarnings(capture=True)


def mask_passwords(_logger: Any, _method: str, line: Any) -> str:
    """Hide every password in a finished line, wherever it came from."""
    return _PASSWORD_SETTING.sub(r"\1***", _PASSWORD_IN_URL.sub(r"\1***@", line))


def _renderers(as_json: bool) -> list[Any]:  # noqa: FBT001 - private, one caller
    if not as_json:
        return [structlog.dev.ConsoleRenderer()]
    # structlog's own default prints local variables, and with them connection strings
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    return [tracebacks, structlog.processors.JSONRenderer()]
