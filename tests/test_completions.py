"""What is offered while a person fills in a prompt or the address of a resource, as an MCP client sees it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from backtesting.errors import DatabaseUnavailableError
from backtesting.metrics import KEYS
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import BacktestRequest, Run, RunStatus, Timeframe
from database.stores import Stores
from mcp_server.server import build_server
from mcp_server.services import Services
from tests.fixtures.postgres import Database, copy_of
from tests.fixtures.services import services_on

REGISTRY = StrategyRegistry(STRATEGIES)
IBM: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2001-01-02",
    "end_date": "2002-12-31",
    "initial_capital": 100_000,
    "parameters": {},
}
# what only the person who asks can know
FREE = {"idea", "path", "offset"}
OFFERED = {"strategy_id", "symbol", "backtest_id", "metric", "timeframe"}
COMPARE = PromptReference(type="ref/prompt", name="compare_strategies")
FIRST = PromptReference(type="ref/prompt", name="first_backtest")
RUN = ResourceTemplateReference(type="ref/resource", uri="backtest://{backtest_id}")
STRATEGY = ResourceTemplateReference(type="ref/resource", uri="strategies://{strategy_id}")
eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


@pytest.fixture(scope="module")
def stores(template: Database) -> Iterator[Stores]:
    stores = copy_of(template).stores()
    yield stores
    stores.close()


@asynccontextmanager
async def connected(stores: Stores, mode: Any = "auto") -> AsyncIterator[Client]:
    services = services_on(stores, REGISTRY)
    async with Client(build_server(REGISTRY, lambda: services), mode=mode) as client:
        yield client


async def offered(client: Client, reference: Any, name: str, typed: str = "") -> list[str]:
    return (await client.complete(reference, {"name": name, "value": typed})).completion.values


async def test_every_argument_of_a_prompt_or_an_address_is_completed_or_free(stores: Stores) -> None:
    async with connected(stores) as client:
        prompts = (await client.list_prompts()).prompts
        templates = (await client.list_resource_templates()).resource_templates
    arguments = {argument.name for prompt in prompts for argument in prompt.arguments or ()}
    variables = {name for each in templates for name in variables_of(each.uri_template)}

    assert arguments | variables == OFFERED | FREE


def variables_of(template: str) -> list[str]:
    return [part.partition("}")[0].lstrip("?") for part in template.split("{")[1:]]


@eras
async def test_the_server_says_that_it_completes(stores: Stores, mode: str) -> None:
    async with connected(stores, mode) as client:
        assert client.server_capabilities.completions is not None


@eras
async def test_names_that_begin_with_the_text_come_before_those_that_hold_it(stores: Stores, mode: str) -> None:
    async with connected(stores, mode) as client:
        assert await offered(client, FIRST, "strategy_id", "bo") == ["bollinger_reversion", "bollinger_breakout"]
        assert await offered(client, STRATEGY, "strategy_id", "MA") == ["macd", "sma_crossover", "ema_crossover"]
        assert await offered(client, FIRST, "timeframe", "1") == ["1m", "15m", "1h", "1d", "1w"]
        assert (await offered(client, COMPARE, "metric", "sharpe"))[0] == "sharpe_ratio"
        assert await offered(client, COMPARE, "metric", "nothing is called this") == []


@eras
async def test_without_a_text_all_there_is_is_offered(stores: Stores, mode: str) -> None:
    async with connected(stores, mode) as client:
        assert await offered(client, STRATEGY, "strategy_id") == list(REGISTRY.ids())
        assert await offered(client, FIRST, "timeframe") == [each.value for each in Timeframe]
        assert await offered(client, COMPARE, "metric") == list(KEYS)
        assert await offered(client, COMPARE, "symbol") == ["AAPL", "IBM", "MSFT"]


async def test_a_symbol_is_found_by_its_name_too(stores: Stores) -> None:
    async with connected(stores) as client:
        assert await offered(client, FIRST, "symbol", "i") == ["IBM", "MSFT"], "Microsoft holds an i too"
        assert await offered(client, FIRST, "symbol", "microsoft") == ["MSFT"]
        assert await offered(client, FIRST, "symbol", "\x00" * 70 + "ibm") == ["IBM"]
        assert await offered(client, FIRST, "symbol", "%") == []


@eras
async def test_runs_are_offered_newest_first_by_any_part_of_their_id(stores: Stores, mode: str) -> None:
    async with connected(stores, mode) as client:
        older, newer = [
            ((await client.call_tool("run_backtest", IBM | {"rerun": True})).structured_content or {})["backtest_id"]
            for _ in range(2)
        ]
        ids = await offered(client, RUN, "backtest_id")

        assert ids[:2] == [newer, older]
        assert await offered(client, RUN, "backtest_id", older[:9]) == [older]
        assert await offered(client, RUN, "backtest_id", older[5:].upper()) == [older]
        assert await offered(client, RUN, "backtest_id", "bt_") == [], "an underscore is no joker"


async def test_at_most_a_hundred_runs_are_offered_and_the_rest_is_counted(template: Database) -> None:
    stores = copy_of(template).stores()
    for number in range(105):
        request, now = BacktestRequest.model_validate(IBM), datetime.now(UTC)
        stores.runs.add(Run(f"bt-{number:012x}", RunStatus.FAILED, request, now, now, error="it was meant to"), None)

    async with connected(stores) as client:
        found = (await client.complete(RUN, {"name": "backtest_id", "value": ""})).completion
    stores.close()

    assert (len(found.values), found.total, found.has_more) == (100, 105, True)


async def test_an_argument_nobody_can_know_gets_no_offer(stores: Stores) -> None:
    research = PromptReference(type="ref/prompt", name="research_session")

    async with connected(stores) as client:
        assert await offered(client, research, "idea", "mo") == []


@eras
async def test_a_database_out_of_reach_is_told(mode: str) -> None:
    def out_of_reach() -> Services:
        raise DatabaseUnavailableError("DATABASE_URL: nobody answers there")

    async with Client(build_server(REGISTRY, out_of_reach), mode=mode) as client:
        assert await offered(client, STRATEGY, "strategy_id", "macd") == ["macd"]
        with pytest.raises(MCPError, match="nobody answers there"):
            await offered(client, RUN, "backtest_id")
