"""Tools that tell which strategies there are, and whether a configuration is one."""

import json
from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import Field

from backtesting.reporting.text import strategy_lines
from backtesting.strategy import StrategyRegistry
from backtesting.strategy_check import check_config
from mcp_server.schemas.answers import reply
from mcp_server.schemas.strategies import StrategiesReply, ValidationReply


class StrategyTools:
    """The tools; nothing has to be opened for them."""

    def __init__(self, registry: StrategyRegistry) -> None:
        self._registry = registry

    def list_strategies(self) -> Annotated[CallToolResult, StrategiesReply]:
        """List the strategies that can be tested, with their parameters, ranges and defaults.

        Use it before run_backtest to learn the ids and what `parameters` may hold.
        """
        strategies = [strategy.describe() for strategy in self._registry]
        return reply(StrategiesReply.of(strategies), strategy_lines(strategies))

    def validate_strategy(
        self,
        strategy_config: Annotated[dict[str, Any], Field(description='{"strategy_id": "...", "parameters": {...}}')],
    ) -> Annotated[CallToolResult, ValidationReply]:
        """Check a strategy and its parameters without running anything.

        Use it when parameters are uncertain: it names every mistake at once with its path, and suggests a corrected
        configuration.
        """
        report_ = check_config(self._registry, strategy_config)
        lines = [f"- {problem}" for problem in report_.problems]
        if report_.valid:
            lines = [f"valid: {json.dumps(report_.effective)}; needs {report_.warmup} bars of warm-up"]
        else:
            suggested = json.dumps(report_.suggestion) if report_.suggestion else "none is near enough"
            lines = ["not valid:", *lines, f"suggestion: {suggested}"]
        return reply(ValidationReply.of(report_), "\n".join(lines))
