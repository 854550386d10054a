"""The official conformance suite on this server, in both protocol eras.

The suite tests SDKs over HTTP: most of its scenarios call fixtures by name. `fixtures/conformance.json` says of each
scenario why it does not concern a server like this one; every other one passes, and a new one has to be judged.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from threading import Thread
from typing import Any

import pytest
import uvicorn

from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from mcp_server.server import build_server
from tests.fixtures.node import CONFORMANCE, environment, program

JUDGED = json.loads((Path(__file__).parent / "fixtures" / "conformance.json").read_text(encoding="utf-8"))
VALID = "wire-schema-valid"  # every message of a scenario, whatever else it checks
FOLDER = re.compile(r"^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$")
Checks = dict[str, dict[str, str]]
eras = pytest.mark.parametrize("era", JUDGED)


@contextmanager
def over_http() -> Iterator[str]:
    """The server that otherwise speaks stdio, on a free port of this machine."""
    app = build_server(StrategyRegistry(STRATEGIES), lambda: pytest.fail("not needed")).streamable_http_app()
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", ws="none"))
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checks]:
    """What the suite found: era, scenario, check and its status."""
    suite = program(*CONFORMANCE)
    with over_http() as url:
        return {era: found(suite, url, era, tmp_path_factory.mktemp(era)) for era in JUDGED}


def found(suite: list[str], url: str, era: str, folder: Path) -> Checks:
    asked = [*suite, "server", "--url", url, "--requirements", era, "--output-dir", str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment())
    assert "=== SUMMARY ===" in done.stdout, done.stderr
    told: Checks = {}
    for file in folder.glob("*/checks.json"):
        told[FOLDER.sub(r"\1", file.parent.name)] = {
            each["id"]: each["status"] for each in json.loads(file.read_text(encoding="utf-8"))
        }
    return told


@eras
def test_every_scenario_of_the_suite_is_judged(outcomes: dict[str, Checks], era: str) -> None:
    judged: Any = JUDGED[era]

    assert set(outcomes[era]) == {*judged["applicable"], *judged["inapplicable"], *judged["empty"]}


@eras
def test_every_applicable_scenario_passes(outcomes: dict[str, Checks], era: str) -> None:
    for scenario in JUDGED[era]["applicable"]:
        checks = outcomes[era][scenario]
        assert {each for each in checks if checks[each] == "FAILURE"} <= set(JUDGED[era].get("exempt", ())), scenario
        assert any(status == "SUCCESS" for each, status in checks.items() if each != VALID), scenario


@eras
def test_what_is_held_to_be_inapplicable_still_is(outcomes: dict[str, Checks], era: str) -> None:
    judged = JUDGED[era]
    failures = {(name, each) for name, told in outcomes[era].items() for each in told if told[each] == "FAILURE"}

    assert {name for name, _ in failures if name not in judged["applicable"]} == set(judged["inapplicable"])
    assert {each for name, each in failures if name in judged["applicable"]} == set(judged.get("exempt", ()))


@eras
def test_every_message_of_every_scenario_is_valid_by_the_schema_of_its_era(
    outcomes: dict[str, Checks], era: str
) -> None:
    seen = [told[VALID] for told in outcomes[era].values() if VALID in told]

    assert set(seen) == {"SUCCESS"} and len(seen) > len(outcomes[era]) / 2
