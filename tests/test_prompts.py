"""Prompts and guides as an MCP client sees them; neither needs a database."""

import re
from typing import Any

import pytest
from mcp import Client, MCPError

from backtesting.judgement import JUDGED
from backtesting.metrics import METRICS
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from mcp_server.server import build_server
from mcp_server.services import Services

PROMPTS = {
    "first_backtest": {"symbol": "AAPL", "strategy_id": "rsi", "timeframe": "1h"},
    "research_session": {"symbol": "AAPL", "idea": "momentum lasts"},
    "is_it_overfit": {"backtest_id": "bt-0123456789ab"},
    "compare_strategies": {"symbol": "AAPL", "timeframe": "1h", "metric": "sortino_ratio"},
    "import_my_data": {"path": "prices.csv"},
}
eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


def client(mode: str) -> Client:
    def no_database() -> Services:
        raise AssertionError("nothing here needs the database")

    return Client(build_server(StrategyRegistry(STRATEGIES), no_database), mode=mode)


def text_of(prompt: Any) -> str:
    return "\n".join(message.content.text for message in prompt.messages)


@eras
async def test_every_prompt_is_listed_with_a_title_and_a_description(mode: str) -> None:
    async with client(mode) as connected:
        listed = (await connected.list_prompts()).prompts

    assert [each.name for each in listed] == list(PROMPTS)
    assert all(each.title and each.description for each in listed)


@eras
@pytest.mark.parametrize("name", PROMPTS)
async def test_a_prompt_carries_its_arguments(mode: str, name: str) -> None:
    async with client(mode) as connected:
        text = text_of(await connected.get_prompt(name, PROMPTS[name]))

    assert all(argument in text for argument in PROMPTS[name].values())


@eras
@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [("is_it_overfit", {}, "backtest_id"), ("is_it_fun", {}, "Unknown prompt: is_it_fun")],
)
async def test_a_prompt_that_cannot_be_given_is_an_error_with_the_reason(
    mode: str, name: str, arguments: dict[str, str], words: str
) -> None:
    async with client(mode) as connected:
        with pytest.raises(MCPError) as refused:
            await connected.get_prompt(name, arguments)

    assert refused.value.error.code == -32602
    assert words in refused.value.error.message


async def test_prompts_speak_of_tools_and_metrics_that_exist() -> None:
    async with client("auto") as connected:
        tools = {tool.name for tool in (await connected.list_tools()).tools}
        texts = [text_of(await connected.get_prompt(name, arguments)) for name, arguments in PROMPTS.items()]

    known = tools | {metric.key for metric in METRICS} | {"sma_crossover", "dry_run", "backtest_id"} | set(LATER)
    named = {word for text in texts for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)}
    assert named <= known, named - known


LATER = ("import_market_data", "get_market_data")


@eras
async def test_guides_can_be_read_and_the_one_on_metrics_defines_them_all(mode: str) -> None:
    async with client(mode) as connected:
        uris = {str(each.uri) for each in (await connected.list_resources()).resources}
        texts = {uri: (await connected.read_resource(uri)).contents[0].text for uri in uris if uri.startswith("guide:")}

    assert set(texts) == {"guide://reading-results", "guide://rules", "guide://metrics"}
    assert all(f"`{metric.key}` ({metric.unit}): {metric.definition}" in texts["guide://metrics"] for metric in METRICS)
    assert all(f"`{name}`" in texts[f"guide://{guide}"] for name in JUDGED for guide in ("metrics", "reading-results"))
