"""By default an answer is below four thousand bytes as the wire carries it, text and structure together."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from mcp import Client
from mcp.types import CallToolResult

from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from database.stores import Stores
from mcp_server.schemas.backtests import Section
from mcp_server.server import build_server
from tests.fixtures.postgres import Database, copy_of
from tests.fixtures.services import services_on

FOUR_KB = 4000
REGISTRY = StrategyRegistry(STRATEGIES)
SPAN = {"start_date": "2000-03-01", "end_date": "2013-03-01", "initial_capital": 100_000}
PERIODS = (("2000-03-01", "2013-03-01"), ("2005-01-03", "2007-01-05"), ("2010-01-04", "2010-06-30"))


@pytest.fixture(scope="module")
def stores(template: Database) -> Iterator[Stores]:
    stores = copy_of(template).stores()
    yield stores
    stores.close()


@pytest.fixture
async def client(stores: Stores, tmp_path: Path) -> AsyncIterator[Client]:
    services = services_on(stores, REGISTRY, tmp_path, reports=tmp_path)
    ready, done = asyncio.Future[Client](), asyncio.Event()

    async def hold() -> None:
        # a client has to be left in the task that entered it, and pytest-asyncio ends a fixture in another one
        async with Client(build_server(REGISTRY, lambda: services)) as client:
            ready.set_result(client)
            await done.wait()

    holding = asyncio.create_task(hold())
    yield await ready
    done.set()
    await holding


def asked(strategy_id: str, symbol: str, period: tuple[str, str], **parameters: Any) -> dict[str, Any]:
    return {
        "strategy_id": strategy_id,
        "asset_symbol": symbol,
        "start_date": period[0],
        "end_date": period[1],
        "initial_capital": 100_000,
        "parameters": parameters,
    }


def size(result: CallToolResult) -> int:
    """Return how many bytes of JSON the result is, but for its pictures."""
    words = [block for block in result.content if block.type != "image"]
    return len(result.model_copy(update={"content": words}).model_dump_json(by_alias=True, exclude_none=True).encode())


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


def told(result: CallToolResult) -> dict[str, Any]:
    assert result.structured_content is not None, text_of(result)
    return result.structured_content


@pytest.mark.parametrize("symbol", ["IBM", "AAPL", "MSFT"])
async def test_every_strategy_is_answered_and_read_again_in_under_four_thousand_bytes(
    client: Client, symbol: str
) -> None:
    for period in PERIODS:
        for strategy_id in REGISTRY.ids():
            run = await client.call_tool("run_backtest", asked(strategy_id, symbol, period))
            about = {"backtest_id": told(run)["backtest_id"]}
            again = await client.call_tool("get_backtest_results", about)
            assert told(again)["summary"] == told(run)
            assert max(size(run), size(again), size(await client.call_tool("get_metrics", about))) < FOUR_KB


async def test_every_tool_answers_in_under_four_thousand_bytes_by_default(client: Client, tmp_path: Path) -> None:
    runs = [
        told(await client.call_tool("run_backtest", asked("stochastic", "IBM", PERIODS[0], k_period=period)))
        for period in range(10, 24)
    ]
    one = {"backtest_id": runs[0]["backtest_id"]}
    two = {"backtest_ids": [run["backtest_id"] for run in runs[:2]]}
    prices = tmp_path / "MINE.csv"
    rows = [f"2024-01-{day:02d},{day},{day},{day},{day}\n" for day in range(2, 30)]
    prices.write_text("".join(["Date,Open,High,Low,Close\n", *rows]))
    calls = [
        *(("run_backtest", asked("rsi", symbol, PERIODS[0])) for symbol in ("IBM", "AAPL")),
        *(("get_backtest_results", one | {"section": section}) for section in get_args(Section)),
        ("list_strategies", {}),
        *(("list_strategies", {"strategy_id": strategy_id}) for strategy_id in REGISTRY.ids()),
        ("validate_strategy", {"strategy_config": {"strategy_id": "stochastic"}}),
        ("get_metrics", one),
        ("import_market_data", {"path": str(prices)}),
        ("list_assets", {}),
        ("get_market_data", {"symbol": "IBM"}),
        ("list_backtests", {}),
        ("list_backtests", {"sort_by": "psr"}),
        ("list_backtests", {"sort_by": "profit_factor_incl_open"}),
        ("get_backtest_status", one),
        ("cancel_backtest", one),
        ("plot_backtest", one),
        ("read_guide", {"name": "reading-results"}),
        (
            "run_batch",
            {"strategy_id": "rsi", "symbols": ["IBM"], "parameters": [{}], "options": SPAN, "wait_seconds": 0},
        ),
        ("optimize_strategy", {"strategy_id": "rsi", "asset_symbol": "IBM", "wait_seconds": 0}),
        ("walk_forward", {"strategy_id": "rsi", "asset_symbol": "IBM", "wait_seconds": 0}),
        ("compare_backtests", two),
        ("explain_trade", one | {"number": 0}),
        ("verify_run", one),
        ("export_backtest", two | {"format": "html"}),
    ]

    assert {tool for tool, _ in calls} == {tool.name for tool in (await client.list_tools()).tools}
    for tool, arguments in calls:
        result = await client.call_tool(tool, arguments)
        assert not result.is_error, text_of(result)
        assert size(result) < FOUR_KB, f"{tool} {arguments}"


async def run_after_others(client: Client) -> CallToolResult:
    """Run a strategy that was tried with other parameters before, on which there is a fifth point."""
    request = asked("bollinger_breakout", "MSFT", PERIODS[0])
    for period in (10, 15, 25, 30):
        await client.call_tool("run_backtest", request | {"parameters": {"period": period}})
    return await client.call_tool("run_backtest", request | {"rerun": True})


async def test_what_a_short_answer_leaves_out_is_told_by_its_section_and_by_name(client: Client) -> None:
    run = told(await run_after_others(client))
    about = {"backtest_id": run["backtest_id"]}

    review = await client.call_tool("get_backtest_results", about | {"section": "review"})
    record = told(await client.call_tool("get_backtest_results", about | {"section": "provenance"}))["record"]
    (exact,) = told(await client.call_tool("get_metrics", about | {"metrics": ["sharpe_ratio"]}))["metrics"].values()

    codes = [each["code"] for each in told(review)["review"]["diagnostics"]]
    assert codes == [*(each["code"] for each in run["diagnostics"]), *run["further"]]
    assert len(codes) == 5 and run["further"]
    assert all(f"{code}: " in text_of(review) for code in codes)
    assert run["request"].items() <= record["request"].items()
    assert record["request"]["delay_bars"] == 1 and record["request"]["seed"] == 0
    assert {name: count for name, count in record["counters"].items() if count} == run["counters"]
    assert len(record["provenance"]["data_hash"]) == len(record["provenance"]["config_hash"]) == 64
    assert run["provenance"].items() <= record["provenance"].items()
    assert run["metrics"]["sharpe_ratio"] == exact
    assert told(await client.call_tool("get_metrics", about))["metrics"]["sharpe_ratio"] == float(f"{exact:.5g}")


async def test_a_short_answer_names_the_points_it_does_not_tell_in_text_too(client: Client) -> None:
    run = await run_after_others(client)

    assert f"- and {', '.join(told(run)['further'])}: section='review' tells them" in text_of(run)
    assert all(each["advice"][1:] in text_of(run) for each in told(run)["diagnostics"])


async def test_a_list_of_runs_goes_on_where_it_had_to_end(client: Client) -> None:
    for period in range(10, 24):
        await client.call_tool("run_backtest", asked("stochastic", "IBM", PERIODS[0], k_period=period))

    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await client.call_tool("list_backtests", {"strategy_id": "stochastic", "offset": offset})
        assert size(page) < FOUR_KB
        seen += [run["backtest_id"] for run in told(page)["runs"]]
        offset = told(page)["next_offset"]

    assert len(seen) == len(set(seen)) == told(page)["total"] >= 14
    many = await client.call_tool("list_backtests", {"strategy_id": "stochastic", "limit": 14})
    assert [run["backtest_id"] for run in told(many)["runs"]] == seen[:14]
