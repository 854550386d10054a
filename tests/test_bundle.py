"""The one-click bundle: packed, unpacked, and started the way a client starts it."""

import json
import os
import shlex
import subprocess
import zipfile
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from backtesting import VERSION
from tests.fixtures.node import BUNDLER, environment, program
from tests.fixtures.postgres import reachable_folder

PROJECT = Path(__file__).resolve().parent.parent
MANIFEST = json.loads((PROJECT / "config/bundle/manifest.json").read_text(encoding="utf-8"))


def test_the_manifest_speaks_of_this_version() -> None:
    assert MANIFEST["version"] == VERSION


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The folder a client unpacks the bundle into."""
    packed, packer = tmp_path / "backtesting.mcpb", shlex.join(program(*BUNDLER))
    subprocess.run(
        [str(PROJECT / ".ci/bundle"), str(packed)],
        check=True,
        capture_output=True,
        env=environment() | {"MCPB": packer},
    )
    zipfile.ZipFile(packed).extractall(tmp_path / "installed")
    return tmp_path / "installed"


async def test_a_client_started_from_the_unpacked_bundle_runs_a_backtest(installed: Path) -> None:
    with reachable_folder() as folder:
        chosen = {"${__dirname}": str(installed), "${user_config.data_dir}": str(folder / "home")}
        started = MANIFEST["server"]["mcp_config"]
        server = StdioServerParameters(
            command=started["command"],
            args=[filled(each, chosen) for each in started["args"]],
            env=os.environ | {name: filled(each, chosen) for name, each in started["env"].items()},
            cwd="/",
        )
        async with Client(server, read_timeout_seconds=120) as client:
            run = await client.call_tool(
                "run_backtest",
                {
                    "strategy_id": "sma_crossover",
                    "asset_symbol": "IBM",
                    "start_date": "2001-01-02",
                    "end_date": "2002-12-31",
                    "initial_capital": 1000.0,
                    "parameters": {},
                },
            )

    assert not run.is_error


def filled(text: str, chosen: dict[str, str]) -> str:
    """Put the user's choices in, and nothing where the user left a field empty."""
    for name, value in chosen.items():
        text = text.replace(name, value)
    return "" if text.startswith("${user_config.") else text
