"""Entering the server into the configuration of MCP clients, in a home of the test's own."""

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp import Client as McpClient
from mcp import StdioServerParameters

import main
from config.clients import CLIENTS, NAME, Client, ClientConfigurationError, client_named, install, server_entry
from tests.fixtures.postgres import reachable_folder

HOME = os.environ.get("HOME", "")  # where uv keeps what it has downloaded
BUY_AND_HOLD = {"strategy_id": "buy_and_hold", "asset_symbol": "IBM", "initial_capital": 1000.0, "parameters": {}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


@pytest.fixture(params=CLIENTS, ids=lambda client: client.id)
def client(request: pytest.FixtureRequest) -> Client:
    return request.param


def held(client: Client) -> dict[str, Any]:
    return json.loads(client.path().read_text(encoding="utf-8"))


def test_a_client_without_a_file_gets_one_that_only_its_user_reads(client: Client, home: Path) -> None:
    done = install(client)

    assert done.changed and done.backup is None
    assert held(client) == {client.key: {NAME: server_entry()}}
    assert client.path().is_relative_to(home)
    assert stat.S_IMODE(client.path().stat().st_mode) == 0o600


def test_what_the_file_lists_already_stays_and_is_backed_up(client: Client) -> None:
    before = {"theme": "dark", client.key: {"other": {"command": "é"}}}
    client.path().parent.mkdir(parents=True, exist_ok=True)
    client.path().write_text(json.dumps(before), encoding="utf-8")

    done = install(client)

    assert held(client) == {"theme": "dark", client.key: {"other": {"command": "é"}, NAME: server_entry()}}
    assert done.backup is not None and json.loads(done.backup.read_text(encoding="utf-8")) == before


def test_a_second_time_changes_nothing_and_leaves_no_backup(client: Client) -> None:
    install(client)
    files = sorted(client.path().parent.iterdir())

    again = install(client)

    assert not again.changed and again.backup is None
    assert sorted(client.path().parent.iterdir()) == files


def test_an_old_entry_is_brought_up_to_date_and_keeps_the_users_environment(client: Client) -> None:
    old = {client.key: {NAME: {"command": "/gone/python", "args": [], "env": {"BACKTEST_USER": "ann"}}}}
    client.path().parent.mkdir(parents=True, exist_ok=True)
    client.path().write_text(json.dumps(old), encoding="utf-8")

    install(client)

    assert held(client) == {client.key: {NAME: {"env": {"BACKTEST_USER": "ann"}, **server_entry()}}}


def test_two_backups_do_not_replace_one_another(client: Client) -> None:
    client.path().parent.mkdir(parents=True, exist_ok=True)
    backups = set()
    for moment in (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)):
        client.path().write_text("{}", encoding="utf-8")
        backups.add(install(client, now=lambda moment=moment: moment).backup)

    assert len(backups) == 2


@pytest.mark.parametrize(
    "text", ['{"a": 1,}', '{ // comment\n "mcpServers": {} }', "[]", '{"mcpServers": 3, "servers": 3}']
)
def test_a_file_that_is_not_what_it_should_be_is_left_as_it_is(client: Client, text: str) -> None:
    client.path().parent.mkdir(parents=True, exist_ok=True)
    client.path().write_text(text, encoding="utf-8")

    with pytest.raises(ClientConfigurationError) as refused:
        install(client)

    assert str(client.path()) in str(refused.value)
    assert client.path().read_text(encoding="utf-8") == text
    assert sorted(client.path().parent.iterdir()) == [client.path()]


def test_a_link_to_a_file_kept_elsewhere_stays_a_link(client: Client, home: Path) -> None:
    elsewhere = home / "dotfiles.json"
    elsewhere.write_text("{}", encoding="utf-8")
    client.path().parent.mkdir(parents=True, exist_ok=True)
    client.path().symlink_to(elsewhere)

    install(client)

    assert client.path().is_symlink()
    assert NAME in json.loads(elsewhere.read_text(encoding="utf-8"))[client.key]


def test_the_command_says_what_it_did_and_showing_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    codes = [
        main.main(["install", "cursor", "--show"]),
        main.main(["install", "cursor"]),
        main.main(["install", "cursor"]),
    ]

    told = capsys.readouterr().out
    assert codes == [0, 0, 0]
    assert told.index('"mcpServers"') < told.index("entered. Restart Cursor.") < told.index("mcp.json: up to date.")


async def test_a_client_started_from_exactly_that_entry_runs_a_backtest() -> None:
    main.main(["install", "claude-desktop"])
    entry = held(client_named("claude-desktop"))["mcpServers"][NAME]
    arguments = BUY_AND_HOLD | {"start_date": "2001-01-02", "end_date": "2002-01-02"}

    with reachable_folder() as folder:
        environment = os.environ | {"HOME": HOME, "BACKTEST_DATA_DIR": str(folder / "home")}
        server = StdioServerParameters(command=entry["command"], args=entry["args"], env=environment, cwd="/")
        async with McpClient(server, read_timeout_seconds=120) as client:
            run = await client.call_tool("run_backtest", arguments)

    assert not run.is_error
