"""Tools that tell which strategies there are, and whether a configuration is one."""

import json
from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import Field

from backtesting.reporting.text import parameter_lines, strategy_lines
from backtesting.strategy import StrategyRegistry
from backtesting.strategy_check import check_config
from backtesting.types import StrategyId
from mcp_server.schemas.answers import reply
from mcp_server.schemas.strategies import FullStrategyReply, StrategiesReply, StrategyReply, ValidationReply


class StrategyTools:
    """The tools; nothing has to be opened for them."""

    def __init__(self, registry: StrategyRegistry) -> None:
        self._registry = registry

    def list_strategies(
        self,
        strategy_id: Annotated[
            StrategyId | None, Field(description="One to tell in full; default: all, in short")
        ] = None,
    ) -> Annotated[CallToolResult, StrategiesReply]:
        """List the strategies that can be tested with their defaults, or the one of a strategy_id with all it takes.

        Use it before run_backtest to learn the ids and what `parameters` may hold.
        """
        if strategy_id is None:
            known = [strategy.describe() for strategy in self._registry]
            return reply(StrategiesReply(strategies=[StrategyReply.of(each) for each in known]), strategy_lines(known))
        asked = self._registry.get(strategy_id).describe()
        return reply(StrategiesReply(strategies=[FullStrategyReply.of(asked)]), parameter_lines(asked))

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
