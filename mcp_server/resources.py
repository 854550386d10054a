"""Read-only views for clients that browse: runs and strategies as JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from backtesting.errors import BacktestError, RunNotFoundError, UnknownNameError, shown
from backtesting.judgement import JUDGED
from backtesting.metrics import KEYS
from backtesting.strategy import StrategyRegistry
from mcp_server.schemas.backtests import MetricsReply, ResultsReply, RunReply, trade_rows
from mcp_server.schemas.strategies import FullStrategyReply, StrategiesReply
from mcp_server.services import Services

JSON = "application/json"
TRADES_A_PAGE, MOST_DIGITS = 100, 9
PAGE_OF_TRADES = {"backtest_id", "trade_columns", "trades", "total", "next_offset"}


def add_resources(server: MCPServer[Any], registry: StrategyRegistry, services: Callable[[], Services]) -> None:
    """Offer `backtest://{id}` with its results, trades, metrics and report, and `strategies://list` and `strategies://{id}`."""

    @server.resource("backtest://{backtest_id}", title="A backtest", mime_type=JSON)
    def backtest(backtest_id: str) -> str:
        """Request, status, key metrics, warnings and provenance of a run."""
        with resource_errors():
            return RunReply.of(services().run(backtest_id)).model_dump_json()

    @server.resource("backtest://{backtest_id}/results", title="Results of a backtest", mime_type=JSON)
    def results(backtest_id: str) -> str:
        """A run with its first 100 trades."""
        with resource_errors():
            run = services().run(backtest_id)
            trades = trade_rows(services().runs.trades(run.id, 0, TRADES_A_PAGE))
            return json.dumps(RunReply.of(run).model_dump(mode="json") | {"trades": trades}, allow_nan=False)

    @server.resource("backtest://{backtest_id}/trades{?offset}", title="Trades of a backtest", mime_type=JSON)
    def trades(backtest_id: str, offset: str = "0") -> str:
        """Up to 100 trades from number `offset` on, and the offset of the next page."""
        with resource_errors():
            run, first = services().run(backtest_id), _number(offset)
            found = services().runs.trades(run.id, first, TRADES_A_PAGE)
            return ResultsReply.of_trades(run, found, first).model_dump_json(include=PAGE_OF_TRADES)

    @server.resource("backtest://{backtest_id}/metrics", title="Metrics of a backtest", mime_type=JSON)
    def metrics(backtest_id: str) -> str:
        """Every metric of a run, and why some are undefined."""
        with resource_errors():
            return MetricsReply.of(services().run(backtest_id), (*KEYS, *JUDGED)).model_dump_json()

    @server.resource("backtest://{backtest_id}/report", title="Report of a backtest", mime_type="text/html")
    def report(backtest_id: str) -> str:
        """The whole of a run as one page for a browser, offline and interactive."""
        with resource_errors():
            return services().reports.page([services().run(backtest_id).id])

    @server.resource("strategies://list", title="Strategies", mime_type=JSON)
    def strategies() -> str:
        """Every strategy with its parameters."""
        return StrategiesReply(
            strategies=[FullStrategyReply.of(strategy.describe()) for strategy in registry]
        ).model_dump_json()

    @server.resource("strategies://{strategy_id}", title="A strategy", mime_type=JSON)
    def strategy(strategy_id: str) -> str:
        """One strategy with all that its parameters may be."""
        with resource_errors():
            return FullStrategyReply.of(registry.get(strategy_id).describe()).model_dump_json()


def _number(offset: str) -> int:
    """Return the offset of an address; BacktestError where it is none."""
    if not (offset.isascii() and offset.isdigit() and len(offset) <= MOST_DIGITS):
        raise BacktestError(f"offset: {shown(offset)} is no whole number from 0 on", field="offset")
    return int(offset)


@contextmanager
def resource_errors() -> Iterator[None]:
    """Turn what the reader can mend into the protocol's errors, texts kept."""
    try:
        yield
    except (RunNotFoundError, UnknownNameError) as error:
        raise ResourceNotFoundError(str(error)) from error
    except BacktestError as error:
        raise ResourceError(str(error)) from error
