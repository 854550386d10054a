"""The shapes of what is said of strategies."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from backtesting.strategy_check import StrategyReport
from backtesting.types import StrategyDescription


class StrategyReply(BaseModel):
    """A strategy that can be asked for."""

    strategy_id: str
    name: str
    description: str
    strategy_type: str
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of `parameters`")]


class StrategiesReply(BaseModel):
    """Every registered strategy."""

    strategies: list[StrategyReply]

    @classmethod
    def of(cls, strategies: Sequence[StrategyDescription]) -> Self:
        """Shape the descriptions."""
        return cls(
            strategies=[
                StrategyReply(
                    strategy_id=each.id,
                    name=each.name,
                    description=each.description,
                    strategy_type=each.strategy_type,
                    parameters=dict(each.parameters_schema),
                )
                for each in strategies
            ]
        )


class ProblemReply(BaseModel):
    """One thing wrong, and what would be right."""

    path: str
    message: str


class ValidationReply(BaseModel):
    """Whether a configuration can run, and one that can."""

    valid: bool
    problems: list[ProblemReply]
    suggestion: Annotated[dict[str, Any] | None, Field(description="A corrected configuration that is valid")]
    effective: Annotated[dict[str, Any] | None, Field(description="All parameters with defaults, when valid")]
    warmup_bars: int | None
    unstable_bars: Annotated[int | None, Field(description="Further bars until recursive indicators settle")]

    @classmethod
    def of(cls, report: StrategyReport) -> Self:
        """Shape a report."""
        return cls(
            valid=report.valid,
            problems=[ProblemReply(path=each.path, message=each.message) for each in report.problems],
            suggestion=report.suggestion,
            effective=report.effective,
            warmup_bars=report.warmup,
            unstable_bars=report.unstable,
        )
