"""The real process, as a client starts it: over stdio, on an embedded PostgreSQL of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp import Client, StdioServerParameters

from tests.fixtures.postgres import reachable_folder
from tests.test_mcp_server import STANDARD

MAIN = str(Path(__file__).resolve().parent.parent / "main.py")
IBM: dict[str, Any] = {
    "strategy_id": "sma_crossover",
    "asset_symbol": "IBM",
    "start_date": "2000-03-01",
    "end_date": "2013-03-01",
    "initial_capital": 100_000,
    "parameters": {"position_size": 0.95},
    "costs": {"commission": 0.001, "slippage": 0.0005},
}
PATIENCE = 60


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A data directory whose database has been made."""
    with reachable_folder() as folder:
        home = folder / "our data"
        subprocess.run([sys.executable, MAIN, "demo"], env=environment(home), check=True, capture_output=True)
        yield home


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"BACKTEST_DATA_DIR": str(home), "BACKTEST_ENV_FILE": ""} | more


def server(home: Path, **more: str) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=[MAIN], env=environment(home, **more), cwd="/")


def postmasters(home: Path) -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if f"{home}/pg18/data" in (each.info["cmdline"] or [])]


@contextmanager
def raw(home: Path) -> Iterator[subprocess.Popen[str]]:
    """The process with bare pipes, greeted in the 2025 way."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, MAIN], env=environment(home), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    with process:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
        ask(process, 1, "initialize", hello)
        say(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        try:
            yield process
        finally:
            process.kill()


def say(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def ask(process: subprocess.Popen[str], number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Send a request and return the next line of the answer, which must be the protocol's."""
    say(process, {"jsonrpc": "2.0", "id": number, "method": method, "params": params})
    assert process.stdout is not None
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    assert answer["id"] == number
    return answer


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_tools_of_a_run_answer_over_stdio_with_the_published_number(home: Path, mode: Any) -> None:
    async with Client(server(home), mode=mode, read_timeout_seconds=PATIENCE) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        run = (await client.call_tool("run_backtest", IBM)).structured_content or {}
        results = await client.call_tool("get_backtest_results", {"backtest_id": run["backtest_id"]})
        metrics = await client.call_tool("get_metrics", {"backtest_id": run["backtest_id"], "metrics": ["cagr"]})
        listed = await client.call_tool("list_strategies", {})
        checked = await client.call_tool(
            "validate_strategy", {"strategy_config": {"strategy_id": "rsi", "parameters": {}}}
        )

    assert names == STANDARD
    assert run["metrics"]["final_capital"] == pytest.approx(68080.040937367, rel=1e-12)  # contract 13.4
    assert not any(each.is_error for each in (results, metrics, listed, checked))


YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2023-01-03,130.28,130.90,124.17,125.07,123.90,112117500
2023-01-04,126.89,128.66,125.08,126.36,125.18,89113600
2023-01-05,127.13,127.77,124.76,125.02,123.85,80962700
"""


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_file_in_the_users_import_folder_is_tested_in_two_calls(home: Path, mode: Any) -> None:
    symbol = f"NV{mode[:2].upper()}"
    seen: list[float] = []

    async def watch(done: float, *_: object) -> None:
        seen.append(done)

    async with Client(server(home), mode=mode, read_timeout_seconds=PATIENCE) as client:
        told = await client.call_tool("import_market_data", {"path": "none.csv"})
        (home / "import" / f"{symbol}.csv").write_text(YAHOO, encoding="utf-8")
        imported = await client.call_tool("import_market_data", {"path": f"{symbol}.csv"}, progress_callback=watch)
        days = {"start_date": "2023-01-03", "end_date": "2023-01-05"}
        run = await client.call_tool(
            "run_backtest", IBM | days | {"asset_symbol": symbol, "strategy_id": "buy_and_hold", "parameters": {}}
        )
        secret = await client.call_tool("import_market_data", {"path": str(home / "bt_app.secret")})

    assert told.is_error and str(home / "import") in str(told.content)
    assert (imported.structured_content or {})["files"][0]["bars_added"] == 3 and seen[0] == 0
    # entered at the open of 4 January, adjusted, with slippage and commission; valued at the last close
    entry = 126.89 * 125.18 / 126.36 * 1.0005 * 1.001
    assert (run.structured_content or {})["metrics"]["final_capital"] == pytest.approx(100_000 * 123.85 / entry)
    assert secret.is_error and "may be read" in str(secret.content)


async def test_two_servers_share_one_database(home: Path) -> None:
    async with Client(server(home), read_timeout_seconds=PATIENCE) as one:
        async with Client(server(home), read_timeout_seconds=PATIENCE) as other:
            runs = await asyncio.gather(
                *(client.call_tool("run_backtest", IBM | {"rerun": True}) for client in (one, other, one, other))
            )
            ids = [(run.structured_content or {})["backtest_id"] for run in runs]
            assert len(postmasters(home)) == 1
        found = [await one.call_tool("get_backtest_results", {"backtest_id": run_id}) for run_id in ids]

    assert len(set(ids)) == 4
    assert not any(each.is_error for each in found)


def test_the_process_writes_nothing_but_the_protocol_to_stdout(home: Path) -> None:
    with raw(home) as process:
        answer = ask(process, 2, "tools/call", {"name": "run_backtest", "arguments": IBM})
        out, _ = process.communicate(timeout=PATIENCE)

    assert answer["result"]["isError"] is False
    assert out == ""


def test_a_client_that_never_reads_the_log_is_answered_all_the_same(home: Path) -> None:
    with raw(home) as process:
        for number in range(2, 1002):
            ask(process, number, "tools/call", {"name": "list_strategies", "arguments": {}})
        assert process.stdin is not None
        process.stdin.close()
        code = process.wait(timeout=PATIENCE)

    assert code == 0


def test_a_server_killed_leaves_every_completed_run_and_the_next_start_works(home: Path) -> None:
    with raw(home) as process:
        answer = ask(process, 2, "tools/call", {"name": "run_backtest", "arguments": IBM})
        run_id = answer["result"]["structuredContent"]["backtest_id"]
        process.kill()
        process.wait()

    with raw(home) as process:
        again = ask(process, 2, "tools/call", {"name": "get_backtest_results", "arguments": {"backtest_id": run_id}})

    assert again["result"]["structuredContent"]["summary"] == answer["result"]["structuredContent"]


def test_a_server_whose_postgres_was_killed_answers_the_next_call(home: Path) -> None:
    with raw(home) as process:
        first = ask(process, 2, "tools/call", {"name": "run_backtest", "arguments": IBM})
        for postmaster in postmasters(home):
            postmaster.kill()
        psutil.wait_procs(postmasters(home), timeout=PATIENCE)
        run_id = first["result"]["structuredContent"]["backtest_id"]
        again = ask(process, 3, "tools/call", {"name": "get_backtest_results", "arguments": {"backtest_id": run_id}})

    assert again["result"]["isError"] is False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_and_its_postgres(home: Path, number: signal.Signals) -> None:
    with raw(home) as process:
        ask(process, 2, "tools/call", {"name": "run_backtest", "arguments": IBM})
        process.send_signal(number)
        code = process.wait(timeout=PATIENCE)

    assert code == 128 + number
    assert postmasters(home) == []


def test_the_end_of_input_ends_the_process_and_its_postgres(home: Path) -> None:
    with raw(home) as process:
        ask(process, 2, "tools/call", {"name": "run_backtest", "arguments": IBM})
        _, logs = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert postmasters(home) == []
    assert [json.loads(line)["outcome"] for line in logs.splitlines() if '"event": "call"' in line] == ["ok"]


async def test_a_database_out_of_reach_is_a_tool_error_and_the_server_lives(home: Path) -> None:
    nowhere = "postgresql://someone:s3cret@127.0.0.1:9/nothing"

    async with Client(server(home, DATABASE_URL=nowhere), read_timeout_seconds=PATIENCE) as client:
        refused = await client.call_tool("run_backtest", IBM)
        listed = await client.call_tool("list_strategies", {})

    assert refused.is_error
    told = str(refused.content)
    assert "cannot be reached" in told and "doctor" in told
    assert "s3cret" not in told
    assert not listed.is_error


async def test_a_wrong_database_url_is_a_tool_error_that_says_what_would_be_right(home: Path) -> None:
    async with Client(server(home, DATABASE_URL="mysql://a:s3cret@b/c"), read_timeout_seconds=PATIENCE) as client:
        refused = await client.call_tool("run_backtest", IBM)

    told = str(refused.content)
    assert refused.is_error
    assert "postgresql://" in told and "s3cret" not in told


def test_what_talks_to_the_database_is_imported_beside_the_first_call_and_not_before() -> None:
    look = """
import asyncio, sys
from types import SimpleNamespace
sys.argv = ["main.py"]
import main
from config.commands.server import WarmUp

async def answer(message):
    return message.method

warm_up = WarmUp(main.Program(main.read_settings()))
for method in ("initialize", "tools/list", "tools/call"):
    answered = asyncio.run(warm_up(SimpleNamespace(method=method), answer))
    if warm_up.thread:
        warm_up.thread.join()
    print(answered, "sqlalchemy" in sys.modules)
"""

    told = subprocess.run(
        [sys.executable, "-c", look], cwd=Path(MAIN).parent, capture_output=True, text=True, check=True
    )

    assert told.stdout.split() == "initialize False tools/list False tools/call True".split()


def test_the_first_answer_needs_neither_vectorbt_nor_pandas_nor_numba() -> None:
    look = (
        "import sys; sys.argv = ['main.py']; import main; main.Program(main.read_settings()).application();"
        "print(sorted({'vectorbt', 'pandas', 'pyarrow', 'numba', 'alembic', 'matplotlib'} & set(sys.modules)))"
    )

    told = subprocess.run(
        [sys.executable, "-c", look], cwd=Path(MAIN).parent, capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"
