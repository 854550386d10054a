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
    structlog.reset_defaults()


def test_every_logger_writes_json_to_stderr_and_nothing_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=True)

    structlog.stdlib.get_logger("ours").info("call", tool="x")
    logging.getLogger("theirs").warning("careful")

    captured = capsys.readouterr()
    assert captured.out == ""
    ours, theirs = (json.loads(line) for line in captured.err.splitlines())
    assert (ours["event"], ours["tool"], ours["logger"]) == ("call", "x", "ours")
    assert (theirs["event"], theirs["level"]) == ("careful", "warning")


def test_a_password_is_hidden_wherever_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=True)
    local = "postgresql://u:in-a-local@h/d"

    try:
        raise RuntimeError(f"cannot reach postgresql://u:s3cret@h/d with password=s3cret, {len(local)}")
    except RuntimeError:
        structlog.stdlib.get_logger("ours").exception("defect", url="postgresql://u:s3cret@h/d")

    told = capsys.readouterr().err
    assert "s3cret" not in told and "in-a-local" not in told
    assert "***" in told


def test_a_terminal_gets_readable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=False)

    structlog.stdlib.get_logger("ours").info("call", tool="x")

    assert not capsys.readouterr().err.startswith("{")


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING", json=True)

    structlog.stdlib.get_logger("ours").info("call")

    assert capsys.readouterr().err == ""
