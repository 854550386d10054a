"""The shapes of what is said of strategies."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from backtesting.strategy_check import StrategyReport
from backtesting.types import StrategyDescription


class StrategyReply(BaseModel):
    """A strategy that can be asked for, in short."""

    strategy_id: str
    strategy_type: str
    description: str
    defaults: Annotated[dict[str, Any], Field(description="Every parameter's default")]

    @classmethod
    def of(cls, strategy: StrategyDescription) -> Self:
        """Shape a description; what the shape has no field for is left out."""
        return cls.model_validate(
            {
                "strategy_id": strategy.id,
                "name": strategy.name,
                "strategy_type": strategy.strategy_type,
                "description": strategy.description,
                "defaults": strategy.default_parameters,
                "parameters": strategy.parameters_schema,
            }
        )


class FullStrategyReply(StrategyReply):
    """A strategy and all that its parameters may be."""

    name: str
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of `parameters`")]


class StrategiesReply(BaseModel):
    """Strategies: all of them in short, or one in full."""

    strategies: list[FullStrategyReply | StrategyReply]


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
