"""Read-only views for clients that browse: runs and strategies as JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from backtesting.errors import BacktestError, RunNotFoundError
from backtesting.judgement import JUDGED
from backtesting.metrics import KEYS
from backtesting.strategy import StrategyRegistry
from mcp_server.schemas.backtests import MetricsReply, RunReply, trade_rows
from mcp_server.schemas.strategies import FullStrategyReply, StrategiesReply
from mcp_server.services import Services

JSON = "application/json"
FIRST_TRADES = 100


def add_resources(server: MCPServer[Any], registry: StrategyRegistry, services: Callable[[], Services]) -> None:
    """Offer `backtest://{id}` with its results, metrics and report, and `strategies://list`."""

    @server.resource("backtest://{run_id}", title="A backtest", mime_type=JSON)
    def backtest(run_id: str) -> str:
        """Request, status, key metrics, warnings and provenance of a run."""
        with resource_errors():
            return RunReply.of(services().run(run_id)).model_dump_json()

    @server.resource("backtest://{run_id}/results", title="Results of a backtest", mime_type=JSON)
    def results(run_id: str) -> str:
        """A run with its first 100 trades."""
        with resource_errors():
            run = services().run(run_id)
            trades = trade_rows(services().runs.trades(run.id, 0, FIRST_TRADES))
            return json.dumps(RunReply.of(run).model_dump(mode="json") | {"trades": trades}, allow_nan=False)

    @server.resource("backtest://{run_id}/metrics", title="Metrics of a backtest", mime_type=JSON)
    def metrics(run_id: str) -> str:
        """Every metric of a run, and why some are undefined."""
        with resource_errors():
            return MetricsReply.of(services().run(run_id), (*KEYS, *JUDGED)).model_dump_json()

    @server.resource("backtest://{run_id}/report", title="Report of a backtest", mime_type="text/html")
    def report(run_id: str) -> str:
        """The whole of a run as one page for a browser, offline and interactive."""
        with resource_errors():
            return services().reports.page([run_id])

    @server.resource("strategies://list", title="Strategies", mime_type=JSON)
    def strategies() -> str:
        """Every strategy with its parameters."""
        return StrategiesReply(
            strategies=[FullStrategyReply.of(strategy.describe()) for strategy in registry]
        ).model_dump_json()


@contextmanager
def resource_errors() -> Iterator[None]:
    """Turn what the reader can mend into the protocol's errors, texts kept."""
    try:
        yield
    except RunNotFoundError as error:
        raise ResourceNotFoundError(str(error)) from error
    except BacktestError as error:
        raise ResourceError(str(error)) from error
