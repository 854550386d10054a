"""Commands that bring prices in and show what is stored."""

import argparse
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from backtesting.assets import spellings_of
from backtesting.reporting.catalog import asset_lines
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
from config.commands.parsing import Commands, added, day, with_json
from config.commands.showing import show_json
from config.program import Program
from mcp_server.schemas.market import AssetReply
from utils.logger import tell
from utils.progress import ProgressBar

if TYPE_CHECKING:
    from backtesting.file_import import FileOutcome

LISTED_ASSETS = 200


def add_to(commands: Commands) -> None:
    """Add the family to the command line."""
    _add_import(commands)
    _add_fetch(commands)
    _add_assets(commands)


def import_files(program: Program, options: argparse.Namespace) -> int:
    """Import price files, or folders or archives of them, and say how they were understood."""
    said = {name: getattr(options, name) for name in ("symbol", "timeframe", "zone", "day_first", "dry_run")}
    requests = [validated(ImportRequest, path=path, **said) for path in options.paths]
    with ProgressBar() as bar:
        watch = lambda progress: bar.show(progress.done / progress.total, progress.source)  # noqa: E731
        outcomes = chain.from_iterable(program.application().import_files(each, watch) for each in requests)
        return 1 if sum(_is_refused(outcome, bar) for outcome in outcomes) else 0


def _is_refused(outcome: "FileOutcome", bar: ProgressBar) -> bool:
    """Tell what became of a file, and whether it was refused."""
    with bar.hidden():
        (tell if outcome.error else print)(str(outcome))
    return outcome.error is not None


def assets(program: Program, options: argparse.Namespace) -> int:
    """List what is stored, or change what an import took an asset for."""
    search = validated(AssetSearch, text=options.search, spellings=spellings_of(options.search), limit=LISTED_ASSETS)
    page = program.application().stores().catalog.find(search)
    if options.as_json:
        show_json([AssetReply.of(each) for each in page.entries])
        return 0
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


def _add_import(commands: Commands) -> None:
    parser = added(commands, "import", import_files)
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


def _add_assets(commands: Commands) -> None:
    parser = with_json(added(commands, "assets", assets))
    parser.add_argument("--search", default="", metavar="TEXT", help="part of a symbol or name (default: all)")
    edit = added(parser.add_subparsers(metavar="ACTION"), "edit", edit_asset)
    edit.add_argument("symbol", help="stored symbol, e.g. IBM")
    edit.add_argument("--name", help="what it is called")
    edit.add_argument("--class", dest="asset_class", help=", ".join(AssetClass))
    edit.add_argument("--currency", help="what prices are in: an ISO 4217 code, or a coin's")
    edit.add_argument("--exchange", help="an ISO 10383 code such as XNYS, 'other:any text', or none")
    edit.add_argument("--tick-size", type=float, help="smallest step of a price")
    edit.add_argument("--lot-size", type=float, help="smallest step of a quantity")


def _add_fetch(commands: Commands) -> None:
    parser = added(commands, "fetch", fetch)
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
