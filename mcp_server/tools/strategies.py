"""Tools that tell which strategies there are, and whether a configuration is one."""

from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import Field

from backtesting.lookahead import check_look_ahead
from backtesting.reporting.text import parameter_lines, strategy_lines
from backtesting.reporting.validation import look_ahead_line, problem_lines, valid_line
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
            known = [strategy.outline() for strategy in self._registry]
            return reply(StrategiesReply(strategies=[StrategyReply.of(each) for each in known]), strategy_lines(known))
        asked = self._registry.get(strategy_id).describe()
        return reply(StrategiesReply(strategies=[FullStrategyReply.of(asked)]), parameter_lines(asked))

    def validate_strategy(
        self,
        strategy_config: Annotated[dict[str, Any], Field(description='{"strategy_id": "...", "parameters": {...}}')],
    ) -> Annotated[CallToolResult, ValidationReply]:
        """Check a strategy and its parameters without running a backtest.

        Use it when parameters are uncertain: it names every mistake at once with its path, and suggests a corrected
        configuration. A valid one is asked to decide with fewer bars known, and refused if later bars change anything.
        """
        found = check_config(self._registry, strategy_config)
        if not found.valid or found.strategy_id is None or found.effective is None:
            return reply(ValidationReply.of(found, None), problem_lines(found))
        strategy, _ = self._registry.configure(found.strategy_id, found.effective)
        checked = check_look_ahead(strategy)
        return reply(ValidationReply.of(found, checked), f"{valid_line(found)}\n{look_ahead_line(checked)}")
