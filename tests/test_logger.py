"""What is logged, where, and what never is."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from utils.logger import configure_logging


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.captureWarnings(capture=False)
    logging.root.handlers[:], logging.root.level = handlers, level


def written(capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Return what was written to stdout and to stderr, once every line is."""
    for handler in logging.root.handlers:
        handler.flush()
    out, err = capfd.readouterr()
    return out, err


def test_every_logger_writes_json_to_stderr_and_nothing_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=True)

    structlog.stdlib.get_logger("ours").info("call", tool="x")
    logging.getLogger("theirs").warning("careful")

    out, err = written(capfd)
    assert out == ""
    ours, theirs = (json.loads(line) for line in err.splitlines())
    assert (ours["event"], ours["tool"], ours["logger"]) == ("call", "x", "ours")
    assert (theirs["event"], theirs["level"]) == ("careful", "warning")


def test_a_password_is_hidden_wherever_it_comes_from(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=True)
    local = "postgresql://u:in-a-local@h/d"

    try:
        raise RuntimeError(f"cannot reach postgresql://u:s3cret@h/d with password=s3cret, {len(local)}")
    except RuntimeError:
        structlog.stdlib.get_logger("ours").exception("defect", url="postgresql://u:s3cret@h/d")

    _, told = written(capfd)
    assert "s3cret" not in told and "in-a-local" not in told
    assert "***" in told


def test_a_terminal_gets_readable_lines(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=False)

    structlog.stdlib.get_logger("ours").info("call", tool="x")

    assert not written(capfd)[1].startswith("{")


def test_lines_below_the_level_are_not_written(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING", json=True)

    structlog.stdlib.get_logger("ours").info("call")

    assert written(capfd) == ("", "")


@pytest.mark.parametrize(
    "said",
    [
        '{"password": "s3cret"}',
        "{'password': 's3cret'}",
        "password='two s3cret words'",
        "password = s3cret",
        r"{\"password\": \"s3cret\"}",
        "postgres://u:s3cret@h",
    ],
)
def test_a_password_is_hidden_in_every_spelling(capfd: pytest.CaptureFixture[str], said: str) -> None:
    configure_logging(json=True)

    structlog.stdlib.get_logger("ours").info(said)

    _, told = written(capfd)
    assert "s3cret" not in told and "***" in told
