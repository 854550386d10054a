"""Sessions of the MCP Inspector's command line with the program itself, over stdio."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from database import roles
from tests.fixtures.node import INSPECTOR, environment, program
from tests.fixtures.postgres import Database

PROJECT = Path(__file__).resolve().parent.parent
IBM = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2001-01-02",
    "end_date": "2012-12-31",
    "initial_capital": 100_000,
    "parameters": {"position_size": 0.95},
}
TOOL_FAILED = 5
eras = pytest.mark.parametrize("era", ["legacy", "modern"])


def inspect(*asked: str, era: str = "legacy", database: Database | None = None) -> subprocess.CompletedProcess[str]:
    """Start the Inspector, which starts the server, asks it once and prints the answer."""
    settings = {"BACKTEST_TOOLSET": "all", "BACKTEST_ENV_FILE": os.devnull}
    if database:
        settings["DATABASE_URL"] = database.url(roles.APP).render_as_string(hide_password=False)
    given = [part for name, value in settings.items() for part in ("-e", f"{name}={value}")]
    server = [sys.executable, str(PROJECT / "main.py")]
    return subprocess.run(
        [*program(*INSPECTOR), "--cli", "--protocol-era", era, *given, *server, *asked, "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env=environment(),
    )


def answer(*asked: str, **how: Any) -> Any:
    done = inspect(*asked, **how)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["result"]


@eras
def test_the_schemas_of_all_tools_are_portable(era: str) -> None:
    done = inspect("--method", "tools/list", "--strict", era=era)

    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower(), done.stderr
    assert len(json.loads(done.stdout)["result"]["tools"]) > 12


def test_a_run_is_made_and_drawn_in_one_session_and_read_in_another_of_the_other_era(database: Database) -> None:
    made = answer(*call("run_backtest", IBM | {"include_chart": True}), era="legacy", database=database)
    run, uri = made["structuredContent"], f"backtest://{made['structuredContent']['backtest_id']}"
    read = answer("--method", "resources/read", "--uri", uri, era="modern", database=database)

    assert run["metrics"]["total_trades"] == 34
    assert [(each["type"], each.get("mimeType")) for each in made["content"]] == [
        ("text", None),
        ("image", "image/png"),
    ]
    kept = json.loads(read["contents"][0]["text"])
    assert (kept["backtest_id"], kept["metrics"], kept["verdict"]) == (
        run["backtest_id"],
        run["metrics"],
        run["verdict"],
    )


def call(tool: str, arguments: dict[str, Any]) -> list[str]:
    return ["--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments)]


def test_a_person_can_type_arguments_as_words() -> None:
    words = '--tool-arg strategy_config={"strategy_id":"rsi","parameters":{"period":14}}'

    told = answer("--method", "tools/call", "--tool-name", "validate_strategy", *words.split())

    assert told["structuredContent"]["valid"] is True


def test_a_call_that_fails_ends_with_the_inspectors_code_and_the_remedy() -> None:
    done = inspect(*call("list_strategies", {"strategy_id": "sma_crosover"}))

    assert done.returncode == TOOL_FAILED
    assert "sma_crossover" in done.stdout + done.stderr


def test_a_prompt_is_filled_in() -> None:
    asked = "--method prompts/get --prompt-name first_backtest --prompt-args symbol=AAPL strategy_id=rsi"

    assert "rsi on AAPL" in answer(*asked.split())["messages"][0]["content"]["text"]


def test_the_addresses_of_resources_are_shown() -> None:
    templates = answer("--method", "resources/templates/list", era="modern")["resourceTemplates"]

    assert {"strategies://{strategy_id}", "backtest://{backtest_id}/report"} <= {
        each["uriTemplate"] for each in templates
    }
