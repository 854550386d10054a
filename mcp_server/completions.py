"""Values offered while a person fills in a prompt or the address of a resource."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import anyio.to_thread
from mcp import MCPError
from mcp.server import MCPServer
from mcp.types import INTERNAL_ERROR, Completion, CompletionArgument

from backtesting.assets import spellings_of
from backtesting.errors import BacktestError
from backtesting.metrics import KEYS
from backtesting.strategy import StrategyRegistry
from backtesting.types import AssetSearch, RunFilter, Timeframe
from mcp_server.services import Services

MOST = 100  # the protocol's
LONGEST_SEARCH = 64


class Completions:
    """Offers by the name of the argument, whatever it stands in; the names are the same everywhere."""

    def __init__(self, registry: StrategyRegistry, services: Callable[[], Services]) -> None:
        self._services = services
        self._offers: dict[str, Callable[[str], tuple[Sequence[str], int]]] = {
            "strategy_id": lambda typed: _counted(_near(typed, registry.ids())),
            "metric": lambda typed: _counted(_near(typed, KEYS)),
            "timeframe": lambda typed: _counted(_near(typed, [each.value for each in Timeframe])),
            "symbol": self._symbols,
            "backtest_id": self._runs,
        }

    async def __call__(self, _: Any, argument: CompletionArgument, __: Any) -> Completion | None:
        """Return at most 100 values, the likeliest first, and how many there are; None where nothing can be known."""
        offer = self._offers.get(argument.name)
        if offer is None:
            return None
        try:
            values, total = await anyio.to_thread.run_sync(offer, argument.value)
        except BacktestError as error:
            raise MCPError(code=INTERNAL_ERROR, message=str(error)) from error
        shown = list(values[:MOST])
        return Completion(values=shown, total=total, has_more=total > len(shown))

    def _symbols(self, typed: str) -> tuple[Sequence[str], int]:
        """Return the stored symbols that hold the text, or whose name does."""
        text = _searchable(typed)
        page = self._services().catalog.find(AssetSearch(text=text, spellings=spellings_of(text), limit=MOST))
        symbols = [entry.asset.symbol for entry in page.entries]
        return _begun_first(text, symbols), page.total

    def _runs(self, typed: str) -> tuple[Sequence[str], int]:
        """Return the newest runs whose id holds the text."""
        page = self._services().runs.find(RunFilter(id_part=_searchable(typed).lower(), limit=MOST))
        return [run.id for run in page.runs], page.total


def add_completions(server: MCPServer[Any], registry: StrategyRegistry, services: Callable[[], Services]) -> None:
    """Offer values for the arguments of prompts and of resource templates."""
    server.completion()(Completions(registry, services))  # type: ignore[no-untyped-call]  # the SDK's


def _searchable(typed: str) -> str:
    return typed.replace("\x00", "").strip()[:LONGEST_SEARCH]


def _near(typed: str, known: Iterable[str]) -> list[str]:
    """Return the names that hold the text, those that begin with it first."""
    return _begun_first(typed, [name for name in known if typed.lower() in name.lower()])


def _begun_first(typed: str, names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: not name.lower().startswith(typed.lower()))


def _counted(names: Sequence[str]) -> tuple[Sequence[str], int]:
    return names, len(names)
