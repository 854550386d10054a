"""What people ask for, and the call that answers it: `fixtures/requests.json` holds requests in their words.

A model chooses a tool by its name and description. So each request has to be nearer to its tool than to any other, by
the words alone; and its call has to be one that the tool takes and answers.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import Client
from mcp.types import Tool

from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from database.stores import Stores
from mcp_server.server import build_server
from tests.fixtures.postgres import Database, copy_of
from tests.fixtures.services import services_on

REQUESTS = json.loads((Path(__file__).parent / "fixtures" / "requests.json").read_text(encoding="utf-8"))
REGISTRY = StrategyRegistry(STRATEGIES)
SILENT = set(
    "a an and are as at be by did do does each for from had has have how i if in is it its me my no not of on one or "
    "our so some than that the them then there these this to too under was were what when where which who why will "
    "with would you your".split()
)
# of BM25, as Robertson and Zaragoza give them (The Probabilistic Relevance Framework, 2009)
SATURATION, LENGTH = 1.2, 0.75
PRICES = "date,open,high,low,close,volume\n2024-01-02,10,11,9,10.5,100\n2024-01-03,10.5,12,10,11,150\n"


async def listed() -> list[Tool]:
    async with Client(build_server(REGISTRY, lambda: pytest.fail("not needed"))) as client:
        return (await client.list_tools()).tools


@pytest.fixture(scope="module")
def stores(template: Database) -> Iterator[Stores]:
    stores = copy_of(template).stores()
    yield stores
    stores.close()


def words(text: str) -> list[str]:
    """Return the words that mean something, without their endings."""
    found = re.findall(r"[a-z]+", text.lower().replace("'s", ""))
    return [re.sub(r"(?<=[a-z]{3})(ing|ed|es|e|s)$", "", word) for word in found if word not in SILENT]


def described(tool: Tool) -> list[str]:
    """Return the words of a tool's name, title and description, and of its arguments."""
    said = [tool.name.replace("_", " "), tool.title or "", tool.description or ""]
    for name, schema in tool.input_schema["properties"].items():
        said += [name.replace("_", " "), schema.get("description", "")]
        said += [str(each).replace("_", " ") for each in schema.get("enum", ())]
    return words(" ".join(said))


def nearness(request: str, tools: list[Tool]) -> dict[str, float]:
    """Return how near each tool's words are to the request's, by BM25."""
    texts = {tool.name: Counter(described(tool)) for tool in tools}
    usual = sum(map(Counter.total, texts.values())) / len(texts)
    holding = Counter(word for text in texts.values() for word in text)

    def score(text: Counter[str]) -> float:
        damping = SATURATION * (1 - LENGTH + LENGTH * text.total() / usual)
        return sum(
            log(1 + (len(texts) - holding[word] + 0.5) / (holding[word] + 0.5))
            * text[word] * (SATURATION + 1) / (text[word] + damping)
            for word in set(words(request))
        )  # fmt: skip

    return {name: score(text) for name, text in texts.items()}


async def test_there_is_a_request_for_every_tool() -> None:
    assert {tool.name for tool in await listed()} == {each["tool"] for each in REQUESTS}
    assert len(REQUESTS) >= 25


async def test_the_instructions_name_only_tools_that_every_client_is_shown() -> None:
    server = build_server(REGISTRY, lambda: pytest.fail("not needed"), toolset="standard")

    async with Client(server) as client:
        shown, named = (
            (await client.list_tools()).tools,
            set(re.findall(r"[a-z]+(?:_[a-z]+)+", client.instructions or "")),
        )

    assert named - {"backtest_id"} <= {tool.name for tool in shown}


@pytest.mark.parametrize("asked", REQUESTS, ids=lambda asked: asked["request"])
async def test_a_request_is_nearer_to_its_tool_than_to_any_other(asked: dict[str, Any]) -> None:
    near = nearness(asked["request"], await listed())

    first, second = sorted(near, key=lambda name: -near[name])[:2]
    assert first == asked["tool"] and near[first] > near[second], {
        name: round(near[name], 1) for name in (first, second)
    }


async def test_the_call_of_each_request_is_taken_and_answered(stores: Stores, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(PRICES, encoding="utf-8")
    services = services_on(stores, REGISTRY, tmp_path, reports=tmp_path)
    schemas = {tool.name: tool.input_schema for tool in await listed()}
    first, batch = REQUESTS[0], next(each for each in REQUESTS if each["tool"] == "run_batch")

    async with Client(build_server(REGISTRY, lambda: services)) as client:

        async def handle(asked: dict[str, Any], **more: Any) -> str:
            made = await client.call_tool(asked["tool"], asked["arguments"] | more)
            return str((made.structured_content or {})["backtest_id"])

        known = {"$run": await handle(first), "$other": await handle(first, strategy_id="macd", parameters={})}
        known |= {"$job": await handle(batch), "$file": str(file)}
        for asked in REQUESTS:
            arguments = filled(asked["arguments"], known)
            jsonschema.validate(arguments, schemas[asked["tool"]])
            result = await client.call_tool(asked["tool"], arguments)
            assert not result.is_error, (asked["request"], result.content)


def filled(value: Any, known: dict[str, str]) -> Any:
    """Put what only this session knows in the place of its name."""
    if isinstance(value, dict):
        return {name: filled(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, known) for each in value]
    return known.get(value, value) if isinstance(value, str) else value
