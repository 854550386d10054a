"""Finding, comparing, following and cancelling work as an MCP client does, over a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult

from backtesting.jobs import JOB_KINDS
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import JobStatus, Limits, RunFilter, RunStatus
from backtesting.worker import Worker
from database.stores import Stores
from mcp_server.server import build_server
from mcp_server.services import Services
from tests.fixtures.patience import until
from tests.fixtures.postgres import Database, copy_of
from tests.fixtures.services import services_on
from tests.fixtures.slow import Endless

FOUR_KB = 4096
REGISTRY = StrategyRegistry(STRATEGIES)
PATIENCE = 60
IBM: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2001-01-02",
    "end_date": "2012-12-31",
    "initial_capital": 100_000,
    "parameters": {},
}
SETS = [{"fast_period": fast, "slow_period": 50} for fast in range(5, 35)]
BATCH: dict[str, Any] = {"strategy_id": "sma_crossover", "symbols": ["IBM", "AAPL"], "parameters": SETS}


@pytest.fixture
def stores(database: Database) -> Iterator[Stores]:
    stores = database.stores()
    yield stores
    stores.close()


@pytest.fixture
def services(stores: Stores) -> Services:
    return services_on(stores, REGISTRY)


@asynccontextmanager
async def connected(services: Services, mode: Any = "auto") -> AsyncIterator[Client]:
    async with Client(build_server(REGISTRY, lambda: services), mode=mode) as client:
        yield client


@contextmanager
def serving(stores: Stores, services: Services) -> Iterator[None]:
    """Serve long work in a thread of the test."""
    stop = Event()
    threads = partial(ThreadPoolExecutor, 2)
    worker = Worker(stores.jobs, JOB_KINDS, services.engine, threads, stores.trials)
    thread = Thread(target=worker.run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join(30)


def told(result: CallToolResult) -> dict[str, Any]:
    """Return what an answer says in structure; both its forms are small."""
    text = text_of(result)
    assert not result.is_error, text
    structure = result.structured_content or {}
    assert len(json.dumps(structure)) < FOUR_KB and len(text) < FOUR_KB
    return structure


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


async def ran(client: Client, **changes: Any) -> dict[str, Any]:
    return told(await client.call_tool("run_backtest", IBM | changes))


async def test_a_run_tells_the_trials_it_is_judged_by_and_reading_it_again_counts_later_ones(
    services: Services,
) -> None:
    async with connected(services) as client:
        first = await ran(client)
        await ran(client, parameters={"fast_period": 10})
        again = told(await client.call_tool("get_backtest_results", {"backtest_id": first["backtest_id"]}))
        metrics = {"backtest_id": first["backtest_id"], "metrics": ["dsr", "trials_counted"]}
        named = told(await client.call_tool("get_metrics", metrics))

    assert first["metrics"]["trials_counted"] == 1
    assert again["summary"]["metrics"]["trials_counted"] == named["metrics"]["trials_counted"] == 2
    assert again["summary"]["metrics"]["dsr"] == named["metrics"]["dsr"] < first["metrics"]["dsr"]


async def test_the_same_request_is_answered_from_the_store_unless_a_rerun_is_asked_for(services: Services) -> None:
    async with connected(services) as client:
        ids = [(await ran(client, **change))["backtest_id"] for change in ({}, {}, {"rerun": True})]

    assert ids[0] == ids[1] != ids[2]


async def test_a_run_that_takes_longer_than_one_waits_is_found_under_its_id(stores: Stores) -> None:
    services, free = services_on(stores, REGISTRY, limits=Limits(concurrent_runs=1)), Event()
    services.runner._threads.submit(free.wait)  # noqa: SLF001 - the one thread is kept busy
    async with connected(services) as client:
        running = await ran(client, wait_seconds=0)
        asked = {"backtest_id": running["backtest_id"]}
        status = told(await client.call_tool("get_backtest_status", asked))
        refused = await client.call_tool("get_backtest_results", asked | {"section": "trades"})
        free.set()
        done = await until_done(client, running["backtest_id"])
        results = told(await client.call_tool("get_backtest_results", asked))

    assert (running["status"], status["status"], status["done"]) == ("running", "running", 0)
    assert refused.is_error and "get_backtest_status" in text_of(refused)
    assert (done["status"], results["status"]) == ("completed", "completed")


async def test_a_handle_leads_to_the_stored_run_that_answers_the_request(stores: Stores) -> None:
    services, free = services_on(stores, REGISTRY, limits=Limits(concurrent_runs=1)), Event()
    async with connected(services) as client:
        stored = await ran(client)
        services.runner._threads.submit(free.wait)  # noqa: SLF001 - the one thread is kept busy
        running = await ran(client, wait_seconds=0)
        free.set()
        done = await until_done(client, running["backtest_id"])

    assert running["backtest_id"] != stored["backtest_id"]
    assert (done["status"], done["backtest_id"]) == ("completed", stored["backtest_id"])


async def until_done(client: Client, backtest_id: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            status = told(await client.call_tool("get_backtest_status", {"backtest_id": backtest_id}))
            if status["status"] not in ("pending", "running"):
                return status


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_batch_tells_its_progress_and_leaves_runs_that_are_ranked_by_any_metric(
    stores: Stores, services: Services, mode: str
) -> None:
    seen: list[float] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        assert total == 60 and message == "evaluating"
        seen.append(done)

    async with connected(services, mode) as client:
        with serving(stores, services):
            result = await client.call_tool("run_batch", BATCH | {"wait_seconds": 45}, progress_callback=on_progress)
        batch = told(result)
        ranked = told(
            await client.call_tool("list_backtests", {"tag": batch["backtest_id"], "sort_by": "cagr", "limit": 10})
        )
        following = {"tag": batch["backtest_id"], "sort_by": "cagr", "offset": ranked["next_offset"]}
        more = told(await client.call_tool("list_backtests", following))

    assert (batch["status"], batch["result"]["runs"], batch["result"]["failed"]) == ("completed", 60, 0)
    assert seen == sorted(set(seen)) and seen[-1] == 60
    assert ranked["total"] == 60 and len(ranked["runs"]) == 10
    cagrs = [row["cagr"] for row in (*ranked["runs"], *more["runs"])]
    assert cagrs == sorted(cagrs, reverse=True)
    assert {row["asset_symbol"] for row in ranked["runs"]} <= {"IBM", "AAPL"}


async def test_long_work_is_answered_with_a_handle_and_followed_to_its_end(stores: Stores, services: Services) -> None:
    async with connected(services) as client:
        batch = told(await client.call_tool("run_batch", BATCH | {"wait_seconds": 0}))
        listed = told(await client.call_tool("list_backtests", {"status": "pending"}))
        read = await client.call_tool("get_backtest_results", {"backtest_id": batch["backtest_id"]})
        with serving(stores, services):
            done = await until_done(client, batch["backtest_id"])

    assert (batch["status"], batch["done"]) == ("pending", 0)
    assert [job["backtest_id"] for job in listed["jobs"]] == [batch["backtest_id"]] and listed["runs"] == []
    assert read.is_error and "list_backtests" in text_of(read) and "get_backtest_status" in text_of(read)
    assert (done["status"], done["done"], done["total"]) == ("completed", 60, 60)
    assert done["best"] == done["result"]["best"][0]


async def test_a_run_over_the_inline_limit_is_done_by_a_worker_and_told_like_any_other(stores: Stores) -> None:
    services = services_on(stores, REGISTRY, limits=Limits(inline_bars=100))
    async with connected(services) as client:
        with serving(stores, services):
            run = await ran(client)
        again = told(await client.call_tool("get_backtest_results", {"backtest_id": run["backtest_id"]}))
        inline = await ran(client, rerun=True, end_date="2001-03-30", strategy_id="buy_and_hold")

    assert run["status"] == "completed" and again["summary"] == run
    assert stores.jobs.get(run["backtest_id"]).kind == "backtest"
    assert inline["status"] == "completed"


async def test_a_long_run_that_fails_is_told_with_its_reason(stores: Stores) -> None:
    services = services_on(stores, REGISTRY, limits=Limits(inline_bars=100))
    async with connected(services) as client:
        with serving(stores, services):
            failed = await client.call_tool(
                "run_backtest", IBM | {"start_date": "2000-03-01", "parameters": {"slow_period": 4500}}
            )

    assert failed.is_error and "warm-up" in text_of(failed)


async def test_cancelling_pending_work_ends_it_and_its_runs_stay(stores: Stores, services: Services) -> None:
    async with connected(services) as client:
        batch = told(await client.call_tool("run_batch", BATCH | {"wait_seconds": 0}))
        cancelled = told(await client.call_tool("cancel_backtest", {"backtest_id": batch["backtest_id"]}))
        again = told(await client.call_tool("cancel_backtest", {"backtest_id": batch["backtest_id"]}))
        run = await ran(client)
        kept = told(await client.call_tool("cancel_backtest", {"backtest_id": run["backtest_id"]}))

    assert cancelled["status"] == again["status"] == "cancelled"
    assert kept["status"] == "completed"
    assert stores.jobs.unfinished() == []


async def test_cancelling_the_call_cancels_the_work(stores: Stores, services: Services) -> None:
    async with connected(services, "legacy") as client:  # in memory, the newer era sends no notification of it
        call = asyncio.create_task(client.call_tool("run_batch", BATCH | {"wait_seconds": 45}))
        await asyncio.to_thread(until, stores.jobs.unfinished)

        call.cancel()

        await asyncio.to_thread(until, lambda: not stores.jobs.unfinished(), 5)
        (row,) = told(await client.call_tool("list_backtests", {"status": "completed"}))["runs"] or [None]

    assert row is None


@pytest.mark.parametrize("way", ["the tool", "the end of the call"])
async def test_a_run_that_would_never_end_is_cancelled_and_kept_as_failed(
    stores: Stores, tmp_path: Path, way: str
) -> None:
    registry = StrategyRegistry([*STRATEGIES, Endless])
    stores.runs.register([Endless.describe()])
    services = services_on(stores, registry)
    endless = {"strategy_id": "endless", "parameters": {"told": str(tmp_path)}}
    async with Client(build_server(registry, lambda: services), mode="legacy") as client:
        if way == "the tool":
            running = await ran(client, wait_seconds=0, **endless)
            await asyncio.to_thread(until, lambda: any(tmp_path.iterdir()))
            await client.call_tool("cancel_backtest", {"backtest_id": running["backtest_id"]})
        else:
            call = asyncio.create_task(client.call_tool("run_backtest", IBM | endless | {"wait_seconds": 45}))
            await asyncio.to_thread(until, lambda: any(tmp_path.iterdir()))
            call.cancel()
        stored = await asyncio.to_thread(until, lambda: stores.runs.find(RunFilter(status=RunStatus.FAILED)).runs, 5)

    assert [run.error for run in stored] == ["it was cancelled"]


async def test_runs_of_the_same_data_and_costs_are_ranked(services: Services) -> None:
    async with connected(services) as client:
        runs = [await ran(client, parameters={"fast_period": fast}) for fast in (10, 20, 30)]
        ids = [run["backtest_id"] for run in runs]
        result = await client.call_tool("compare_backtests", {"backtest_ids": ids})

    compared = told(result)
    sharpes = [run["metrics"]["sharpe_ratio"] for run in runs]
    assert compared["differences"] == {} and compared["metrics"]["sharpe_ratio"] == sharpes
    assert compared["ranking"] == [ids[sharpes.index(each)] for each in sorted(sharpes, reverse=True)]
    assert "Alike in data, period, costs and fills" in text_of(result)


@pytest.mark.parametrize(
    ("change", "unlike"),
    [
        ({"asset_symbol": "AAPL"}, {"symbol"}),
        ({"costs": "zero"}, {"costs"}),
        ({"fill": "next_close"}, {"fill"}),
        ({"adjustment": "raw"}, {"adjustment"}),
        ({"end_date": "2011-12-30"}, {"period"}),
        ({"risk_free": 0.02}, {"risk_free"}),
    ],
)
async def test_unlike_runs_are_set_side_by_side_with_what_differs_first_and_not_ranked(
    services: Services, change: dict[str, Any], unlike: set[str]
) -> None:
    async with connected(services) as client:
        ids = [(await ran(client))["backtest_id"], (await ran(client, **change))["backtest_id"]]
        result = await client.call_tool("compare_backtests", {"backtest_ids": ids})

    compared = told(result)
    assert set(compared["differences"]) == unlike and compared["ranking"] is None
    assert text_of(result).startswith("These runs are not alike, so they are not ranked")


async def test_runs_are_listed_by_strategy_symbol_status_tag_and_day(services: Services) -> None:
    async with connected(services) as client:
        tagged = await ran(client, tags=["first idea"])
        await ran(client, strategy_id="rsi", asset_symbol="AAPL")
        await client.call_tool("run_backtest", IBM | {"start_date": "2000-03-01", "end_date": "2000-03-31"})

        async def listed(**wanted: Any) -> list[Any]:
            rows = told(await client.call_tool("list_backtests", wanted))["runs"]
            return [(row["strategy_id"], row["asset_symbol"], row["status"]) for row in rows]

        sma, rsi = ("sma_crossover", "IBM", "completed"), ("rsi", "AAPL", "completed")
        failed = ("sma_crossover", "IBM", "failed")
        assert await listed() == [failed, rsi, sma]
        assert await listed(strategy_id="rsi") == await listed(asset_symbol="aapl") == [rsi]
        assert await listed(status="failed") == [failed]
        assert await listed(tag="first idea") == [sma]
        assert await listed(since="2099-01-01") == []
        assert await listed(sort_by="sharpe_ratio") == [rsi, sma, failed]
        assert await listed(limit=1, offset=1) == [rsi]
    assert tagged["status"] == "completed"


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("get_backtest_status", {"backtest_id": "bt-000000000000"}, ["backtest_id"]),
        ("cancel_backtest", {"backtest_id": "1 or 1=1"}, ["backtest_id"]),
        ("list_backtests", {"sort_by": "sharp"}, ["sort_by", "did you mean 'sharpe_ratio'"]),
        ("list_backtests", {"sort_by": "cagr'; drop table app.jobs; --"}, ["sort_by"]),
        ("list_backtests", {"status": "runing"}, ["status", "did you mean 'running'"]),
        ("list_backtests", {"limit": 51}, ["limit: has to be at most 50, got 51"]),
        ("list_backtests", {"limit": 0}, ["limit: has to be at least 1, got 0"]),
        ("list_backtests", {"offset": -1}, ["offset: has to be at least 0, got -1"]),
        ("run_batch", BATCH | {"symbols": ["IBM", "IBMM"]}, ["symbols: unknown symbol 'IBMM'"]),
        ("get_market_data", {"symbol": "IBMM"}, ["symbol: unknown symbol 'IBMM'"]),
        (
            "get_market_data",
            {"symbol": "IBM", "start_date": "2010-01-04", "end_date": "2005-01-03"},
            ["start_date 2010-01-04 is after end_date 2005-01-03"],
        ),
        ("list_backtests", {"since": "yesterday"}, ["since", "2005-01-03"]),
        ("compare_backtests", {"backtest_ids": ["bt-000000000000", "bt-000000000001"]}, ["bt-000000000000"]),
        ("compare_backtests", {"backtest_ids": ["bt-000000000000"]}, ["backtest_ids", "2"]),
        ("run_batch", BATCH | {"symbols": []}, ["symbols"]),
        ("run_batch", BATCH | {"symbols": ["IBMM"]}, ["did you mean 'IBM'"]),
        ("run_batch", BATCH | {"parameters": [{"fast": 3}]}, ["parameters.fast"]),
        ("run_batch", BATCH | {"options": {"cost": "zero"}}, ["cost", "did you mean 'costs'"]),
        ("run_batch", BATCH | {"options": {"symbols": ["IBM"]}}, ["options.symbols"]),
        ("run_batch", BATCH | {"wait_seconds": 46}, ["wait_seconds", "45"]),
        ("run_backtest", IBM | {"tags": ["x" * 33]}, ["tags", "32"]),
    ],
)
async def test_a_wrong_argument_is_told_by_name_with_the_remedy(
    services: Services, tool: str, arguments: dict[str, Any], words: list[str]
) -> None:
    async with connected(services) as client:
        result = await client.call_tool(tool, arguments)

    assert result.is_error
    assert [word for word in words if word not in text_of(result)] == []


async def test_what_has_failed_cannot_be_compared(services: Services) -> None:
    async with connected(services) as client:
        good = await ran(client)
        await client.call_tool("run_backtest", IBM | {"start_date": "2000-03-01", "end_date": "2000-03-31"})
        (failed,) = told(await client.call_tool("list_backtests", {"status": "failed"}))["runs"]
        ids = {"backtest_ids": [good["backtest_id"], failed["backtest_id"]]}
        result = await client.call_tool("compare_backtests", ids)

    assert result.is_error and "leave it out" in text_of(result)


async def test_more_runs_a_minute_than_the_limit_are_refused_with_the_way_out(stores: Stores) -> None:
    async with connected(services_on(stores, REGISTRY, limits=Limits(runs_a_minute=2))) as client:
        results = [await client.call_tool("run_backtest", IBM) for _ in range(3)]

    assert [result.is_error for result in results] == [False, False, True]
    assert "at most 2" in text_of(results[2]) and "run_batch" in text_of(results[2])


async def test_more_runs_at_once_than_the_limit_are_refused_and_none_is_lost(stores: Stores) -> None:
    services = services_on(stores, REGISTRY, limits=Limits(concurrent_runs=1, queued_runs=3))
    async with connected(services) as client:
        many = [IBM | {"parameters": {"fast_period": fast}} for fast in range(5, 25)]
        results = await asyncio.gather(*(client.call_tool("run_backtest", each) for each in many))
        stored = told(await client.call_tool("list_backtests", {}))["total"]

    refused = [text_of(result) for result in results if result.is_error]
    assert stored == len(results) - len(refused) >= 4
    assert all("at most 4 may be" in text for text in refused)


async def test_two_users_find_nothing_of_each_other(template: Database) -> None:
    database = copy_of(template)
    alice, bob = database.stores("alice"), database.stores("bob")
    async with connected(services_on(alice, REGISTRY)) as one, connected(services_on(bob, REGISTRY)) as other:
        run = await ran(one)
        batch = told(await one.call_tool("run_batch", BATCH | {"wait_seconds": 0}))
        listed = told(await other.call_tool("list_backtests", {}))
        asked = [
            await other.call_tool(tool, {"backtest_id": each["backtest_id"]})
            for tool in ("get_backtest_status", "cancel_backtest")
            for each in (run, batch)
        ]

    assert (listed["runs"], listed["total"], listed["jobs"]) == ([], 0, [])
    assert all(result.is_error and "backtest_id" in text_of(result) for result in asked)
    assert alice.jobs.get(batch["backtest_id"]).status is JobStatus.PENDING
    alice.close()
    bob.close()


@pytest.mark.parametrize("field", ["strategy_id", "asset_symbol", "status", "tag", "since"])
async def test_a_search_for_what_no_text_holds_is_refused_by_the_name_of_the_field(
    services: Services, field: str
) -> None:
    async with connected(services) as client:
        refused = await client.call_tool("list_backtests", {field: "a\x00"})

    assert refused.is_error and text_of(refused).startswith(f"{field}: ")
