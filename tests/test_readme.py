"""What the documents show is what the program does."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from mcp import Client
from PIL import Image

import main
from backtesting import VERSION
from backtesting.diagnostics import DIAGNOSTICS
from backtesting.metrics import METRICS, Undefined
from backtesting.reporting.charts import ChartKind, render
from backtesting.strategies import STRATEGIES
from backtesting.strategy import Strategy, StrategyRegistry
from config.clients import server_entry
from mcp_server.server import build_server
from tests.fixtures.completed import completed, desk_of_ibm
from tests.fixtures.postgres import reachable_folder
from tests.fixtures.series import sample_bars

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
METRICS_PAGE = (PROJECT / "backtesting" / "metrics" / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.+?)\n```", README, re.DOTALL)
RUN_ID = re.compile("bt-[0-9a-f]{12}")
DAY_OF_IMPORT = re.compile(r", imported \d{4}-\d{2}-\d{2}")
PICTURES = PROJECT / "tests" / "fixtures" / "pictures"
SIXTY_KB, LARGEST_DIFFERENCE = (
    60_000,
    2.0,
)  # of 255 shades of grey: the fonts of computers differ, and so do ids of runs


def rows(heading: str) -> list[str]:
    """Return the first cells of the table under the heading, without what they take."""
    table = README.split(heading, 1)[1].split("\n\n", 1)[0]
    return [name.split()[0] for name in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)]


def test_the_first_command_prints_the_result_the_readme_shows() -> None:
    _, _, command = COMMANDS[0].partition(" && ")

    with reachable_folder() as folder:
        done = subprocess.run(
            command.split(),
            cwd=PROJECT,
            env=os.environ | {"BACKTEST_DATA_DIR": str(folder / "home")},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    (shown,) = re.findall(r"```\n(bt-.+?)\n```", README, re.DOTALL)
    assert RUN_ID.sub("", shown) in RUN_ID.sub("", done.stdout)


def test_the_second_command_is_the_one_ci_runs() -> None:
    assert COMMANDS[1] in (PROJECT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_lists_every_tool_in_order() -> None:
    async def names() -> list[str]:
        async with Client(build_server(StrategyRegistry(STRATEGIES), lambda: pytest.fail("not needed"))) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    assert rows("| tool |") == asyncio.run(names())


def test_the_readme_lists_every_strategy_in_order() -> None:
    assert rows("| strategy |") == [strategy.id() for strategy in STRATEGIES]


def test_the_readme_counts_the_metrics() -> None:
    assert f"any of {len(METRICS)} metrics" in README


def test_every_metric_is_defined_in_the_documents_as_it_defines_itself() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", METRICS_PAGE, re.MULTILINE)

    assert listed == [(each.key, each.unit, each.definition.replace("|", r"\|")) for each in METRICS]


def test_every_reason_and_every_diagnostic_is_told_in_the_documents() -> None:
    told = set(re.findall(r"`(\w+)`", METRICS_PAGE))

    codes = {rule.__name__ for rule in DIAGNOSTICS}
    assert codes | set(Undefined) <= told


def test_the_readme_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["--help"])

    offered = re.search(r"\{(.+?)\}|^commands:\n(.+)", capsys.readouterr().out, re.DOTALL | re.MULTILINE)
    assert offered is not None
    listed = README.split("| command |", 1)[1].split("\n\n", 1)[0]
    commands = (
        "serve",
        "worker",
        "demo",
        "backtest",
        "verify",
        "walk-forward",
        "import",
        "fetch",
        "assets",
        "report",
        "install",
        "doctor",
        "db upgrade",
    )
    for command in commands:
        assert f"main.py {command}" in listed
        assert command.split()[0] in offered.group(0)


def test_the_strategy_in_the_readme_is_one() -> None:
    (code,) = re.findall(r"```python\n(.+?)\n   ```", README, re.DOTALL)
    names: dict[str, object] = {"__name__": "backtesting.strategies.rate_of_change"}

    exec(re.sub(r"^   ", "", code, flags=re.MULTILINE), names)  # noqa: S102 - our own README

    (made,) = [each for each in names.values() if isinstance(each, type) and Strategy in each.__bases__]
    (registered,) = StrategyRegistry([made])
    assert registered.id() == "rate_of_change"
    assert registered().signals(sample_bars("ibm")).entries.any()


def test_the_client_configuration_in_the_readme_has_the_form_doctor_prints() -> None:
    (shown,) = re.findall(r"```json\n(.+?)\n```", README, re.DOTALL)

    (theirs,) = json.loads(shown)["mcpServers"].values()
    ours = server_entry()
    assert theirs.keys() == ours.keys()
    assert [Path(each).name for each in theirs["args"]] == [Path(each).name for each in ours["args"]]


def test_the_version_is_told_once() -> None:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == VERSION


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_hashes_and_no_host(lock: str) -> None:
    text = (PROJECT / lock).read_text(encoding="utf-8")

    assert "://" not in text
    assert text.count("==") > 100
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z0-9])", text.strip(), flags=re.IGNORECASE))


def parts_of(shown: str) -> list[list[str]]:
    """Return what is shown between the lines that stand for others."""
    return [part.strip("\n").split("\n") for part in re.split(r"^\.\.\.$", shown, flags=re.MULTILINE) if part.strip()]


def test_every_command_of_the_tutorial_prints_what_is_shown() -> None:
    steps = re.findall(r"```console\n\$ main\.py (.+?)\n(.+?)\n```", README, re.DOTALL)
    assert len(steps) >= 4
    run_id = ""

    with reachable_folder() as folder:
        environment = os.environ | {"BACKTEST_DATA_DIR": str(folder / "home"), "BACKTEST_ENV_FILE": ""}
        for command, shown in steps:
            asked = [sys.executable, "main.py", *command.replace("bt-...", run_id).split()]
            done = subprocess.run(asked, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            run_id = (RUN_ID.findall(done.stdout) or [run_id])[-1]
            told, at = DAY_OF_IMPORT.sub("", RUN_ID.sub("bt-", done.stdout)), 0
            for part in parts_of(DAY_OF_IMPORT.sub("", RUN_ID.sub("bt-", shown))):
                found = told.find("\n".join(part), at)
                assert found >= 0, f"{command}: {part} is not in\n{told[at:]}"
                at = found + 1


@pytest.mark.parametrize("name", ["equity", "monthly"])
def test_the_pictures_of_the_readme_are_those_that_are_drawn(name: ChartKind) -> None:
    kept = PICTURES / f"{name}.png"
    assert f"({kept.relative_to(PROJECT).as_posix()})" in README and kept.stat().st_size < SIXTY_KB

    run = completed(desk_of_ibm(), parameters={"position_size": 0.95})
    shown, drawn = (
        np.asarray(Image.open(each).convert("L"), float) for each in (kept, io.BytesIO(render(name, run, "light")))
    )

    assert shown.shape == drawn.shape
    assert np.abs(shown - drawn).mean() < LARGEST_DIFFERENCE, "the picture shows what is not drawn any more"
