"""The shapes of what is said of strategies."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from backtesting.lookahead import LookAheadReport
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


class LookAheadReply(BaseModel):
    """What a strategy that does not look ahead does on a random walk."""

    bars: int
    cuts: Annotated[int, Field(description="Bars at which later bars changed nothing that was said before")]
    first_defined_bar: Annotated[int | None, Field(description="Where every indicator is defined for the first time")]
    drift: Annotated[
        dict[str, float | None],
        Field(description="Largest effect of starting warmup + unstable bars before, as a fraction of the indicator"),
    ]
    total_return: Annotated[float, Field(description="Of the signals, without costs; nobody has an edge here")]
    delayed_return: Annotated[float, Field(description="The same with every signal a bar later")]

    @classmethod
    def of(cls, report: LookAheadReport) -> Self:
        """Shape a report."""
        return cls(
            bars=report.bars,
            cuts=report.cuts,
            first_defined_bar=report.first_defined,
            drift=dict(report.drift),
            total_return=report.total_return,
            delayed_return=report.delayed_return,
        )


class ValidationReply(BaseModel):
    """Whether a configuration can run, and one that can."""

    valid: bool
    problems: list[ProblemReply]
    suggestion: Annotated[dict[str, Any] | None, Field(description="A corrected configuration that is valid")]
    effective: Annotated[dict[str, Any] | None, Field(description="All parameters with defaults, when valid")]
    warmup_bars: int | None
    unstable_bars: Annotated[int | None, Field(description="Further bars until recursive indicators settle")]
    look_ahead: Annotated[LookAheadReply | None, Field(description="The check on a random walk, when valid")]

    @classmethod
    def of(cls, report: StrategyReport, checked: LookAheadReport | None) -> Self:
        """Shape the reports."""
        return cls(
            valid=report.valid,
            problems=[ProblemReply(path=each.path, message=each.message) for each in report.problems],
            suggestion=report.suggestion,
            effective=report.effective,
            warmup_bars=report.warmup,
            unstable_bars=report.unstable,
            look_ahead=LookAheadReply.of(checked) if checked else None,
        )
