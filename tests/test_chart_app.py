"""The interactive chart as a host of MCP Apps renders it: in a real browser, with answers of the real server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import jsonschema
import pytest
from mcp import Client
from mcp.client import advertise
from mcp.types import CallToolResult

from backtesting.errors import BacktestError
from backtesting.reporting.html import CURVES
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from database.stores import Stores
from mcp_server.server import build_server
from tests.fixtures.browser import browse, in_a_browser
from tests.fixtures.node import FOLDER
from tests.fixtures.postgres import Database, copy_of
from tests.fixtures.services import services_on

URI = "ui://backtest/chart.html"
APPS = advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})
HOST = Template((Path(__file__).parent / "fixtures" / "app_host.html").read_text(encoding="utf-8"))
SCHEMA = FOLDER / "node_modules" / "@modelcontextprotocol" / "ext-apps" / "dist" / "src" / "generated" / "schema.json"
IBM: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2001-01-02",
    "end_date": "2012-12-31",
    "initial_capital": 100_000,
    "parameters": {"position_size": 0.95},
}
# one process, for virtual time passes in one only
WINDOW = ("--window-size=800,900", "--disable-features=IsolateSandboxedIframes")
OURS = "can escape its sandboxing"  # that we look into the frame, and say so
TWENTY_KB = 20_000
Answers = dict[str, dict[str, Any]]
eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


@pytest.fixture(scope="module")
def stores(template: Database) -> Iterator[Stores]:
    stores = copy_of(template).stores()
    yield stores
    stores.close()


@asynccontextmanager
async def connected(stores: Stores, mode: Any = "auto", *, renders: bool = True) -> AsyncIterator[Client]:
    registry = StrategyRegistry(STRATEGIES)
    services = services_on(stores, registry)
    server = build_server(registry, lambda: services)
    async with Client(server, mode=mode, extensions=[APPS] if renders else []) as client:
        yield client


def on_the_wire(result: CallToolResult) -> dict[str, Any]:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


@eras
async def test_the_tools_that_draw_name_the_page_and_it_is_served_as_an_app(stores: Stores, mode: str) -> None:
    async with connected(stores, mode) as client:
        tools = (await client.list_tools()).tools
        (page,) = (await client.read_resource(URI)).contents
        (listed,) = [each for each in (await client.list_resources()).resources if str(each.uri) == URI]

    named = {tool.name for tool in tools if (tool.meta or {}).get("ui") == {"resourceUri": URI}}
    assert named == {"run_backtest", "plot_backtest"}
    assert page.mime_type == listed.mime_type == "text/html;profile=mcp-app"
    assert (listed.meta or {})["ui"]["csp"] == {"connectDomains": [], "resourceDomains": []}
    assert page.text.startswith("<!doctype html>") and len(page.text) < 100_000  # type: ignore[union-attr]


@eras
async def test_a_host_that_renders_the_page_gets_the_curves_and_any_other_the_same_answer_without(
    stores: Stores, mode: str
) -> None:
    async with connected(stores, mode) as rich, connected(stores, mode, renders=False) as plain:
        run = await rich.call_tool("run_backtest", IBM)
        asked = {"backtest_id": (run.structured_content or {})["backtest_id"]}
        drawn, price = [await rich.call_tool("plot_backtest", asked | more) for more in ({}, {"kind": "price"})]
        same, picture = await plain.call_tool("run_backtest", IBM), await plain.call_tool("plot_backtest", asked)

    assert CURVES not in (same.meta or {}) and CURVES not in (picture.meta or {}) and CURVES not in (price.meta or {})
    assert (run.content, run.structured_content) == (same.content, same.structured_content)
    curves = (run.meta or {})[CURVES]
    assert curves == (drawn.meta or {})[CURVES] and len(json.dumps(curves)) < TWENTY_KB
    (shown,) = curves["runs"]
    equity = run.structured_content["metrics"]["final_capital"]  # type: ignore[index]
    assert shown["equity"][-1] == pytest.approx(equity, rel=1e-6)
    assert min(shown["drawdown"]) == pytest.approx(run.structured_content["metrics"]["max_drawdown"], rel=1e-6)  # type: ignore[index]


async def test_a_run_whose_curves_fail_is_told_all_the_same(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> None:
        raise BacktestError("the curves are gone")

    async with connected(stores) as client:
        monkeypatch.setattr("backtesting.reports.chart_of", failing)
        run = await client.call_tool("run_backtest", IBM)

    assert not run.is_error and CURVES not in (run.meta or {})


@dataclass(frozen=True)
class Session:
    """What a host heard from the page, and what the page showed at the end."""

    heard: list[dict[str, Any]]
    inside: dict[str, Any]
    complaints: str

    def said(self, method: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message.get("method") == method]


@pytest.fixture(scope="module")
def page(stores: Stores) -> str:
    async def read() -> str:
        async with connected(stores) as client:
            return str((await client.read_resource(URI)).contents[0].text)  # type: ignore[union-attr]

    return asyncio.run(read())


@pytest.fixture(scope="module")
def answers(stores: Stores) -> Answers:
    """Answers of the server, as they are on the wire."""

    async def ask() -> Answers:
        async with connected(stores) as client:
            run = await client.call_tool("run_backtest", IBM)
            asked = {"backtest_id": (run.structured_content or {})["backtest_id"]}
            plot = await client.call_tool("plot_backtest", asked)
            price = await client.call_tool("plot_backtest", asked | {"kind": "price"})
            refused = await client.call_tool("run_backtest", IBM | {"strategy_id": "<b>sma</b>"})
        answers = {"run": run, "plot": plot, "price": price, "refused": refused}
        return {name: on_the_wire(each) for name, each in answers.items()}

    return asyncio.run(ask())


def host(page: str, folder: Path, result: dict[str, Any], **more: Any) -> Session:
    """Let a host in a browser render the page for the result of a call."""
    strict = more.pop("strict", False)
    told = {
        "page": page,
        "result": result,
        "arguments": IBM,
        "theme": "light",
        "capabilities": {},
        "answers": {},
    } | more
    text = json.dumps(told).replace("<", "\\u003c")
    sandbox = "allow-scripts" if strict else "allow-scripts allow-same-origin"
    document, complaints = browse(HOST.substitute(told=text, sandbox=sandbox), folder, *WINDOW)
    heard, inside = (
        json.loads(document.split(f'<script type="application/json" id="{name}">')[1].split("</script>")[0])
        for name in ("heard", "inside")
    )
    return Session(heard, inside, "\n".join(each for each in complaints.splitlines() if OURS not in each))


@in_a_browser
def test_the_page_draws_both_curves_of_a_run_and_fits_its_frame(page: str, answers: Answers, tmp_path: Path) -> None:
    session = host(page, tmp_path, answers["run"])

    assert session.complaints == ""
    assert session.inside["drawn"] == "2" and len(session.inside["canvases"]) == 2
    assert all(600 < width <= 800 and height > 100 for width, height in session.inside["canvases"])
    assert session.inside["title"] == answers["run"]["_meta"][CURVES]["title"]
    assert session.inside["verdict"].startswith(answers["run"]["structuredContent"]["verdict"])
    assert [each for each in session.inside["legend"] if each != "UTC"] == ["strategy", "buy and hold"] * 2
    assert not session.inside["scrolls"]
    assert session.said("ui/notifications/size-changed")[-1]["params"]["height"] > 500


@in_a_browser
def test_the_page_works_in_the_sealed_sandbox_of_a_real_host(page: str, answers: Answers, tmp_path: Path) -> None:
    session = host(page, tmp_path, answers["run"], strict=True)

    assert session.complaints == "" and session.inside == {}
    assert {"jsonrpc": "2.0", "id": 77, "result": {}} in session.heard, "a ping is answered"
    assert session.said("ui/notifications/size-changed")[-1]["params"]["height"] > 500


@in_a_browser
@pytest.mark.skipif(not SCHEMA.exists(), reason="@modelcontextprotocol/ext-apps is not installed below tests/node")
def test_what_the_page_says_is_valid_by_the_published_schema(page: str, answers: Answers, tmp_path: Path) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    kinds = {
        "ui/initialize": "McpUiInitializeRequest",
        "ui/notifications/initialized": "McpUiInitializedNotification",
        "ui/notifications/size-changed": "McpUiSizeChangedNotification",
    }

    session = host(page, tmp_path, answers["run"])

    said = [message for message in session.heard if "method" in message]
    assert {message["method"] for message in said} == set(kinds)
    for message in said:
        body = {"method": message["method"]} | ({"params": message["params"]} if "params" in message else {})
        jsonschema.validate(body, schema | {"$ref": f"#/$defs/{kinds[message['method']]}"})


@in_a_browser
@pytest.mark.parametrize(("theme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 24, 29)")])
def test_the_page_follows_the_theme_of_its_host(
    page: str, answers: Answers, tmp_path: Path, theme: str, background: str
) -> None:
    session = host(page, tmp_path, answers["plot"], theme=theme)

    assert session.inside["background"] == background and session.inside["drawn"] == "2"


@in_a_browser
def test_an_answer_without_curves_is_shown_as_its_picture_or_its_words(
    page: str, answers: Answers, tmp_path: Path
) -> None:
    price = host(page, tmp_path, answers["price"])
    refused = host(page, tmp_path, answers["refused"], capabilities={"serverTools": {}})

    words = answers["price"]["content"][1]["text"]
    assert price.inside["picture"] == [800, words] and price.inside["words"] == words
    assert refused.inside["words"] == answers["refused"]["content"][0]["text"] and "<b>" in refused.inside["words"]
    assert refused.inside["drawn"] is None and not refused.said("tools/call")


@in_a_browser
def test_a_host_that_drops_the_curves_is_asked_to_draw_the_run(page: str, answers: Answers, tmp_path: Path) -> None:
    bare = {"content": answers["run"]["content"]}
    able = {"serverTools": {}}

    drawn = host(page, tmp_path, bare, capabilities=able, answers={"plot_backtest": answers["plot"]})
    failed = host(page, tmp_path, bare, capabilities=able)
    unable = host(page, tmp_path, bare)

    (call,) = drawn.said("tools/call")
    backtest_id = answers["run"]["structuredContent"]["backtest_id"]
    assert call["params"] == {"name": "plot_backtest", "arguments": {"backtest_id": backtest_id}}
    assert drawn.inside["drawn"] == "2" and drawn.inside["words"] is None
    assert failed.inside["words"] == unable.inside["words"] == bare["content"][0]["text"]
    assert failed.said("tools/call") and not unable.said("tools/call")
