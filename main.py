"""Wires the parts together and runs the command asked for; without one, serves MCP over stdio."""

import argparse
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from pydantic import ValidationError

from backtesting.data_sources import SAMPLES
from backtesting.engine import BacktestEngine, as_request
from backtesting.errors import BacktestError, DatabaseUnavailableError, InvalidInputError
from backtesting.provenance import versions
from backtesting.reporting.text import report, trade_lines
from backtesting.simulation import check_simulation
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import BacktestRequest, BacktestResult, Run, Timeframe
from config.settings import PROJECT, Settings, forget_libpq_settings, read_settings
from mcp_server.server import build_server
from mcp_server.tools import Services
from utils.checks import Check, run_checks
from utils.logger import configure_logging

if TYPE_CHECKING:
    from database.schema import Server
    from database.stores import Stores

APP_NAME = "backtesting-mcp"
LAST_TRADES = 5
SIGNAL_EXIT = 128


class Application:
    """The parts, made from the settings; the database is opened by the first call that needs it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = StrategyRegistry(STRATEGIES)
        self._guard = RLock()
        self._made: Stores | None = None
        self._is_open = False

    def services(self) -> Services:
        """Return the use cases, on an open database."""
        stores = self.stores()
        return Services(BacktestEngine(self.registry, stores.bars, stores.runs), stores.runs)

    def stores(self, *, upgrade: bool = False) -> "Stores":
        """Return the open stores; a database of our own, or one to upgrade, is brought up to date with the sample."""
        stores = self.unopened()
        with self._guard:
            if upgrade or not self._is_open:
                stores.open([strategy.describe() for strategy in self.registry], upgrade=upgrade)
                if upgrade or stores.upgrades_itself:
                    add_samples(stores)
                self._is_open = True
        return stores

    def unopened(self) -> "Stores":
        """Return the stores without touching the database."""
        with self._guard:
            if self._made is None:
                try:
                    self._made = make_stores(self.settings)
                except ValueError as error:
                    raise DatabaseUnavailableError(str(error)) from error
            return self._made

    def warm_up(self) -> None:
        """Import what the first call needs; what is wrong with the settings, that call will tell."""
        with suppress(BacktestError):
            self.unopened()

    def leave(self) -> None:
        """Leave the embedded server, which the last to leave stops, whatever other threads are doing."""
        if self._made is not None:
            self._made.leave()

    def close(self) -> None:
        """Close the connections and leave the embedded server."""
        if self._made is not None:
            self._made.close()


def add_samples(stores: "Stores") -> None:
    """Import the sample files whose symbols are not stored."""
    stored = stores.bars.symbols()
    if not {sample.asset.symbol for sample in SAMPLES} <= set(stored):
        from backtesting.data_import import DataImporter, load_samples  # noqa: PLC0415 - only a first start reads files

        load_samples(DataImporter(stores.bars, stores.importing), stored)


def make_stores(settings: Settings) -> "Stores":
    """Return the stores of the settings' database; importing what they need takes half a second."""
    from config.database import ExternalPostgres, LazyEngine  # noqa: PLC0415 - `initialize` is answered before
    from database.embedded.server import EmbeddedPostgres, default_home  # noqa: PLC0415
    from database.stores import Stores  # noqa: PLC0415

    server: Server
    if settings.database_url:
        admin = settings.database_admin_url
        server = ExternalPostgres(settings.database_url.get_secret_value(), admin.get_secret_value() if admin else None)
    else:
        forget_libpq_settings()
        home = settings.data_dir or default_home(APP_NAME)
        server = EmbeddedPostgres(home, bin_dir=settings.pg_bindir, run_as=settings.pg_user, report=tell)
    return Stores(server, lambda role: LazyEngine(partial(server.url, role), settings.user_id))


def tell(line: str) -> None:
    """Say something beside the result, which is on stdout: in the log while serving, else plainly."""
    if structlog.is_configured():
        structlog.stdlib.get_logger(APP_NAME).info(line)
    else:
        print(line, file=sys.stderr, flush=True)


def serve(app: Application, _: argparse.Namespace) -> int:
    """Serve MCP over stdio until the client closes it."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    configure_logging(app.settings.log_level, json=app.settings.log_json)

    build_server(app.registry, app.services, lifespan=partial(warmed_up, app)).run()
    return 0


@asynccontextmanager
async def warmed_up(app: Application, _: Any) -> AsyncIterator[None]:
    """Import what the first call needs while the client still reads the list of tools."""
    Thread(target=app.warm_up, name="warm-up", daemon=True).start()
    yield


def demo(app: Application, _: argparse.Namespace) -> int:
    """Backtest an SMA crossover on the sample bars of IBM, and show the result."""
    request = whole_request(app, "sma_crossover", "IBM", {"parameters": {"position_size": 0.95}})
    _show(app, app.services().engine.run(request))
    print(
        "\nNext, with the same command but for its end:\n"
        "  main.py backtest rsi AAPL --set period=14      another strategy, another symbol\n"
        "  main.py doctor                                 what works, and the configuration for your MCP client\n"
    )
    return 0


def backtest(app: Application, options: argparse.Namespace) -> int:
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
    chosen = {name: value for name, value in given.items() if value is not None}
    request = whole_request(app, options.strategy, options.symbol, chosen)
    _show(app, app.services().engine.run(request))
    return 0


def whole_request(app: Application, strategy_id: str, symbol: str, options: dict[str, Any]) -> BacktestRequest:
    """Return a request over all stored bars, unless the options say otherwise."""
    whole = app.services().engine.whole_period(symbol, options.get("timeframe", Timeframe.D1))
    basis = {"strategy_id": strategy_id, "asset_symbol": symbol, "initial_capital": 100_000.0, "parameters": {}}
    return as_request(**basis | whole | options)


def _show(app: Application, run: Run) -> None:
    stores, metrics = app.stores(), run.summary.metrics if run.summary else {}
    count = int(metrics["total_trades"] or 0) + int(metrics["open_trades"] or 0)
    last = stores.runs.trades(run.id, max(0, count - LAST_TRADES), LAST_TRADES)
    heading = f"Last {len(last)} of {count} trades:" if count else "No trades."
    print("\n".join([report(run), "", heading, *trade_lines(last)]))
    print(f"\nStored as {run.id}, with all its trades, in {stores.place}.")


def import_files(app: Application, options: argparse.Namespace) -> int:
    """Import price files, or folders or archives of them, and say how they were understood."""
    from backtesting.data_import import DataImporter  # noqa: PLC0415 - what reads files is needed here alone
    from backtesting.import_report import describe  # noqa: PLC0415
    from backtesting.price_files import Hints, price_files  # noqa: PLC0415

    hints = Hints(options.symbol, options.day_first, options.zone, options.timeframe and Timeframe(options.timeframe))
    files = [file for path in options.paths for file in price_files(path, hints)]
    stores, refused = app.stores(), 0
    importer = DataImporter(stores.bars, stores.importing)
    for file in files:
        try:
            print(describe(importer.run(file, dry_run=options.dry_run)))
        except BacktestError as error:
            tell(f"error: {error}")
            refused += 1
    return 1 if refused else 0


def doctor(app: Application, _: argparse.Namespace) -> int:
    """Say what works and what does not, and what to paste into an MCP client."""
    basis = [Check("engine", check_engine), Check("database", partial(check_database, app))]
    upon_it = [
        Check("rights", partial(check_rights, app)),
        Check("sample data", partial(check_samples, app)),
        Check("write access", partial(check_writing, app)),
    ]
    well = run_checks(basis, print) and run_checks(upon_it, print)
    print(f"\nFor your MCP client, e.g. claude_desktop_config.json:\n{json.dumps(client_configuration(), indent=2)}")
    return 0 if well else 1


def check_engine() -> str:
    """Make a trade whose outcome is known by hand, and name what made it."""
    check_simulation()
    return ", ".join(f"{name} {version}" for name, version in versions().items())


def check_database(app: Application) -> str:
    """Open the database."""
    return app.stores().place


def check_rights(app: Application) -> str:
    """Make sure row security binds the server and market data is safe from it."""
    if excess := app.stores().rights():
        raise ValueError(f"{excess}; run `python main.py db upgrade` and let DATABASE_URL name a plain login")
    return f"runs of user {app.settings.user_id!r} are fenced off, market data is read-only"


def check_samples(app: Application) -> str:
    """Look for the sample symbols."""
    stored = app.stores().bars.symbols()
    if missing := [each.asset.symbol for each in SAMPLES if each.asset.symbol not in stored]:
        raise ValueError(f"{', '.join(missing)} not stored: run `python main.py db upgrade`")
    return ", ".join(stored)


def check_writing(app: Application) -> str:
    """Store a run, read it back, and undo it."""
    rehearsal = Rehearsal(app.stores())
    run = BacktestEngine(app.registry, app.stores().bars, rehearsal).run(whole_request(app, "buy_and_hold", "IBM", {}))
    if rehearsal.read != run:
        raise ValueError("a run is read back with other contents than it was stored with")
    return "a run was stored, read back and undone"


class Rehearsal:
    """Takes runs as a repository does, and leaves none behind."""

    def __init__(self, stores: "Stores") -> None:
        self._stores = stores
        self.read: Run | None = None

    def add(self, run: Run, result: BacktestResult | None) -> None:
        """Store the run, read it back, and undo it."""
        self.read = self._stores.rehearse(run, result)


def client_configuration() -> dict[str, Any]:
    """Return the entry that lets an MCP client start this server."""
    main, uv = str(PROJECT / "main.py"), shutil.which("uv")
    pinned = ["run", "--no-project", "--with-requirements", str(PROJECT / "requirements.lock"), main]
    entry = {"command": uv, "args": pinned} if uv else {"command": sys.executable, "args": [main]}
    return {"mcpServers": {"backtesting": entry}}


def upgrade(app: Application, _: argparse.Namespace) -> int:
    """Bring the database to this program's schema, and load the sample."""
    print(f"up to date: {app.stores(upgrade=True).place}")
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
    for command in (serve, demo, doctor):
        added = commands.add_parser(command.__name__, help=command.__doc__, description=command.__doc__)
        added.set_defaults(command=command)
    _add_backtest(commands.add_parser("backtest", help=backtest.__doc__, description=backtest.__doc__))
    _add_import(commands.add_parser("import", help=import_files.__doc__, description=import_files.__doc__))
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
        app = Application(read_settings())
    except ValidationError as error:
        tell(f"error: {InvalidInputError.of(error)}")
        return 1
    with signals_leave(app):
        try:
            return int(options.command(app, options))
        except BacktestError as error:
            tell(f"error: {error}")
            return 1
        except BrokenPipeError:
            # the reader of our output has left; what is still buffered must not complain at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return SIGNAL_EXIT + signal.SIGPIPE


@contextmanager
def signals_leave(app: Application) -> Iterator[None]:
    """Leave the embedded server when a signal ends the process; close everything at the end."""

    def leave(number: int, _: Any) -> NoReturn:
        # an orderly exit would wait for the thread that waits for input
        app.leave()
        logging.shutdown()
        os._exit(SIGNAL_EXIT + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        app.close()
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
