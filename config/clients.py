"""The MCP clients this server can be entered into: where each keeps its list of servers, and how an entry is added."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from backtesting.errors import BacktestError
from config.settings import PROJECT

NAME = "backtesting"
PRIVATE = 0o600  # other servers' entries may hold their secrets


class ClientConfigurationError(BacktestError):
    """A client's file cannot be read as what it should be, or not be written; it was left as it is."""

    code = "client_configuration"


@dataclass(frozen=True, slots=True)
class Client:
    """A program that starts MCP servers: its file, and the name under which the file lists servers."""

    id: str
    title: str
    path: Callable[[], Path]
    key: str = "mcpServers"

    def configuration(self) -> str:
        """Return what a file would hold that lists only this server."""
        return json.dumps({self.key: {NAME: server_entry()}}, indent=2)


@dataclass(frozen=True, slots=True)
class Installed:
    """What became of a client's file: `backup` is the copy of what it held, where it held something else."""

    path: Path
    changed: bool
    backup: Path | None


def _roaming(program: str, *rest: str) -> Path:
    return user_config_path(program, appauthor=False, roaming=True).joinpath(*rest)


CLIENTS: tuple[Client, ...] = (
    Client("claude-desktop", "Claude Desktop", lambda: _roaming("Claude", "claude_desktop_config.json")),
    Client("claude-code", "Claude Code", lambda: Path.home() / ".claude.json"),
    Client("cursor", "Cursor", lambda: Path.home() / ".cursor" / "mcp.json"),
    Client("vscode", "Visual Studio Code", lambda: _roaming("Code", "User", "mcp.json"), key="servers"),
)
CLIENT_IDS = tuple(client.id for client in CLIENTS)


def client_named(client_id: str) -> Client:
    """Return the client of this id, one of `CLIENT_IDS`."""
    return next(client for client in CLIENTS if client.id == client_id)


def server_entry() -> dict[str, Any]:
    """Return how a client starts this server, wherever it stands and whatever environment it hands on."""
    main, uv = str(PROJECT / "main.py"), shutil.which("uv")
    pinned = ["run", "--no-project", "--with-requirements", str(PROJECT / "requirements.lock"), main]
    command = {"command": uv, "args": pinned} if uv else {"command": sys.executable, "args": [main]}
    return {"type": "stdio", **command}


def install(client: Client, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Installed:
    """Enter this server into the client's file, beside what it lists already; a second time changes nothing.

    ClientConfigurationError when the file is no JSON object or cannot be written.
    """
    path = client.path()
    held = _read(path)
    servers = held.get(client.key, {})
    if not isinstance(servers, dict):
        raise ClientConfigurationError(f"{path}: {client.key} is no object; mend it, or add by hand: {NAME}")
    entry = {**_kept(servers.get(NAME)), **server_entry()}
    if servers.get(NAME) == entry:
        return Installed(path, changed=False, backup=None)
    try:
        backup = _back_up(path, now()) if path.exists() else None
        _write(path, held | {client.key: servers | {NAME: entry}})
    except OSError as error:
        raise ClientConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    return Installed(path, changed=True, backup=backup)


def _kept(entry: Any) -> Mapping[str, Any]:
    """Return what the user added to an earlier entry, such as settings in `env`."""
    return entry if isinstance(entry, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ClientConfigurationError(f"{path} cannot be read: {error}") from error
    try:
        held = json.loads(text or "{}")
    except ValueError as error:
        raise ClientConfigurationError(
            f"{path} is not plain JSON ({error}) and was left as it is: add what `main.py install --show` prints"
        ) from error
    if not isinstance(held, dict):
        raise ClientConfigurationError(f"{path} holds no JSON object; it was left as it is")
    return held


def _back_up(path: Path, when: datetime) -> Path:
    backup = path.with_name(f"{path.name}.{when:%Y%m%dT%H%M%S%f}.backup")
    shutil.copy2(path, backup)
    return backup


def _write(path: Path, held: Mapping[str, Any]) -> None:
    """Write the whole file beside the old one, then give it its place: nobody ever reads half of it."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode if target.exists() else PRIVATE
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        unfinished.write_text(json.dumps(held, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        unfinished.chmod(mode)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
