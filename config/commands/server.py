"""Commands that serve, and that look after what serving needs."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from backtesting.errors import BacktestError
from backtesting.late import Late
from config.clients import CLIENT_IDS, client_named, install
from config.commands.parsing import Commands, added, with_json
from config.commands.showing import show, show_json
from config.doctor import examine
from config.program import Program
from mcp_server.server import build_server
from utils.logger import configure_logging
from utils.watch import when

if TYPE_CHECKING:
    from backtesting.worker import Worker
    from config import compiling
else:
    compiling = Late("config.compiling")  # for what runs long, after it has started

STOP_SECONDS, GIVE_BACK_SECONDS = 0.3, 0.7  # within which work is given back, however busy the worker is


def add_to(commands: Commands) -> None:
    """Add the family to the command line."""
    added(commands, "serve", serve)
    until = added(commands, "worker", worker)
    until.add_argument("--until-eof", action="store_true", help="end with the standard input too")
    with_json(added(commands, "doctor", doctor))
    client = added(commands, "install", install_into)
    client.add_argument("client", choices=CLIENT_IDS, nargs="?", default=CLIENT_IDS[0], help="default: %(default)s")
    client.add_argument("--show", action="store_true", help="print the entry and change nothing")
    database = commands.add_parser("db", help="look after the database").add_subparsers(required=True, metavar="ACTION")
    added(database, "upgrade", upgrade)


def serve(program: Program, _: argparse.Namespace) -> int:
    """Serve MCP over stdio until the client closes it."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    configure_logging(program.settings.log_level, json=program.settings.log_json)

    services = lambda: program.application().services()  # noqa: E731
    build_server(program.registry, services, program.settings.toolset, [WarmUp(program)]).run()
    return 0


class WarmUp:
    """Imports what most calls need beside the first one, whatever it asks: a session without calls stays small."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.thread: Thread | None = None

    async def __call__(self, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """See every message pass, as a middleware of the server."""
        if self.thread is None and ctx.method == "tools/call":
            self.thread = Thread(target=self._warm_up, name="warm-up", daemon=True)
            self.thread.start()
        return await call_next(ctx)

    def _warm_up(self) -> None:
        with suppress(BacktestError):  # what is wrong with the settings, the call that needs them will tell
            self._program.application()
        compiling.compile_aside()


def worker(program: Program, options: argparse.Namespace) -> int:
    """Serve long jobs in the background, until a signal ends it."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    configure_logging(program.settings.log_level, json=program.settings.log_json)
    stop, ended = Event(), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.until_eof:
        when(sys.stdin.read, stop.set)

    serving: list[Worker] = []
    when(stop.wait, partial(end_anyway, program, serving, ended))
    serving.append(program.application().worker())
    serving[0].run(stop)
    ended.set()
    return 0


def end_anyway(program: Program, serving: "Sequence[Worker]", ended: Event) -> None:
    """End the process where its work, or its start, does not let go of it."""
    if not ended.wait(STOP_SECONDS):
        given_back = Event()
        when(partial(give_back, serving), given_back.set)
        given_back.wait(GIVE_BACK_SECONDS)
        program.leave()
        os._exit(0)


def give_back(serving: "Sequence[Worker]") -> None:
    """Give back what is unfinished, where the database can be reached."""
    with suppress(BacktestError):
        for worker in serving:
            worker.release()


def doctor(program: Program, options: argparse.Namespace) -> int:
    """Say what works and what does not, and what to paste into an MCP client."""
    if options.as_json:
        lines: list[str] = []
        well = examine(program.application, lines.append)
        told = [re.fullmatch(r"(ok|FAIL) +([^:]+): (.*)", line, re.DOTALL) for line in lines]
        checks = [{"check": each[2], "ok": each[1] == "ok", "found": each[3]} for each in told if each]
        show_json({"well": well, "checks": checks})
        return 0 if well else 1
    well = examine(program.application, show)
    print(f"\nFor your MCP client, e.g. claude_desktop_config.json:\n{client_named(CLIENT_IDS[0]).configuration()}")
    return 0 if well else 1


def install_into(_: Program, options: argparse.Namespace) -> int:
    """Enter this server into an MCP client's configuration, or show what to enter."""
    client = client_named(options.client)
    if options.show:
        print(client.configuration())
        return 0
    done = install(client)
    kept = f"; what it held before is in {done.backup}" if done.backup else ""
    print(f"{done.path}: {f'entered{kept}. Restart {client.title}' if done.changed else 'up to date'}.")
    return 0


def upgrade(program: Program, _: argparse.Namespace) -> int:
    """Bring the database to this program's schema, and load the sample."""
    print(f"up to date: {program.application().stores(upgrade=True).place}")
    return 0
