"""Eight clients at once, with bad requests among good ones: every answer is the one the request gets alone."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psutil
import pytest
from mcp import Client
from mcp.types import CallToolResult

from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import RunFilter, RunStatus
from database.stores import Stores
from mcp_server.server import build_server
from tests.fixtures.postgres import Database
from tests.fixtures.services import services_on

REGISTRY = StrategyRegistry(STRATEGIES)
CLIENTS, REQUESTS = 8, 200
MOST_GROWTH = 150_000_000  # bytes; an unbounded queue or cache of 200 results would show
VARYING = re.compile(r"bt-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z|\+00:00)?")
RUN: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2001-01-02",
    "end_date": "2012-12-31",
    "initial_capital": 100_000,
    "parameters": {},
    "rerun": True,
}
Request = tuple[str, dict[str, Any]]
RUNS: list[Request] = [
    ("run_backtest", RUN),
    ("run_backtest", RUN | {"parameters": {"fast_period": 10}, "stop_loss": 0.1}),
    ("run_backtest", RUN | {"strategy_id": "rsi", "asset_symbol": "MSFT"}),
    ("run_backtest", RUN | {"strategy_id": "supertrend", "asset_symbol": "AAPL", "costs": "zero"}),
    ("run_backtest", RUN | {"strategy_id": "macd", "fill": "next_close", "direction": "both"}),
    ("run_backtest", RUN | {"strategy_id": "buy_and_hold", "sizing": {"method": "fixed_cash", "amount": 5000}}),
]
READ: list[Request] = [
    ("list_strategies", {}),
    ("list_strategies", {"strategy_id": "rsi"}),
    ("list_assets", {}),
    ("get_market_data", {"symbol": "IBM"}),
    ("validate_strategy", {"strategy_config": {"strategy_id": "rsi", "parameters": {"period": 9}}}),
]
BAD: list[Request] = [
    ("run_backtest", RUN | {"asset_symbol": "IBMM"}),
    ("run_backtest", RUN | {"parameters": {"fast_period": -1}}),
    ("run_backtest", RUN | {"end_date": "1999-01-01"}),
    ("run_backtest", RUN | {"strategy_id": "rs1"}),
    ("get_backtest_results", {"backtest_id": "bt-000000000000"}),
    ("get_metrics", {"backtest_id": "1; drop table app.jobs"}),
    ("cancel_backtest", {"backtest_id": "bt-000000000000"}),
    ("run_batch", {"strategy_id": "rsi", "symbols": [], "parameters": [{}]}),
]
KINDS = (*RUNS, *READ, *BAD)


@pytest.fixture
def stores(database: Database) -> Iterator[Stores]:
    stores = database.stores()
    yield stores
    stores.close()


@asynccontextmanager
async def clients_of(stores: Stores) -> AsyncIterator[list[Client]]:
    services = services_on(stores, REGISTRY)
    server = build_server(REGISTRY, lambda: services, toolset="all")
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Client(server)) for _ in range(CLIENTS)]
        services.runner.close()


def told(answer: CallToolResult) -> str:
    """Return all that an answer says but for ids and times, which differ from call to call."""
    text = [block.text for block in answer.content if block.type == "text"]
    return VARYING.sub("", json.dumps([answer.is_error, answer.structured_content, text], sort_keys=True))


async def test_two_hundred_mixed_requests_of_eight_clients_are_answered_as_each_is_alone(stores: Stores) -> None:
    rng = random.Random(7)  # noqa: S311 - the order of requests
    asked = [KINDS[number % len(KINDS)] for number in range(REQUESTS)]
    rng.shuffle(asked)
    async with clients_of(stores) as clients:
        for _ in range(2):  # the first time counts as a trial, which later answers tell
            alone = [told(await clients[0].call_tool(*each)) for each in KINDS]
        before = psutil.Process().memory_info().rss

        async def ask(client: Client, mine: list[Request]) -> list[tuple[Request, CallToolResult]]:
            return [(each, await client.call_tool(*each)) for each in mine]

        parts = await asyncio.gather(*(ask(client, asked[place::CLIENTS]) for place, client in enumerate(clients)))
        grown = psutil.Process().memory_info().rss - before
        answered = [each for part in parts for each in part]
        ids = [
            (answer.structured_content or {})["backtest_id"]
            for request, answer in answered
            if request in RUNS and not answer.is_error
        ]
        read = [await clients[0].call_tool("get_backtest_results", {"backtest_id": each}) for each in ids]

    expected = dict(zip(map(json.dumps, KINDS), alone, strict=True))
    wrong = [request for request, answer in answered if told(answer) != expected[json.dumps(request)]]
    assert len(answered) == REQUESTS and wrong == []
    assert all(answer.is_error == (request in BAD) for request, answer in answered)
    assert len(set(ids)) == sum(request in RUNS for request in asked), "every run has an id of its own"
    assert not any(answer.is_error for answer in read), "and is found by it"
    stored = stores.runs.find(RunFilter(status=RunStatus.COMPLETED, limit=1)).total
    assert stored == len(ids) + 2 * len(RUNS)
    assert grown < MOST_GROWTH
