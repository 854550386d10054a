"""The command line; without a command, serves MCP over stdio."""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from pydantic import ValidationError

from backtesting.assets import spellings_of
from backtesting.errors import BacktestError, InvalidInputError
from backtesting.judgement import judged
from backtesting.reporting.catalog import asset_lines
from backtesting.reporting.text import report, trade_lines
from backtesting.reports import ExportFormat
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import (
    AssetClass,
    AssetEdit,
    AssetSearch,
    FetchMode,
    FetchRequest,
    ImportRequest,
    Timeframe,
    validated,
)
from config.clients import CLIENT_IDS, client_named, install
from config.doctor import examine
from config.settings import Settings, read_settings
from mcp_server.server import build_server
from utils.logger import configure_logging, tell
from utils.progress import ProgressBar
from utils.watch import when

if TYPE_CHECKING:
    from config.application import Application

LAST_TRADES = 5
LISTED_ASSETS = 200
STOP_SECONDS = 0.5  # within which work is given back, however busy the worker is
SIGNAL_EXIT = 128


class Program:
    """What every command has: settings and strategies at once, all other parts when they are first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = StrategyRegistry(STRATEGIES)
        self._guard = RLock()
        self._made: Application | None = None

    def application(self) -> "Application":
        """Return the parts, made once; the database stays closed until it is asked."""
        from config.application import Application  # noqa: PLC0415 - `initialize` is answered before

        with self._guard:
            if self._made is None:
                self._made = Application(self.settings, self.registry)
            return self._made

    def leave(self) -> None:
        """Leave the embedded server at once, if it was entered."""
        if self._made:
            self._made.leave()

    def close(self) -> None:
        """Close what was opened."""
        if self._made:
            self._made.close()


def serve(program: Program, _: argparse.Namespace) -> int:
    """Serve MCP over stdio until the client closes it."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    configure_logging(program.settings.log_level, json=program.settings.log_json)

    services = lambda: program.application().services()  # noqa: E731
    build_server(program.registry, services, partial(warmed_up, program), program.settings.toolset).run()
    return 0


@asynccontextmanager
async def warmed_up(program: Program, _: Any) -> AsyncIterator[None]:
    """Import what the first call needs while the client still reads the list of tools."""

    def warm_up() -> None:
        with suppress(BacktestError):  # what is wrong with the settings, the first call will tell
            program.application()

    Thread(target=warm_up, name="warm-up", daemon=True).start()
    yield


def worker(program: Program, options: argparse.Namespace) -> int:
    """Serve long jobs in the background, until a signal ends it."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    configure_logging(program.settings.log_level, json=program.settings.log_json)
    stop, ended = Event(), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.until_eof:
        when(sys.stdin.read, stop.set)

    serving = program.application().worker()
    when(stop.wait, partial(end_anyway, program, serving.release, ended))
    serving.run(stop)
    ended.set()
    return 0


def end_anyway(program: Program, release: Callable[[], None], ended: Event) -> None:
    """End the process where its work does not let go of it."""
    if not ended.wait(STOP_SECONDS):
        with suppress(BacktestError):
            release()
        program.leave()
        os._exit(0)


def demo(program: Program, _: argparse.Namespace) -> int:
    """Backtest an SMA crossover on the sample bars of IBM, and show the result."""
    show(program, "sma_crossover", "IBM", {"parameters": {"position_size": 0.95}})
    print(
        "\nNext, with the same command but for its end:\n"
        "  main.py backtest rsi AAPL --set period=14      another strategy, another symbol\n"
        "  main.py doctor                                 what works, and the configuration for your MCP client\n"
    )
    return 0


def backtest(program: Program, options: argparse.Namespace) -> int:
    """Backtest a strategy on a stored symbol, and show the result."""
    given = {
        "parameters": dict(options.set),
        "initial_capital": options.capital,
        "start_date": options.start,
        "end_date": options.end,
        "timeframe": options.timeframe,
        "fill": options.fill,
        "costs": options.costs,
        "adjustment": options.adjustment,
    }
    show(program, options.strategy, options.symbol, {name: each for name, each in given.items() if each is not None})
    return 0


def show(program: Program, strategy_id: str, symbol: str, options: dict[str, Any]) -> None:
    """Backtest over all stored bars unless the options say otherwise, and print the result and the last trades."""
    application = program.application()
    engine = application.services().engine
    stores = application.stores()
    run = judged(engine.run(engine.whole_request(strategy_id, symbol, **options)), stores.trials)
    count = run.summary.trades if run.summary else 0
    last = stores.runs.trades(run.id, max(0, count - LAST_TRADES), LAST_TRADES)
    heading = f"Last {len(last)} of {count} trades:" if count else "No trades."
    print("\n".join([report(run), "", heading, *trade_lines(last)]))
    print(f"\nStored as {run.id}, with all its trades, in {stores.place}.")


def import_files(program: Program, options: argparse.Namespace) -> int:
    """Import price files, or folders or archives of them, and say how they were understood."""
    said = {name: getattr(options, name) for name in ("symbol", "timeframe", "zone", "day_first", "dry_run")}
    refused = 0
    with ProgressBar() as bar:
        watch = lambda progress: bar.show(progress.done / progress.total, progress.source)  # noqa: E731
        for path in options.paths:
            for outcome in program.application().import_files(validated(ImportRequest, path=path, **said), watch):
                with bar.hidden():
                    (tell if outcome.error else print)(str(outcome))
                refused += outcome.error is not None
    return 1 if refused else 0


def assets(program: Program, options: argparse.Namespace) -> int:
    """List what is stored, or change what an import took an asset for."""
    search = validated(AssetSearch, text=options.search, spellings=spellings_of(options.search), limit=LISTED_ASSETS)
    page = program.application().stores().catalog.find(search)
    print("\n".join(asset_lines(page.entries, reasons=True)) or "no asset matches")
    if page.total > len(page.entries):
        print(f"and {page.total - len(page.entries)} more: narrow them down with --search")
    return 0


def edit_asset(program: Program, options: argparse.Namespace) -> int:
    """Change what an import took an asset for; later imports leave it alone."""
    changes = {name: getattr(options, name) for name in AssetEdit.model_fields}
    entry = program.application().asset_editor().edit(options.symbol, validated(AssetEdit, **changes))
    print("\n".join(asset_lines([entry], reasons=True)))
    return 0


def fetch(program: Program, options: argparse.Namespace) -> int:
    """Fetch prices from a provider, and say what is stored then."""
    given = {name: value for name, value in vars(options).items() if name in FetchRequest.model_fields}
    failed = 0
    for outcome in program.application().fetch(validated(FetchRequest, **given)):
        (tell if outcome.error else print)(str(outcome))
        failed += outcome.error is not None
    return 1 if failed else 0


def export(program: Program, options: argparse.Namespace) -> int:
    """Write stored runs to files, and print where they are: a report or comparison for a browser, or tables."""
    for path in program.application().services().reports.export(options.ids, options.format):
        print(path)
    return 0


def doctor(program: Program, _: argparse.Namespace) -> int:
    """Say what works and what does not, and what to paste into an MCP client."""
    well = examine(program.application, print)
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


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = Parser(prog="main.py", description=__doc__)
    parser.set_defaults(command=serve)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in (serve, worker, demo, doctor):
        added = commands.add_parser(command.__name__, help=command.__doc__, description=command.__doc__)
        added.set_defaults(command=command)
        if command is worker:
            added.add_argument("--until-eof", action="store_true", help="end with the standard input too")
    _add_backtest(commands.add_parser("backtest", help=backtest.__doc__, description=backtest.__doc__))
    _add_import(commands.add_parser("import", help=import_files.__doc__, description=import_files.__doc__))
    _add_fetch(commands.add_parser("fetch", help=fetch.__doc__, description=fetch.__doc__))
    added = commands.add_parser("report", help=export.__doc__, description=export.__doc__)
    added.set_defaults(command=export)
    added.add_argument("ids", nargs="+", metavar="ID", help="id of a stored run, e.g. bt-0f8e458e4200")
    added.add_argument("--format", choices=get_args(ExportFormat), default="html", help="default: %(default)s")
    added = commands.add_parser("install", help=install_into.__doc__, description=install_into.__doc__)
    added.set_defaults(command=install_into)
    added.add_argument("client", choices=CLIENT_IDS, nargs="?", default=CLIENT_IDS[0], help="default: %(default)s")
    added.add_argument("--show", action="store_true", help="print the entry and change nothing")
    _add_assets(commands.add_parser("assets", help=assets.__doc__, description=assets.__doc__))
    database = commands.add_parser("db", help="look after the database").add_subparsers(required=True, metavar="ACTION")
    added = database.add_parser("upgrade", help=upgrade.__doc__, description=upgrade.__doc__)
    added.set_defaults(command=upgrade)
    return parser


def _add_backtest(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=backtest)
    parser.add_argument("strategy", help="strategy id, e.g. sma_crossover")
    parser.add_argument("symbol", help="stored symbol, e.g. IBM")
    parser.add_argument("--set", action="append", type=setting, default=[], metavar="NAME=VALUE", help="a parameter")
    parser.add_argument("--start", type=day, metavar="DAY", help="first day, e.g. 2005-01-03")
    parser.add_argument("--end", type=day, metavar="DAY", help="last day")
    parser.add_argument("--capital", type=float, help="cash at the start (default: 100000)")
    parser.add_argument("--timeframe", help="bar length (default: 1d)")
    parser.add_argument("--fill", help="next_open (default), next_close or same_close")
    parser.add_argument("--costs", help="us_equity, crypto, fx or zero (default: by the asset's class)")
    parser.add_argument("--adjustment", help="adjusted or raw prices")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=import_files)
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a price file, a folder or an archive of them"
    )
    parser.add_argument("--symbol", help="whose prices they are (default: what the file or its name says)")
    parser.add_argument("--timeframe", choices=list(Timeframe), help="bar length (default: what the stamps show)")
    parser.add_argument("--zone", help="zone of stamps that name none, e.g. America/New_York (default: UTC)")
    order = parser.add_mutually_exclusive_group()
    order.add_argument(
        "--day-first", dest="day_first", action="store_true", default=None, help="read 01/02 as 1 February"
    )
    order.add_argument("--month-first", dest="day_first", action="store_false", help="01/02 is 2 January")
    parser.add_argument("--dry-run", action="store_true", help="say how the files are understood, and store nothing")


def _add_assets(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=assets)
    parser.add_argument("--search", default="", metavar="TEXT", help="part of a symbol or name (default: all)")
    edit = parser.add_subparsers(metavar="ACTION").add_parser(
        "edit", help=edit_asset.__doc__, description=edit_asset.__doc__
    )
    edit.set_defaults(command=edit_asset)
    edit.add_argument("symbol", help="stored symbol, e.g. IBM")
    edit.add_argument("--name", help="what it is called")
    edit.add_argument("--class", dest="asset_class", help=", ".join(AssetClass))
    edit.add_argument("--currency", help="what prices are in: an ISO 4217 code, or a coin's")
    edit.add_argument("--exchange", help="an ISO 10383 code such as XNYS, 'other:any text', or none")
    edit.add_argument("--tick-size", type=float, help="smallest step of a price")
    edit.add_argument("--lot-size", type=float, help="smallest step of a quantity")


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=fetch)
    parser.add_argument("provider", help="yfinance, ccxt or duckdb")
    parser.add_argument("symbols", nargs="+", metavar="SYMBOL", help="as the provider writes it, e.g. AAPL or BTC/USDT")
    parser.add_argument("--timeframe", default=Timeframe.D1.value, help="bar length (default: %(default)s)")
    parser.add_argument("--start", type=day, metavar="DAY", help="first day (default: the provider's, or the next one)")
    parser.add_argument("--end", type=day, metavar="DAY", help="last day (default: today)")
    parser.add_argument(
        "--mode",
        default=FetchMode.TAIL.value,
        help="tail: what is newer than the last stored bar (default); backfill: what is older than the first, back to "
        "--start; full: all, in the place of stored bars; local: ask nobody and say what is stored",
    )
    parser.add_argument("--exchange", help="for ccxt, e.g. binance")
    parser.add_argument("--from", dest="path", help="for duckdb: Parquet files, a folder of them, or a database")
    parser.add_argument("--table", help="for duckdb: a table of that database")
    parser.add_argument("--dry-run", action="store_true", help="say what would be stored, and store nothing")


def day(text: str) -> date:
    """Read an ISO day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day, write it like 2005-01-03") from None


def setting(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE, the value as JSON where it is JSON."""
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = make_parser().parse_args(arguments)
    try:
        program = Program(read_settings())
    except ValidationError as error:
        tell(f"error: {InvalidInputError.of(error)}")
        return 1
    with signals_leave(program):
        try:
            return int(options.command(program, options))
        except BacktestError as error:
            tell(f"error: {error}")
            return 1
        except BrokenPipeError:
            # the reader of our output has left; what is still buffered must not complain at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return SIGNAL_EXIT + signal.SIGPIPE


@contextmanager
def signals_leave(program: Program) -> Iterator[None]:
    """Leave the embedded server when a signal ends the process; close everything at the end."""

    def leave(number: int, _: Any) -> NoReturn:
        # an orderly exit would wait for the thread that waits for input
        program.leave()
        logging.shutdown()
        os._exit(SIGNAL_EXIT + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        program.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int) -> NoReturn:
    """Exit without taking the interpreter apart: clients give two seconds, and a busy machine needs one for that."""
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
