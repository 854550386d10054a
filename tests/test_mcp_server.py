"""The tools as an MCP client sees them, in both protocol eras, over a real PostgreSQL."""

import asyncio
import base64
import json
import math
import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import pytest
import structlog
from mcp import Client, MCPError
from mcp.server import MCPServer
from mcp.types import CallToolResult

from backtesting.judgement import JUDGED
from backtesting.metrics import KEYS, METRICS
from backtesting.reporting.charts import CHARTS
from backtesting.reports import Reports
from backtesting.strategies import STRATEGIES
from backtesting.strategies.buy_and_hold import BuyAndHold
from backtesting.strategy import StrategyRegistry
from backtesting.types import Bars, Signals
from database.stores import Stores
from mcp_server.server import build_server
from mcp_server.services import Services
from tests.fixtures.in_memory import InMemoryRuns
from tests.fixtures.postgres import Database, copy_of
from tests.fixtures.services import NOWHERE, services_on

FOUR_KB = 4096
DEFINED = {metric.key: metric.definition for metric in METRICS}
IBM: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2001-01-02",
    "end_date": "2012-12-31",
    "initial_capital": 100_000,
    "parameters": {"position_size": 0.95},
}
STANDARD = ["run_backtest", "get_backtest_results", "list_strategies", "validate_strategy", "get_metrics"]
STANDARD += ["import_market_data", "list_assets", "get_market_data"]
STANDARD += ["list_backtests", "get_backtest_status", "cancel_backtest", "plot_backtest"]
TOOLS = [
    *STANDARD,
    "run_batch",
    "optimize_strategy",
    "walk_forward",
    "compare_backtests",
    "explain_trade",
    "verify_run",
    "export_backtest",
]
TOOLS += ["read_guide"]
WRITING = {
    "optimize_strategy",
    "run_backtest",
    "import_market_data",
    "run_batch",
    "walk_forward",
    "cancel_backtest",
    "export_backtest",
}
WITHOUT_STRUCTURE = {"plot_backtest", "export_backtest", "read_guide"}
SIXTY_KB = 60_000


@pytest.fixture(scope="module")
def stores(template: Database) -> Iterator[Stores]:
    stores = copy_of(template).stores()
    yield stores
    stores.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def server(stores: Stores, reports: Path) -> MCPServer[Any]:
    registry = StrategyRegistry(STRATEGIES)
    services = services_on(stores, registry, reports=reports)
    return build_server(registry, lambda: services)


@pytest.fixture(params=["auto", "legacy"])
async def client(server: MCPServer[Any], request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    ready, done = asyncio.Future[Client](), asyncio.Event()

    async def hold() -> None:
        # a client has to be left in the task that entered it, and pytest-asyncio ends a fixture in another one
        async with Client(server, mode=request.param) as client:
            ready.set_result(client)
            await done.wait()

    holding = asyncio.create_task(hold())
    yield await ready
    done.set()
    await holding


def strict(text: str) -> Any:
    """Read JSON that holds no NaN and no infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


async def refused(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    """Call a tool that must answer with an error; return what it says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is None, "clients would check it against the schema of a success"
    assert "Traceback" not in text_of(result)
    assert len(text_of(result)) < FOUR_KB
    return text_of(result)


async def test_all_tools_are_listed_in_order(client: Client) -> None:
    assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS


async def test_the_standard_tools_and_the_instructions_take_under_three_thousand_tokens() -> None:
    server = build_server(StrategyRegistry(STRATEGIES), lambda: pytest.fail("not needed"), toolset="standard")

    async with Client(server, mode="legacy") as connected:
        listed, instructions = (await connected.list_tools()).tools, connected.instructions

    wire = json.dumps(
        [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed], separators=(",", ":")
    )
    assert [tool.name for tool in listed] == STANDARD
    assert len(instructions or "") < 1500
    assert (len(wire) + len(instructions or "")) / 4 < 3000


async def test_every_tool_tells_when_to_use_it_what_it_does_to_the_world_and_what_it_answers(client: Client) -> None:
    for tool in (await client.list_tools()).tools:
        assert tool.title and "Use it" in (tool.description or "")
        assert tool.annotations is not None and tool.annotations.title == tool.title
        assert tool.annotations.read_only_hint is (tool.name not in WRITING)
        assert tool.annotations.destructive_hint is False and tool.annotations.open_world_hint is False
        assert tool.input_schema["additionalProperties"] is False
        assert (tool.output_schema or {}).get("type") == (None if tool.name in WITHOUT_STRUCTURE else "object")


async def test_run_backtest_takes_the_named_arguments_and_requires_six(client: Client) -> None:
    (tool,) = [each for each in (await client.list_tools()).tools if each.name == "run_backtest"]

    assert tool.input_schema["required"] == list(IBM)


async def test_a_run_is_answered_stored_and_found_again(client: Client) -> None:
    run = await client.call_tool("run_backtest", IBM)

    assert not run.is_error and run.structured_content is not None
    again = await client.call_tool("get_backtest_results", {"backtest_id": run.structured_content["backtest_id"]})
    assert again.structured_content is not None
    assert again.structured_content["summary"] == run.structured_content


async def test_every_option_of_orders_and_costs_can_be_asked_for_and_stays_small(client: Client) -> None:
    options = {
        "delay_bars": 2,
        "costs": {"commission": 0.001, "slippage": 0.0005, "fixed": 1, "slippage_atr": {"atr": 0.05}},
        "fees": 0.002,
        "sizing": {"method": "risk_per_trade", "fraction": 0.02},
        "lot_size": 1,
        "direction": "both",
        "stop_loss": 0.03,
        "take_profit": {"atr": 4},
        "trailing_stop": {"atr": 3, "period": 20},
        "max_holding": 30,
        "close_at_end": True,
        "periods_per_year": 252,
        "trade_from": "2002-01-02",
        "history_bars": 300,
    }

    run = await client.call_tool("run_backtest", IBM | options | {"parameters": {}})
    assert run.structured_content is not None
    about = {"backtest_id": run.structured_content["backtest_id"], "section": "trades"}
    page = await client.call_tool("get_backtest_results", about)

    assert options.keys() <= run.structured_content["request"].keys()
    assert run.structured_content["request"]["stop_loss"] == 0.03
    assert "long and short; stop 3%; target 4 x ATR(14); trailing stop 3 x ATR(20)" in text_of(run)
    assert page.structured_content is not None
    reasons = {
        row[page.structured_content["trade_columns"].index("exit_reason")] for row in page.structured_content["trades"]
    }
    assert reasons <= {"signal", "stop", "target", "trailing", "max_holding", "end_of_data"} and len(reasons) > 1
    assert all(len(json.dumps(each.structured_content)) < FOUR_KB for each in (run, page))


async def test_text_and_structure_each_tell_the_whole(client: Client) -> None:
    run = await client.call_tool("run_backtest", IBM | {"end_date": "2001-06-29"})

    told, text = run.structured_content, text_of(run)
    assert told is not None
    assert told["backtest_id"] in text
    assert f"{told['metrics']['final_capital']:,.2f}" in text
    assert f"{told['metrics']['sharpe_ratio']:.4f}" in text
    assert f"{told['metrics']['benchmark_return']:.2%}" in text
    assert told["warnings"] and all(warning["message"] in text for warning in told["warnings"])


async def test_two_runs_of_one_request_give_the_same_metrics_and_trades_bit_for_bit(client: Client) -> None:
    runs = [(await client.call_tool("run_backtest", IBM)).structured_content for _ in range(2)]

    pages = [
        (
            await client.call_tool(
                "get_backtest_results", {"backtest_id": run["backtest_id"], "section": "trades", "limit": 500}
            )
        )
        for run in runs
        if run is not None
    ]
    first, second = (run | {"backtest_id": ""} for run in runs if run is not None)
    assert json.dumps(first) == json.dumps(second)
    assert pages[0].structured_content is not None and pages[1].structured_content is not None
    assert pages[0].structured_content["trades"] == pages[1].structured_content["trades"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("run_backtest", IBM),
        ("list_strategies", {}),
        ("validate_strategy", {"strategy_config": {"strategy_id": "smaa", "parameters": {"fast_period": 900, "x": 1}}}),
        ("get_backtest_results", {}),
        ("get_backtest_results", {"section": "trades"}),
        ("get_backtest_results", {"section": "equity"}),
        ("get_backtest_results", {"section": "periods"}),
        ("get_backtest_results", {"section": "drawdowns"}),
        ("get_metrics", {}),
        ("get_metrics", {"metrics": KEYS[:20], "explain": True}),
        ("get_metrics", {"metrics": sorted(KEYS, key=lambda key: -len(DEFINED[key]))[:20], "explain": True}),
    ],
)
async def test_an_answer_is_strict_json_and_under_four_kilobytes(
    client: Client, tool: str, arguments: dict[str, Any]
) -> None:
    if tool.startswith("get_"):
        run = await client.call_tool("run_backtest", IBM | {"strategy_id": "macd"})
        arguments = arguments | {"backtest_id": (run.structured_content or {})["backtest_id"]}

    result = await client.call_tool(tool, arguments)

    assert not result.is_error
    strict(json.dumps(result.structured_content))
    assert len(text_of(result)) < FOUR_KB
    assert len(json.dumps(result.structured_content)) < FOUR_KB


async def test_the_worst_run_there_is_is_told_in_under_four_kilobytes(client: Client) -> None:
    worst = {"strategy_id": "rsi", "asset_symbol": "AAPL", "start_date": "2000-03-01", "costs": "zero"}

    run = await client.call_tool("run_backtest", IBM | worst | {"adjustment": "raw", "fill": "same_close"})

    told = run.structured_content or {}
    assert len(told["diagnostics"]) + len(told["further"]) == 5 and len(told["warnings"]) >= 5
    assert all(code in text_of(run) for code in told["further"])
    assert len(run.model_dump_json(by_alias=True, exclude_none=True)) < FOUR_KB


async def test_a_run_is_judged_in_structure_as_in_text_and_nothing_is_said_twice(client: Client) -> None:
    run = await client.call_tool("run_backtest", IBM | {"strategy_id": "rsi", "costs": "zero"})

    told, text = run.structured_content or {}, text_of(run)
    assert told["verdict"] in text
    warned = {warning["code"] for warning in told["warnings"]}
    assert {"zero_costs", "few_trades"} <= warned & {
        *(point["code"] for point in told["diagnostics"]),
        *told["further"],
    }
    assert all((point["issue"] is None) == (point["code"] in warned) for point in told["diagnostics"])
    assert all(point["issue"] is None or point["issue"] in text for point in told["diagnostics"])
    assert all(point["advice"][1:] in text for point in told["diagnostics"])


async def test_the_years_of_a_run_are_paged_and_multiply_to_its_total_return(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
    rows, offset = [], 0

    while offset is not None:
        asked = {"backtest_id": run["backtest_id"], "section": "periods", "offset": offset, "limit": 5}
        page = (await client.call_tool("get_backtest_results", asked)).structured_content or {}
        rows += [dict(zip(page["columns"], row, strict=True)) for row in page["rows"]]
        offset = page["next_offset"]

    assert [row["year"] for row in rows] == list(range(2001, 2013))
    for own, key in (("total_bp", "total_return"), ("buy_and_hold_bp", "benchmark_return")):
        grown = math.prod(1 + row[own] / 10_000 for row in rows) - 1
        assert grown == pytest.approx(run["metrics"][key], abs=0.002)
    assert page["total"] == 12 and page["rolling_sharpe"]["sessions"] == 252


async def test_the_worst_drawdowns_of_a_run_come_the_deepest_first(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM | {"strategy_id": "macd"})).structured_content or {}
    asked = {"backtest_id": run["backtest_id"], "section": "drawdowns"}

    page = (await client.call_tool("get_backtest_results", asked)).structured_content or {}
    following = await client.call_tool("get_backtest_results", asked | {"offset": page["next_offset"]})

    depths = [row[page["columns"].index("depth")] for row in page["rows"]]
    assert len(depths) == 5 and depths == sorted(depths)
    assert depths[0] == run["metrics"]["max_drawdown"]
    assert (following.structured_content or {})["rows"][0][3] >= depths[-1]


async def test_named_metrics_are_explained_on_request(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
    asked = {"backtest_id": run["backtest_id"], "metrics": ["sharpe_ratio", "avg_win"], "explain": True}

    told = await client.call_tool("get_metrics", asked)

    definitions = (told.structured_content or {})["definitions"]
    assert definitions["avg_win"] == {"unit": "money", "definition": "Mean profit of winning trades"}
    assert "(Sharpe 1994)" in definitions["sharpe_ratio"]["definition"]
    assert all(each["definition"] in text_of(told) for each in definitions.values())
    unasked = await client.call_tool("get_metrics", asked | {"explain": False})
    assert (unasked.structured_content or {})["definitions"] == {}


async def test_more_metrics_than_fit_are_not_explained_but_some_are_named_that_would_be(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}

    told = await refused(client, "get_metrics", {"backtest_id": run["backtest_id"], "explain": True})

    assert told.startswith(
        f"metrics: name at most 20 of the {len(KEYS) + len(JUDGED)} to have them explained; for example final_cap"
    )


async def test_trades_are_paged_to_the_last_one(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
    numbers, offset = [], 0

    while offset is not None:
        page = await client.call_tool(
            "get_backtest_results",
            {"backtest_id": run["backtest_id"], "section": "trades", "offset": offset, "limit": 16},
        )
        told = page.structured_content or {}
        numbers += [row[0] for row in told["trades"]]
        offset = told["next_offset"]

    assert numbers == list(range(told["total"]))
    assert told["total"] == run["metrics"]["total_trades"] + run["metrics"]["open_trades"]


async def test_the_curve_has_as_many_points_as_asked_for_and_keeps_its_ends(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}

    page = await client.call_tool(
        "get_backtest_results", {"backtest_id": run["backtest_id"], "section": "equity", "limit": 25}
    )

    points = (page.structured_content or {})["equity"]
    assert len(points) == 25
    assert points[0][0].startswith("2001-01-02") and points[-1][0].startswith("2012-12-31")
    assert points[-1][1] == run["metrics"]["final_capital"]


async def test_all_metrics_are_given_by_default_and_named_ones_alone_on_request(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}

    everything = (await client.call_tool("get_metrics", {"backtest_id": run["backtest_id"]})).structured_content or {}
    two = await client.call_tool(
        "get_metrics", {"backtest_id": run["backtest_id"], "metrics": ["sharpe_ratio", "cvar_95"]}
    )

    assert {*everything["metrics"]} ^ {*everything["undefined"]} == {*KEYS, *JUDGED}
    assert None not in everything["metrics"].values()
    assert list((two.structured_content or {})["metrics"]) == ["sharpe_ratio", "cvar_95"]


async def test_an_undefined_metric_is_null_with_its_reason(client: Client) -> None:
    run = await client.call_tool("run_backtest", IBM | {"strategy_id": "buy_and_hold"})

    told = run.structured_content or {}
    assert told["metrics"]["win_rate"] is None
    assert told["undefined"]["win_rate"] == "no_trades"
    assert "no_trades" in text_of(run)


async def test_strategies_are_listed_with_their_defaults(client: Client) -> None:
    listed = (await client.call_tool("list_strategies", {})).structured_content or {}

    found = {each["strategy_id"]: each for each in listed["strategies"]}
    assert tuple(found) == StrategyRegistry(STRATEGIES).ids()
    assert found["rsi"]["defaults"] == {"period": 14, "oversold": 30.0, "overbought": 70.0}
    assert found["rsi"].keys() == {"strategy_id", "strategy_type", "description", "defaults"}


@pytest.mark.parametrize("strategy_id", StrategyRegistry(STRATEGIES).ids())
async def test_one_strategy_is_told_with_its_schema_in_under_four_kilobytes(client: Client, strategy_id: str) -> None:
    result = await client.call_tool("list_strategies", {"strategy_id": strategy_id})

    (told,) = (result.structured_content or {})["strategies"]
    rules = told["parameters"]["properties"]
    assert told["strategy_id"] == strategy_id
    assert told["defaults"] == {name: rule["default"] for name, rule in rules.items()}
    assert all(rule["description"] in text_of(result) for rule in rules.values())
    assert max(len(text_of(result)), len(json.dumps(result.structured_content))) < FOUR_KB


async def test_a_strategy_there_is_not_is_answered_with_the_nearest(client: Client) -> None:
    assert "did you mean 'macd'?" in await refused(client, "list_strategies", {"strategy_id": "mcad"})


async def test_a_wrong_configuration_is_told_whole_and_the_suggestion_is_valid(client: Client) -> None:
    wrong = {"strategy_id": "sma_crosover", "parameters": {"fast_period": 90, "slow": 10, "position_size": 2}}

    told = (await client.call_tool("validate_strategy", {"strategy_config": wrong})).structured_content or {}

    assert told["valid"] is False
    assert {"strategy_id", "parameters.slow", "parameters.position_size"} <= {each["path"] for each in told["problems"]}
    assert told["look_ahead"] is None
    again = await client.call_tool("validate_strategy", {"strategy_config": told["suggestion"]})
    assert (again.structured_content or {})["valid"] is True


@pytest.mark.parametrize("strategy_id", StrategyRegistry(STRATEGIES).ids())
async def test_a_valid_configuration_is_checked_for_look_ahead_in_under_four_kilobytes(
    client: Client, strategy_id: str
) -> None:
    config = {"strategy_id": strategy_id, "parameters": {}}

    result = await client.call_tool("validate_strategy", {"strategy_config": config})

    told = (result.structured_content or {})["look_ahead"]
    assert told["cuts"] >= 40
    assert told["first_defined_bar"] == (result.structured_content or {})["warmup_bars"]
    assert f"no look-ahead: later bars change nothing at {told['cuts']} cuts" in text_of(result)
    assert f"{told['total_return']:.2%} without costs, {told['delayed_return']:.2%} a bar later" in text_of(result)
    assert all(f"{name} {share:.1e}" in text_of(result) for name, share in told["drift"].items())
    assert max(len(text_of(result)), len(json.dumps(result.structured_content))) < FOUR_KB


class Clairvoyant(BuyAndHold):
    """Enters before the close rises."""

    title: ClassVar[str] = "Clairvoyant"

    def signals(self, bars: Bars) -> Signals:
        rises = np.append(np.diff(bars.close) > 0, np.ones(min(len(bars), 1), dtype=bool))
        return Signals(rises, ~rises)


async def test_a_strategy_that_looks_ahead_is_refused_by_name() -> None:
    server = build_server(StrategyRegistry([Clairvoyant]), lambda: pytest.fail("not needed"))
    config = {"strategy_id": Clairvoyant.id(), "parameters": {}}

    async with Client(server) as client:
        told = await refused(client, "validate_strategy", {"strategy_config": config})

    assert "looks ahead: later bars change entries from bar" in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strategy_id": "smacrossover"}, ["strategy_id", "did you mean 'sma_crossover'"]),
        ({"strategy_id": "x" * 1_000_000}, ["strategy_id", "64"]),
        ({"asset_symbol": "IBMM"}, ["asset_symbol", "did you mean 'IBM'", "AAPL"]),
        ({"asset_symbol": "'; drop table app.backtest_runs; --"}, ["asset_symbol"]),
        ({"asset_symbol": "../../etc/passwd"}, ["asset_symbol", "known: AAPL, IBM, MSFT"]),
        ({"asset_symbol": "IBM\x00"}, ["asset_symbol"]),
        ({"start_date": "2012-12-31", "end_date": "2001-01-02"}, ["start_date 2012-12-31", "end_date 2001-01-02"]),
        ({"start_date": "yesterday"}, ["start_date", "2005-01-03", "yesterday"]),
        ({"start_date": "1999-01-01"}, ["start_date 1999-01-01", "2000-03-01 to 2013-03-01"]),
        ({"end_date": "2031-01-01"}, ["end_date 2031-01-01", "2000-03-01 to 2013-03-01"]),
        ({"initial_capital": 0}, ["initial_capital", "at least 0.01"]),
        ({"initial_capital": -1}, ["initial_capital", "at least 0.01"]),
        ({"initial_capital": 1e-12}, ["initial_capital", "at least 0.01"]),
        ({"parameters": {"a\x00\nb": 1}}, ["'a\\x00\\nb'"]),
        ({"asset_symbol": "IBM\n"}, ["asset_symbol", "not allowed"]),
        ({"costs": {"commission": 0.1, "slippage": 0.1, "x": 1}}, ["costs.x: unknown field"]),
        ({"initial_capital": 1e308}, ["initial_capital", "1e+308"]),
        ({"initial_capital": "a lot"}, ["initial_capital", "number"]),
        ({"initial_capital": True}, ["initial_capital", "number"]),
        ({"parameters": {"fast_period": "20"}}, ["parameters.fast_period", "a whole number"]),
        ({"parameters": {"fast_period": 0}}, ["parameters.fast_period", "at least 1"]),
        ({"parameters": {"fast_period": 50, "slow_period": 20}}, ["fast_period 50", "slow_period 20"]),
        ({"parameters": {"fast": 5}}, ["parameters.fast", "did you mean 'fast_period'"]),
        ({"parameters": {"position_size": 1.5}}, ["parameters.position_size", "1.5"]),
        ({"parameters": {"x" * 1_000_000: 1}}, ["parameters.xxx"]),
        ({"parameters": {"fast_period": "9" * 1_000_000}}, ["parameters.fast_period"]),
        ({"parameters": [1]}, ["parameters", "an object"]),
        ({"timeframe": "2d"}, ["timeframe", "1d"]),
        ({"timeframe": "1h"}, ["timeframe", "known: 1d"]),
        ({"fill": "this_open"}, ["fill", "next_open"]),
        ({"costs": "free"}, ["costs", "us_equity"]),
        ({"costs": {"commission": 0.9, "slippage": 0}}, ["commission", "0.5"]),
        ({"adjustment": "some"}, ["adjustment", "raw"]),
        ({"risk_free": 1e308}, ["risk_free"]),
        ({"start_date": 951868800}, ["start_date", "2005-01-03"]),
        ({"start_date": "2001-01-02T00:00:00"}, ["start_date", "2005-01-03"]),
        ({"parameters": {f"unknown_{number}": 1 for number in range(5000)}}, ["parameters.unknown_0", "and "]),
        ({"capital": 5}, ["capital", "did you mean 'initial_capital'"]),
        ({"stop_loss": 5}, ["stop_loss", "below 1, got 5"]),
        ({"trailing_stop": {"atr": 2, "period": 0}}, ["trailing_stop.period", "at least 1"]),
        ({"take_profit": "far"}, ["take_profit", "number", "'far'"]),
        ({"sizing": {"method": "martingale"}}, ["sizing", "'percent_equity'", "'kelly'"]),
        ({"sizing": {"method": "fixed_cash"}}, ["sizing.amount: is required"]),
        ({"sizing": {"method": "risk_per_trade", "fraction": 0.01}}, ["add stop_loss or trailing_stop"]),
        ({"sizing": {"method": "percent_equity", "fraction": 3.0}}, ["max_leverage"]),
        ({"direction": "down"}, ["direction", "'short'"]),
        ({"strategy_id": "buy_and_hold", "direction": "short"}, ["direction", "use 'long'"]),
        ({"delay_bars": 11}, ["delay_bars", "at most 10"]),
        ({"costs": {"commission": 0, "slippage": 0, "slippage_atr": {"atr": 0}}}, ["costs.slippage_atr.atr"]),
        ({"trade_from": "2020-01-01"}, ["trade_from", "earlier"]),
    ],
)
async def test_a_wrong_argument_is_told_by_name_with_the_remedy_and_nothing_is_stored(
    client: Client, change: dict[str, Any], words: list[str]
) -> None:
    told = await refused(client, "run_backtest", IBM | change)

    assert [word for word in words if word not in told] == []
    assert not (await client.call_tool("run_backtest", IBM)).is_error


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
async def test_a_capital_that_is_no_number_is_refused(client: Client, number: float) -> None:
    assert "initial_capital" in await refused(client, "run_backtest", IBM | {"initial_capital": number})


async def test_a_missing_argument_is_told_by_name(client: Client) -> None:
    without = {name: value for name, value in IBM.items() if name != "end_date"}

    assert "end_date: is required" in await refused(client, "run_backtest", without)


async def test_a_run_that_fails_is_kept_with_its_reason(client: Client) -> None:
    short = IBM | {"start_date": "2000-03-01", "end_date": "2000-03-31"}

    result = await client.call_tool("run_backtest", short)

    assert result.is_error
    assert "warm-up" in text_of(result)
    (run_id,) = re.findall("bt-[0-9a-f]{12}", text_of(result))
    kept = (await client.call_tool("get_backtest_results", {"backtest_id": run_id})).structured_content or {}
    assert kept["status"] == "failed"
    assert "warm-up" in kept["summary"]["error"]
    assert "warm-up" in await refused(client, "get_metrics", {"backtest_id": run_id})
    for section in ("trades", "equity", "periods", "drawdowns"):
        assert "warm-up" in await refused(client, "get_backtest_results", {"backtest_id": run_id, "section": section})
    assert "warm-up" in await refused(client, "plot_backtest", {"backtest_id": run_id})
    assert "warm-up" in await refused(client, "export_backtest", {"backtest_ids": [run_id], "format": "csv"})


@pytest.mark.parametrize("tool", ["get_backtest_results", "get_metrics", "plot_backtest"])
@pytest.mark.parametrize("run_id", ["bt-000000000000", "1; drop table app.backtest_runs", "", "b\x00t"])
async def test_an_unknown_id_is_told(client: Client, tool: str, run_id: str) -> None:
    assert "backtest_id" in await refused(client, tool, {"backtest_id": run_id})


def picture(result: CallToolResult) -> bytes:
    """Return the one picture of an answer."""
    (block,) = [block for block in result.content if block.type == "image"]
    assert block.mime_type == "image/png"
    return base64.b64decode(block.data)


async def test_a_stored_run_is_drawn_and_named(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}

    pictures = [
        await client.call_tool("plot_backtest", {"backtest_id": run["backtest_id"], "kind": kind, "theme": "dark"})
        for kind in CHARTS
    ]

    assert all(picture(each).startswith(b"\x89PNG") and len(picture(each)) <= SIXTY_KB for each in pictures)
    assert len({picture(each) for each in pictures}) == len(CHARTS)
    assert all(run["backtest_id"] in text_of(each) for each in pictures)
    assert all(f"Believe it? {run['verdict']}" in text_of(each) for each in pictures)
    assert all(f"{point['weight']}, {point['code']}" in text_of(pictures[0]) for point in run["diagnostics"])
    assert all(each.structured_content is None for each in pictures), "some clients would show it instead"


async def test_a_run_and_its_picture_come_in_one_call(client: Client) -> None:
    run = await client.call_tool("run_backtest", IBM | {"include_chart": True})

    assert run.structured_content is not None and run.structured_content["backtest_id"] in text_of(run)
    again = await client.call_tool("plot_backtest", {"backtest_id": run.structured_content["backtest_id"]})
    assert picture(run) == picture(again)


async def test_a_run_whose_picture_fails_is_told_all_the_same(stores: Stores) -> None:
    registry = StrategyRegistry(STRATEGIES)
    elsewhere = Reports(InMemoryRuns(), stores.bars, stores.trials, NOWHERE)  # where the run to be drawn is not stored
    services = replace(services_on(stores, registry), reports=elsewhere)

    with structlog.testing.capture_logs() as logs:
        async with Client(build_server(registry, lambda: services)) as client:
            run = await client.call_tool("run_backtest", IBM | {"include_chart": True})

    assert not run.is_error and run.structured_content is not None
    run_id = run.structured_content["backtest_id"]
    assert stores.runs.get(run_id).summary is not None
    assert [block.type for block in run.content] == ["text"]
    assert f"its picture could not be drawn: plot_backtest('{run_id}') tries again" in text_of(run)
    assert [(entry["event"], entry["run_id"]) for entry in logs] == [("picture", run_id), ("call", run_id)]


async def test_the_server_answers_while_it_draws(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
    answered: list[str] = []

    async def call(tool: str, arguments: dict[str, Any]) -> None:
        await client.call_tool(tool, arguments)
        answered.append(tool)

    async with asyncio.TaskGroup() as calls:
        calls.create_task(call("plot_backtest", {"backtest_id": run["backtest_id"], "kind": "monthly"}))
        calls.create_task(call("list_strategies", {}))

    assert answered == ["list_strategies", "plot_backtest"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "pie"}, ["kind", "monthly"]),
        ({"theme": "sepia"}, ["theme", "dark"]),
        ({"run": "x"}, ["run: unknown field"]),
    ],
)
async def test_a_picture_there_is_not_is_told_with_those_there_are(
    client: Client, change: dict[str, Any], words: list[str]
) -> None:
    told = await refused(client, "plot_backtest", {"backtest_id": "bt-000000000000"} | change)

    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize(("format_", "count"), [("html", 1), ("csv", 6), ("parquet", 6), ("json", 2)])
async def test_runs_are_written_to_files_that_are_named_and_linked(client: Client, format_: str, count: int) -> None:
    ids = [
        ((await client.call_tool("run_backtest", IBM | {"strategy_id": each})).structured_content or {})["backtest_id"]
        for each in ("sma_crossover", "macd")
    ]

    written = await client.call_tool("export_backtest", {"backtest_ids": ids, "format": format_})

    assert not written.is_error
    links = [block for block in written.content if block.type == "resource_link"]
    paths = [Path(url2pathname(urlparse(link.uri).path)) for link in links]
    assert len(paths) == count
    assert text_of(written).splitlines()[1:] == [str(path) for path in paths]
    assert [path.stat().st_size for path in paths] == [link.size for link in links]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"backtest_ids": [], "format": "csv"}, ["backtest_ids", "1 to 6"]),
        ({"backtest_ids": ["../../etc/passwd"], "format": "csv"}, ["backtest_id", "is no id"]),
        ({"backtest_ids": ["bt-000000000000"], "format": "html"}, ["no stored run bt-000000000000"]),
        ({"backtest_ids": ["bt-000000000000"], "format": "xlsx"}, ["format", "parquet"]),
    ],
)
async def test_an_export_that_cannot_be_meant_is_told_and_writes_nothing(
    client: Client, reports: Path, arguments: dict[str, Any], words: list[str]
) -> None:
    before = {each.name for each in os.scandir(reports)}

    told = await refused(client, "export_backtest", arguments)

    assert [word for word in words if word not in told] == []
    assert {each.name for each in os.scandir(reports)} == before


async def test_the_report_of_a_run_is_a_resource(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}

    (content,) = (await client.read_resource(f"backtest://{run['backtest_id']}/report")).contents

    assert content.mime_type == "text/html"
    assert content.text.startswith("<!doctype html>") and run["backtest_id"] in content.text  # type: ignore[union-attr]


async def test_unknown_metrics_are_told_with_the_nearest_and_the_known_ones(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}

    told = await refused(client, "get_metrics", {"backtest_id": run["backtest_id"], "metrics": ["sharp", "cagr", "zz"]})

    assert "did you mean 'sharpe_ratio'" in told and "'zz'" in told and "calmar_ratio" in told


async def test_a_defect_is_told_without_its_details() -> None:
    def broken() -> Services:
        raise RuntimeError("the secret of the house")

    async with Client(build_server(StrategyRegistry(STRATEGIES), broken)) as client:
        with structlog.testing.capture_logs() as logs:
            told = await refused_defect(client)

    assert "secret" not in told and "defect" in told
    assert any(entry["event"] == "defect" for entry in logs)


async def test_a_stored_run_that_cannot_be_read_is_a_defect_and_not_the_callers_mistake(template: Database) -> None:
    database = copy_of(template)
    stores, registry = database.stores(), StrategyRegistry(STRATEGIES)
    services = services_on(stores, registry)

    async with Client(build_server(registry, lambda: services)) as client:
        run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
        database.execute("update app.backtest_runs set request = '{}'")
        told = text_of(await client.call_tool("get_metrics", {"backtest_id": run["backtest_id"]}))

    assert "defect" in told and "is required" not in told
    stores.close()


async def refused_defect(client: Client) -> str:
    result = await client.call_tool("run_backtest", IBM)
    assert result.is_error
    return text_of(result)


async def test_each_call_logs_one_line_with_tool_duration_outcome_and_run(client: Client) -> None:
    with structlog.testing.capture_logs() as logs:
        run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
        await client.call_tool("run_backtest", IBM | {"asset_symbol": "NOPE"})
        await client.call_tool("plot_backtest", {"backtest_id": run["backtest_id"]})

    lines = [entry for entry in logs if entry["event"] == "call"]
    assert [(line["tool"], line["outcome"], line["run_id"]) for line in lines] == [
        ("run_backtest", "ok", run["backtest_id"]),
        ("run_backtest", "unknown_name", None),
        ("plot_backtest", "ok", run["backtest_id"]),
    ]
    assert all(line["ms"] > 0 for line in lines)


async def test_resources_show_runs_and_strategies_as_json(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
    uri = f"backtest://{run['backtest_id']}"

    async def read(uri: str) -> Any:
        (content,) = (await client.read_resource(uri)).contents
        return strict(content.text)  # type: ignore[union-attr]

    whole = await read(uri)
    assert run["metrics"] == whole["metrics"] and run["verdict"] == whole["verdict"]
    assert run["request"].items() < whole["request"].items() and run["provenance"].items() < whole["provenance"].items()
    assert len((await read(f"{uri}/results"))["trades"]) == 35
    assert tuple((await read(f"{uri}/metrics"))["metrics"]) == (*KEYS, *JUDGED)
    strategies = (await read("strategies://list"))["strategies"]
    assert strategies[0]["strategy_id"] == "sma_crossover"
    assert strategies[0]["parameters"]["properties"]["fast_period"]["default"] == 20
    assert await read("strategies://sma_crossover") == strategies[0]


async def test_the_trades_of_a_run_are_read_page_by_page_as_the_tool_reads_them(client: Client) -> None:
    quick = {"parameters": {"fast_period": 2, "slow_period": 4}}
    run = (await client.call_tool("run_backtest", IBM | quick)).structured_content or {}
    uri, rows = f"backtest://{run['backtest_id']}/trades", []

    offset = "0"
    while offset != "None":
        (content,) = (await client.read_resource(f"{uri}?offset={offset}" if rows else uri)).contents
        page = strict(content.text)  # type: ignore[union-attr]
        assert len(page["trades"]) <= 100
        rows, offset = rows + page["trades"], str(page["next_offset"])

    wanted = {"backtest_id": run["backtest_id"], "section": "trades", "limit": 500}
    told = (await client.call_tool("get_backtest_results", wanted)).structured_content or {}
    assert len(rows) == page["total"] > 200
    assert (rows, page["trade_columns"]) == (told["trades"], told["trade_columns"])


@pytest.mark.parametrize("offset", ["-1", "1.5", "next", "1" * 5000, "%C2%B2"])
async def test_an_offset_that_is_no_number_is_told(client: Client, offset: str) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}

    with pytest.raises(MCPError, match=r"offset: .* is no whole number from 0 on"):
        await client.read_resource(f"backtest://{run['backtest_id']}/trades?offset={offset}")


async def test_the_guides_are_handed_out_by_a_tool_too(client: Client) -> None:
    for name in ("reading-results", "rules", "metrics"):
        (content,) = (await client.read_resource(f"guide://{name}")).contents
        assert text_of(await client.call_tool("read_guide", {"name": name})) == content.text  # type: ignore[union-attr]

    assert "reading-results" in await refused(client, "read_guide", {"name": "everything"})


@pytest.mark.parametrize(
    "uri",
    [
        "backtest://bt-000000000000",
        "backtest://nope/results",
        "backtest://a%2Fb/metrics",
        "backtest://nope/report",
        "backtest://nope/trades",
        "strategies://sma_crosover",
    ],
)
async def test_a_resource_that_is_not_there_is_a_protocol_error(client: Client, uri: str) -> None:
    with pytest.raises(MCPError) as told:
        await client.read_resource(uri)

    assert told.value.error.code == -32602


WORST_TOLD = {"direction": "both", "stop_loss": {"atr": 2}, "trailing_stop": 0.2, "take_profit": 0.5}


@pytest.mark.parametrize("strategy", [each.id() for each in STRATEGIES if each is not BuyAndHold])
async def test_a_trade_is_explained_in_text_and_structure_under_four_kilobytes(client: Client, strategy: str) -> None:
    run = await client.call_tool("run_backtest", IBM | WORST_TOLD | {"strategy_id": strategy})
    backtest_id = (run.structured_content or {})["backtest_id"]

    why = await client.call_tool("explain_trade", {"backtest_id": backtest_id, "number": 1})

    assert not why.is_error and why.structured_content is not None
    assert len(text_of(why)) + len(json.dumps(why.structured_content)) < FOUR_KB
    told = why.structured_content["why"]
    assert set(told["levels"]) == {"stop", "trailing stop", "target"}
    assert told["entry_decision"]["indicators"]["close"][1] > 0
    assert why.structured_content["trade"]["number"] == 1


async def test_a_run_is_verified_in_text_and_structure(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}

    verified = await client.call_tool("verify_run", {"backtest_id": run["backtest_id"]})

    assert verified.structured_content == {
        "backtest_id": run["backtest_id"],
        "identical": True,
        "changes": {"causes": [], "effects": [], "metrics": [], "metrics_changed": 0},
    }
    assert "identical" in text_of(verified)


async def test_what_cannot_be_explained_or_verified_is_told_with_what_would_be_right(client: Client) -> None:
    run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
    of_run = {"backtest_id": run["backtest_id"]}

    assert "its trades are 0 to " in await refused(client, "explain_trade", of_run | {"number": 1_000})
    assert "number" in await refused(client, "explain_trade", of_run | {"number": 2**70})
    assert "no stored run" in await refused(client, "verify_run", {"backtest_id": "bt-000000000000"})
