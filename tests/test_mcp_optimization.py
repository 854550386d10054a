"""Optimisations as an MCP client asks for them, over a real PostgreSQL."""

from typing import Any

import pytest
from mcp.types import CallToolResult

from backtesting.types import JobStatus
from database.stores import Stores
from mcp_server.services import Services
from tests.test_mcp_runs import FOUR_KB, IBM, connected, services, serving, stores, text_of, told

__all__ = ["services", "stores"]

ASKED: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "options": {"start_date": "2001-01-02", "end_date": "2012-12-31"},
    "min_trades": 3,
    "wait_seconds": 45,
}


async def asked(services: Services, stores: Stores, **changes: Any) -> CallToolResult:
    async with connected(services) as client:
        with serving(stores, services):
            return await client.call_tool("optimize_strategy", ASKED | changes)


async def test_a_search_over_the_strategys_own_space_is_answered_with_a_verdict_and_a_stored_winner(
    stores: Stores, services: Services
) -> None:
    answer = await asked(services, stores)
    job = told(answer)
    result = job["result"]

    async with connected(services) as client:
        run = told(await client.call_tool("get_backtest_results", {"backtest_id": job["backtest_id"]}))
        again = told(await client.call_tool("get_backtest_status", {"backtest_id": job["backtest_id"]}))
        replayed = told(await client.call_tool("verify_run", {"backtest_id": job["backtest_id"]}))
        runs = told(await client.call_tool("list_backtests", {"tag": job["backtest_id"]}))
        best = {
            **IBM,
            **result["periods"]["train"],
            "parameters": {**result["fixed"], **result["top"][0]["parameters"]},
        }
        single = told(await client.call_tool("run_backtest", best))

    assert (job["status"], job["done"], job["total"]) == ("completed", 90, 90)
    assert result["verdict"] in text_of(answer) and result["surface"]["rows"] == "fast_period"
    assert run["backtest_id"] == result["backtest_id"] == runs["runs"][0]["backtest_id"] and runs["total"] == 1
    assert replayed["backtest_id"] == result["backtest_id"] and replayed["identical"]
    assert again["result"] == result and result["trials_counted"] == 90
    assert [single["metrics"][name] for name in result["columns"]] == result["top"][0]["train"]
    assert len(answer.model_dump_json(by_alias=True, exclude_none=True)) < FOUR_KB


async def test_every_chunk_counts_its_sets_in_postgres_and_the_stored_winner_is_judged_by_them(
    stores: Stores, services: Services
) -> None:
    options = ASKED["options"] | {"stop_loss": 0.3}

    job = told(await asked(services, stores, options=options, space={"fast_period": [5, 10, 20], "slow_period": [50]}))
    async with connected(services) as client:
        about = {"backtest_id": job["backtest_id"], "metrics": ["dsr", "trials_counted", "total_return"]}
        metrics = told(await client.call_tool("get_metrics", about))["metrics"]

    # three sets, three looks at the holdout, and the winner over both
    assert job["result"]["trials_counted"] == 3
    assert metrics["trials_counted"] == 3 + 3 + 1 and metrics["dsr"] is not None


async def test_a_search_that_takes_longer_is_followed_and_cancelled(stores: Stores, services: Services) -> None:
    async with connected(services) as client:
        job = told(await client.call_tool("optimize_strategy", ASKED | {"wait_seconds": 0}))
        ended = told(await client.call_tool("cancel_backtest", {"backtest_id": job["backtest_id"]}))

    assert (job["kind"], job["status"], ended["status"]) == ("optimization", "pending", "cancelled")
    assert stores.jobs.get(job["backtest_id"]).status is JobStatus.CANCELLED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": {"fast": [1, 2]}}, ["space.fast", "fast_period"]),
        ({"objective": "sharp_ratio"}, ["objective: ", "sharpe_ratio"]),
        ({"objective": ["sharpe_ratio", "luck"]}, ["objective: ", "max_drawdown"]),
        ({"constraints": ["import os"]}, ["constraints", "no inequality"]),
        ({"options": {"metric": "sharpe_ratio"}}, ["options.metric", "argument of its own"]),
        ({"options": {"cost": "zero"}}, ["cost", "did you mean"]),
        ({"holdout": 0.95}, ["holdout", "0.8"]),
        ({"options": {"start_date": "2001-01-02", "end_date": "2001-02-15"}}, ["holdout", "at least 20"]),
        ({"asset_symbol": "IBMM"}, ["did you mean 'IBM'"]),
        ({"strategy_id": "buy_and_hold"}, ["space", "none of its own"]),
    ],
)
async def test_what_cannot_be_searched_is_refused_in_words(
    services: Services, changes: dict[str, Any], words: list[str]
) -> None:
    async with connected(services) as client:
        refused = await client.call_tool("optimize_strategy", ASKED | changes)

    assert refused.is_error and all(word in text_of(refused) for word in words), text_of(refused)
