"""What the commands print: colours where a person reads on a terminal, plain text in a pipe, JSON where it is asked."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from config.commands.showing import painted
from tests.fixtures.postgres import reachable_folder

COLOUR = re.compile(r"\x1b\[\d*m")
BACKTEST = ["backtest", "rsi", "IBM", "--start", "2010-01-04", "--end", "2012-12-31"]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The environment of commands with a data directory whose database has been made."""
    with reachable_folder() as folder:
        plain = {name: each for name, each in os.environ.items() if name not in ("NO_COLOR", "TERM")}
        environment = plain | {"BACKTEST_DATA_DIR": str(folder / "home"), "BACKTEST_ENV_FILE": "", "TERM": "xterm"}
        subprocess.run([sys.executable, "main.py", "db", "upgrade"], env=environment, check=True, capture_output=True)
        yield environment


def piped(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(
        [sys.executable, "main.py", *command], env=environment, check=True, capture_output=True, text=True
    ).stdout


def on_terminal(environment: dict[str, str], *command: str) -> str:
    """Return what the command draws on a terminal."""
    ours, theirs = pty.openpty()
    drawn = b""
    with subprocess.Popen([sys.executable, "main.py", *command], env=environment, stdout=theirs, stderr=theirs):
        os.close(theirs)
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # how Linux ends a terminal that nobody holds any more
                break
            if not part:
                break
            drawn += part
    os.close(ours)
    return drawn.decode().replace("\r\n", "\n")


def answered(environment: dict[str, str], *command: str) -> Any:
    return json.loads(piped(environment, *command, "--json"))


def test_a_terminal_is_shown_colours_and_a_pipe_the_same_text_without(environment: dict[str, str]) -> None:
    plain = piped(environment, *BACKTEST)
    drawn = on_terminal(environment, *BACKTEST)

    assert not COLOUR.search(plain)
    assert COLOUR.sub("", drawn) == plain
    assert re.search(r"^\x1b\[1mbt-[0-9a-f]{12} completed: rsi", drawn, re.MULTILINE)
    assert "\x1b[1mBelieve it? " in drawn
    assert "\x1b[31m- serious, " in drawn


@pytest.mark.parametrize("refusal", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colours_gets_none(environment: dict[str, str], refusal: dict[str, str]) -> None:
    assert not COLOUR.search(on_terminal(environment | refusal, *BACKTEST))


def test_a_backtest_and_the_demo_answer_in_json_with_the_whole_record(environment: dict[str, str]) -> None:
    told, demo = answered(environment, *BACKTEST), answered(environment, "demo")

    assert told["status"] == demo["status"] == "completed"
    assert told["request"]["start_date"] == "2010-01-04" and told["request"]["delay_bars"] == 1
    assert demo["request"]["strategy_id"] == "sma_crossover"
    assert told["verdict"] and len(told["provenance"]["data_hash"]) == 64
    (verified,) = answered(environment, "verify", told["backtest_id"])["results"]
    assert verified["identical"] is True and verified["backtest_id"] == told["backtest_id"]


def test_assets_and_the_doctor_answer_in_json(environment: dict[str, str]) -> None:
    stored = answered(environment, "assets")["results"]
    assert [each["symbol"] for each in stored] == ["AAPL", "IBM", "MSFT"]
    assert stored[1]["series"][0]["timeframe"] == "1d"

    found = answered(environment, "doctor")
    checks = {each["check"]: each["ok"] for each in found["checks"]}
    assert found["well"] is all(checks.values()) is True
    assert {"engine", "database", "rights", "sample data", "write access"} <= checks.keys()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ok    engine: 1", "\x1b[32mok\x1b[0m    engine: 1"),
        ("FAIL  engine: 1", "\x1b[31mFAIL\x1b[0m  engine: 1"),
        ("- minor, long_idle: x", "\x1b[33m- minor, long_idle\x1b[0m: x"),
        ("- fatal, luck: x", "\x1b[31m- fatal, luck\x1b[0m: x"),
        ("okay, FAIL, a serious text", "okay, FAIL, a serious text"),
        ("", ""),
    ],
)
def test_the_start_of_a_line_is_painted_and_nothing_else(line: str, told: str) -> None:
    assert painted(line) == told
    assert painted(f"{line}\n{line}") == f"{told}\n{told}"


def test_the_help_tells_of_json_where_there_is_some() -> None:
    for command in ("demo", "backtest", "verify", "assets", "doctor"):
        told = subprocess.run(
            [sys.executable, "main.py", command, "--help"], capture_output=True, text=True, check=True
        )
        assert "print the structured answer as JSON" in " ".join(told.stdout.split()), command
