"""A walk-forward as an MCP client sees it, over a real PostgreSQL: small answers, pages, runs, a picture."""

import io
import json
from base64 import b64decode
from typing import Any

import pytest
from mcp import Client
from PIL import Image

from database.stores import Stores
from mcp_server.services import Services
from tests.test_answer_sizes import FOUR_KB, size
from tests.test_mcp_runs import connected, services, serving, stores, text_of, told

__all__ = ["services", "stores"]

ASKED: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "ibm",
    "space": {"fast_period": [3, 5, 10], "slow_period": {"low": 20, "high": 60, "step": 20}},
    "test_sessions": 63,
    "options": {"start_date": "2000-03-01", "end_date": "2006-12-29", "initial_capital": 10_000, "tags": ["mine"]},
    "wait_seconds": 45,
}
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"strategy_id": "sma_cross"}, ["did you mean 'sma_crossover'"]),
    ({"asset_symbol": "IBMM"}, ["did you mean 'IBM'"]),
    ({"space": {"fast": [3, 5]}}, ["space.fast", "did you mean 'fast_period'"]),
    ({"space": {"fast_period": {"low": 10, "high": 5, "step": 1}}}, ["space.fast_period"]),
    ({"space": {}}, ["space"]),
    ({"constraints": ["fast_period <"]}, ["constraints", "write e.g."]),
    ({"constraints": ["fast < 3"]}, ["constraints.0", "did you mean 'fast_period'"]),
    ({"train_sessions": 5000}, ["train_sessions", "1719 sessions", "choose a longer period"]),
    ({"test_sessions": 1}, ["test_sessions", "at least 2", "got 1"]),
    ({"embargo_bars": 63}, ["embargo_bars", "raise test_sessions"]),
    ({"metric": "sharpe"}, ["metric", "'sharpe_ratio'"]),
    ({"options": {"trade_from": "2001-01-02"}}, ["trade_from", "the windows say"]),
    ({"options": {"cost": "zero"}}, ["cost", "did you mean 'costs'"]),
    ({"options": {"asset_symbol": "IBM"}}, ["options.asset_symbol"]),
    ({"windows": 3}, ["windows"]),
]


async def walked(client: Client, stores: Stores, services: Services) -> Any:
    with serving(stores, services):
        return await client.call_tool("walk_forward", ASKED)


async def test_a_walk_forward_is_answered_in_words_and_in_figures(stores: Stores, services: Services) -> None:
    async with connected(services) as client:
        result = await walked(client, stores, services)
        answer, said = told(result), text_of(result)

        found = answer["result"]
        assert (answer["status"], answer["done"], answer["total"]) == ("completed", 19, 19)
        assert found["verdict"] == "unproven" and found["sentence"] in said
        assert {"not_sure", "inefficient", "seldom_positive"} <= set(found["doubts"])
        assert (found["sets"], found["trials_counted"], found["total"]) == (9, 19 * 9 + 19, 19)
        assert found["metrics"]["benchmark_return"] < 0 < found["metrics"]["total_return"]
        assert "19 windows, tested 2002-03-07 to 2006-12-04" in said
        assert size(result) < FOUR_KB


async def test_its_windows_are_paged_and_each_row_is_a_stored_run(stores: Stores, services: Services) -> None:
    async with connected(services) as client:
        answer = told(await walked(client, stores, services))
        about, rows, offset = {"backtest_id": answer["backtest_id"]}, [], 0
        while offset is not None:
            page = await client.call_tool("get_backtest_status", about | {"offset": offset})
            rows += told(page)["result"]["windows"]
            offset = told(page)["result"]["next_offset"]
        last = dict(zip(answer["result"]["columns"], rows[-1], strict=True))
        run = told(await client.call_tool("get_metrics", {"backtest_id": last["backtest_id"]}))
        listed = told(await client.call_tool("list_backtests", {"tag": answer["backtest_id"]}))
        mine = told(await client.call_tool("list_backtests", {"tag": "mine"}))

    assert len(rows) == 19 and [row[0] for row in rows] == sorted({row[0] for row in rows})
    assert run["metrics"]["total_return"] == pytest.approx(last["test_return"], rel=1e-3)
    assert listed["total"] == mine["total"] == 19


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_it_is_drawn(stores: Stores, services: Services, theme: str) -> None:
    async with connected(services) as client:
        about = {"backtest_id": told(await walked(client, stores, services))["backtest_id"], "theme": theme}
        drawn = await client.call_tool("plot_backtest", about | {"kind": "walk_forward"})
        refused = await client.call_tool("plot_backtest", about | {"kind": "equity"})

    picture = Image.open(io.BytesIO(b64decode(drawn.content[0].data)))
    assert picture.size == (800, 480) and "Unproven" in text_of(drawn)
    assert refused.is_error and f"list_backtests(tag='{about['backtest_id']}') has its runs" in text_of(refused)


async def test_one_that_is_not_done_is_followed_by_its_id(stores: Stores, services: Services) -> None:
    async with connected(services) as client:
        result = await client.call_tool("walk_forward", ASKED | {"wait_seconds": 0})
        about = {"backtest_id": told(result)["backtest_id"]}
        early = await client.call_tool("plot_backtest", about | {"kind": "walk_forward"})
        with serving(stores, services):
            ended = None
            while ended is None:
                ended = told(await client.call_tool("get_backtest_status", about))["result"]

    assert f"get_backtest_status('{about['backtest_id']}')" in text_of(result)
    assert early.is_error and "not completed" in text_of(early)
    assert ended["total"] == 19


async def test_a_run_is_no_walk_forward(services: Services) -> None:
    asked = ASKED["options"] | {"strategy_id": "rsi", "asset_symbol": "IBM", "parameters": {}}
    async with connected(services) as client:
        run = told(await client.call_tool("run_backtest", asked))
        drawn = await client.call_tool("plot_backtest", {"backtest_id": run["backtest_id"], "kind": "walk_forward"})

    assert drawn.is_error and "is no walk_forward" in text_of(drawn)


@pytest.mark.parametrize(("changes", "parts"), BAD, ids=[json.dumps(changes)[:40] for changes, _ in BAD])
async def test_what_cannot_be_meant_is_refused_with_what_would_be_right(
    services: Services, changes: dict[str, Any], parts: list[str]
) -> None:
    async with connected(services) as client:
        result = await client.call_tool("walk_forward", ASKED | changes)

    assert result.is_error and result.structured_content is None
    assert all(part in text_of(result) for part in parts), text_of(result)
    assert "Traceback" not in text_of(result) and not services.jobs.unfinished()
