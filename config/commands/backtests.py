"""Commands that run a backtest and look back at stored ones."""

import argparse
import re
from collections.abc import Callable, Mapping
from datetime import date
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from backtesting.judgement import judged
from backtesting.reporting.audit import verification_lines
from backtesting.reporting.text import report, trade_lines
from backtesting.reports import ExportFormat
from backtesting.types import BacktestRequest, Sizing
from backtesting.verification import verify
from config.commands.parsing import Commands, added, day, json_or_text, number, setting, with_json
from config.commands.showing import show, show_json
from config.program import Program
from mcp_server.schemas.audit import VerificationReply
from mcp_server.schemas.backtests import RunReply

LAST_TRADES = 5
POSITIONAL = {"strategy_id": "strategy", "asset_symbol": "symbol", "parameters": "set"}
SHORTENED = {"start_date": "start", "end_date": "end", "initial_capital": "capital"}
ID = "the id of a stored run, bt- and 12 hex digits"
DISTANCE = "a fraction of the price, or 2atr, or 2atr:20 for an ATR of 20 bars"
HELP = {
    "start_date": "first day, e.g. 2005-01-03",
    "end_date": "last day",
    "initial_capital": "cash at the start (default: 100000)",
    "timeframe": "bar length (default: 1d)",
    "fill": "next_open (default), next_close or same_close",
    "delay_bars": "bars from a decision to its fill (default: 1)",
    "costs": "us_equity, crypto, fx or zero (default: by the asset's class), or rates as JSON",
    "fees": "commission as a fraction, in the place of that of the costs",
    "slippage": "slippage as a fraction, in the place of that of the costs",
    "adjustment": "adjusted or raw prices",
    "sizing": "e.g. fixed_cash=5000, fixed_units=10, vol_target=0.15, risk_per_trade=0.01, kelly=0.5, or JSON",
    "lot_size": "smallest step of a quantity",
    "min_notional": "smallest order, in money",
    "max_leverage": "largest position, in equities (default: 1)",
    "direction": "long (default), short or both",
    "stop_loss": DISTANCE,
    "take_profit": DISTANCE,
    "trailing_stop": DISTANCE,
    "stop_base": "what stops are measured from: fill (default) or signal_close",
    "intrabar": "what comes first in a bar of both stop and target: pessimistic (default) or optimistic",
    "limit_touch": "fill a target that is only touched",
    "max_holding": "most bars to hold",
    "close_at_end": "close what is open at the last close",
    "risk_free": "risk-free return a year, as a fraction",
    "periods_per_year": "sessions a year (default: by the asset's class)",
    "trade_from": "first day to trade on, e.g. 2005-01-03",
    "history_bars": "bars to read before the first day (default: what the strategy wants)",
    "benchmark": "another stored symbol to be measured by",
    "seed": "of what is drawn at random (default: 0)",
}


def add_to(commands: Commands) -> None:
    """Add the family to the command line."""
    with_json(added(commands, "demo", demo))
    parser = with_json(added(commands, "backtest", backtest))
    parser.add_argument("strategy", help="strategy id, e.g. sma_crossover")
    parser.add_argument("symbol", help="stored symbol, e.g. IBM")
    add_run_options(parser)
    again = with_json(added(commands, "verify", verify_runs))
    again.add_argument("ids", nargs="+", metavar="ID", help=ID)
    export = added(commands, "report", write_reports)
    export.add_argument("ids", nargs="+", metavar="ID", help=ID)
    export.add_argument("--format", choices=get_args(ExportFormat), default="html", help="default: %(default)s")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the parameters and every option of a run but strategy and symbol."""
    parser.add_argument("--set", action="append", type=setting, default=[], metavar="NAME=VALUE", help="a parameter")
    for name, field in BacktestRequest.model_fields.items():
        if name not in POSITIONAL:
            _add_option(parser, name, field)


def demo(program: Program, options: argparse.Namespace) -> int:
    """Backtest an SMA crossover on the sample bars of IBM, and show the result."""
    asked = {"parameters": {"position_size": 0.95}}
    run_and_show(program, "sma_crossover", "IBM", asked, as_json=options.as_json)
    if options.as_json:
        return 0
    print(
        "\nNext, with the same command but for its end:\n"
        "  main.py backtest rsi AAPL --set period=14      another strategy, another symbol\n"
        "  main.py doctor                                 what works, and the configuration for your MCP client\n"
    )
    return 0


def backtest(program: Program, options: argparse.Namespace) -> int:
    """Backtest a strategy on a stored symbol, and show the result."""
    given = {name: value for name, value in vars(options).items() if name in BacktestRequest.model_fields}
    asked = {"parameters": dict(options.set), **given}
    run_and_show(program, options.strategy, options.symbol, asked, as_json=options.as_json)
    return 0


def verify_runs(program: Program, options: argparse.Namespace) -> int:
    """Replay stored runs on their bars, and say whether they are identical or what has changed."""
    services = program.application().services()
    found = []
    for run_id in options.ids:
        found.append(verify(services.engine, services.runs, run_id))
        if not options.as_json:
            show("\n".join(verification_lines(found[-1])))
    if options.as_json:
        show_json([VerificationReply.of(each) for each in found])
    return 0 if all(each.identical for each in found) else 1


def write_reports(program: Program, options: argparse.Namespace) -> int:
    """Write stored runs to files, and print where they are: a report or comparison for a browser, or tables."""
    for path in program.application().services().reports.export(options.ids, options.format):
        print(path)
    return 0


def run_and_show(
    program: Program, strategy_id: str, symbol: str, options: dict[str, Any], *, as_json: bool = False
) -> None:
    """Backtest over all stored bars unless the options say otherwise, and print the result and the last trades."""
    application = program.application()
    engine = application.services().engine
    stores = application.stores()
    run = judged(engine.run(engine.whole_request(strategy_id, symbol, **options)), stores.trials)
    if as_json:
        return show_json(RunReply.of(run))
    count = run.summary.trades if run.summary else 0
    last = stores.runs.trades(run.id, max(0, count - LAST_TRADES), LAST_TRADES)
    heading = f"Last {len(last)} of {count} trades:" if count else "No trades."
    show("\n".join([report(run), "", heading, *trade_lines(last)]))
    return print(f"\nStored as {run.id}, with all its trades, in {stores.place}.")


def distance(text: str) -> Any:
    """Read a fraction, or 2atr or 2atr:20 as a multiple of the ATR."""
    found = re.fullmatch(r"([\d.]+)atr(?::(\d+))?", text, re.IGNORECASE)
    if found is None:
        return json_or_text(text)
    multiple, period = found.groups()
    return {"atr": json_or_text(multiple)} | ({"period": int(period)} if period else {})


def sizing(text: str) -> Any:
    """Read JSON, or METHOD=VALUE, the value as the first one that the method takes."""
    method, separator, value = text.partition("=")
    if text.startswith("{") or not separator:
        return json_or_text(text) if text.startswith("{") else {"method": text}
    return {"method": method, SIZED_BY.get(method, "value"): json_or_text(value)}


def _sized_by() -> Mapping[str, str]:
    """Return the first field of each method of sizing beside its name."""
    methods = get_args(get_args(Sizing)[0])
    return {get_args(each.model_fields["method"].annotation)[0]: list(each.model_fields)[1] for each in methods}


SIZED_BY = _sized_by()
READ_BY_NAME: Mapping[str, Callable[[str], Any]] = {
    "costs": json_or_text,
    "sizing": sizing,
    "stop_loss": distance,
    "take_profit": distance,
    "trailing_stop": distance,
}
READ_BY_TYPE: Mapping[Any, Callable[[str], Any]] = {date: day, float: number, int: number}


def _add_option(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    """Add the option of one field; what is not given is left to the request's default."""
    flag, plain = f"--{SHORTENED.get(name, name).replace('_', '-')}", _plain(field.annotation)
    told: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": HELP[name]}
    if plain is bool:
        parser.add_argument(flag, action="store_true", **told)
    else:
        reader = READ_BY_NAME.get(name) or READ_BY_TYPE.get(plain, str)
        parser.add_argument(flag, type=reader, metavar="DAY" if plain is date else "VALUE", **told)


def _plain(annotation: Any) -> Any:
    """Return the type within annotations and beside None."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    others = [each for each in get_args(annotation) if each is not NoneType]
    return _plain(others[0]) if len(others) == 1 and NoneType in get_args(annotation) else annotation
