"""What a strategy is, and the registry that knows them by id."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from backtesting.errors import InvalidInputError, Problem, UnknownNameError
from backtesting.rules import Rule
from backtesting.types import Bars, Input, SearchRange, Signals, StrategyDescription

LARGEST_WINDOW = 5000
RECURSIVE_UNSTABLE = 250

__all__ = [
    "LARGEST_WINDOW",
    "RECURSIVE_UNSTABLE",
    "Rule",
    "SearchRange",
    "Sizing",
    "Strategy",
    "StrategyRegistry",
    "StrategyType",
    "parameter_names",
    "parameter_problems",
    "problems_of",
    "split_position_size",
]

StrategyType = Literal["trend_following", "mean_reversion", "momentum", "benchmark"]


class Sizing(Input):
    """The part of `parameters` that belongs to the request and not to the strategy (contract section 1)."""

    position_size: Annotated[float, Field(gt=0, le=1, description="Fraction of equity used per entry, in (0, 1]")] = 1.0


class Strategy(Input, ABC):
    """Base of every strategy: its fields are its parameters, its docstring is its description.

    Signals at a bar depend on bars up to it alone. Every field has a default and a description; `search` says what is
    worth trying for it. `idea` is the description in a few words, for a list of many.
    """

    title: ClassVar[str]
    idea: ClassVar[str] = ""
    strategy_type: ClassVar[StrategyType]
    search: ClassVar[Mapping[str, SearchRange]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            if name in Sizing.model_fields:
                raise TypeError(f"{cls.__name__}: {name} belongs to the request, choose another name")
            if field.is_required() or not field.description:
                raise TypeError(f"{cls.__name__}: {name} needs a default and a description")
        if unknown := cls.search.keys() - cls.model_fields:
            raise TypeError(f"{cls.__name__}: search names {', '.join(sorted(unknown))}, which is no parameter")

    @classmethod
    def id(cls) -> str:
        """Return the name of the strategy's module."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def description(cls) -> str:
        """Return the strategy's docstring."""
        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def parameters_schema(cls) -> dict[str, Any]:
        """Return the parameters' JSON Schema, without the names pydantic makes up."""
        schema = cls.model_json_schema(schema_generator=_UntitledSchema)
        return {key: value for key, value in schema.items() if key not in {"title", "description"}}

    @classmethod
    def default_parameters(cls) -> dict[str, Any]:
        """Return every parameter's default."""
        return cls().model_dump()

    @classmethod
    def describe(cls) -> StrategyDescription:
        """Return what is told of the strategy."""
        return StrategyDescription(
            id=cls.id(),
            name=cls.title,
            description=cls.description(),
            strategy_type=cls.strategy_type,
            parameters_schema=cls.parameters_schema(),
            default_parameters=cls.default_parameters(),
        )

    @classmethod
    def outline(cls) -> StrategyDescription:
        """Return the same with the idea in the place of the description."""
        return replace(cls.describe(), description=cls.idea or cls.description())

    @property
    @abstractmethod
    def warmup(self) -> int:
        """Bars before the first one where every indicator is defined (contract W1)."""

    @property
    def unstable(self) -> int:
        """Further bars until recursive indicators have forgotten their seed (contract W1)."""
        return 0

    @classmethod
    def rule(cls) -> Rule | None:
        """Return the lines that `signals` compares, by which many sets are evaluated at once; None has none."""
        return None

    @abstractmethod
    def signals(self, bars: Bars) -> Signals:
        """Decide at each close from that bar and earlier ones; the arrays have the bars' length."""


class StrategyRegistry:
    """The strategies that can be asked for, in the order listed."""

    def __init__(self, strategies: Sequence[type[Strategy]]) -> None:
        self._strategies = {strategy.id(): strategy for strategy in strategies}
        if len(self._strategies) < len(strategies):
            raise ValueError(f"two strategies share an id: {[strategy.id() for strategy in strategies]}")

    def __iter__(self) -> Iterator[type[Strategy]]:
        return iter(self._strategies.values())

    def ids(self) -> tuple[str, ...]:
        """Return the known ids."""
        return tuple(self._strategies)

    def get(self, strategy_id: str) -> type[Strategy]:
        """Return the strategy of this id; UnknownNameError offers the nearest."""
        if strategy_id not in self._strategies:
            raise UnknownNameError.among("strategy", strategy_id, self.ids(), field="strategy_id")
        return self._strategies[strategy_id]

    def configure(self, strategy_id: str, parameters: Mapping[str, Any]) -> tuple[Strategy, float]:
        """Return the strategy and its position_size; InvalidInputError lists all that is wrong with either."""
        strategy = self.get(strategy_id)
        try:
            position_size, own = split_position_size(parameters)
            return strategy.model_validate(own), position_size
        except (InvalidInputError, ValidationError) as error:
            raise InvalidInputError(parameter_problems(strategy, parameters)) from error


def parameter_problems(strategy: type[Strategy] | None, parameters: Mapping[str, Any]) -> list[Problem]:
    """Return everything wrong with the strategy's own parameters, if it is known, and with position_size."""
    sizing = {name: value for name, value in parameters.items() if name in Sizing.model_fields}
    problems = problems_of(Sizing, sizing, under="parameters")
    if strategy is None:
        return problems
    own = {name: value for name, value in parameters.items() if name not in sizing}
    return [*problems_of(strategy, own, parameter_names(strategy), under="parameters"), *problems]


def problems_of(
    model: type[Input], values: Mapping[str, Any], known: Iterable[str] = (), under: str = ""
) -> list[Problem]:
    """Return everything the model refuses in these values."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        return list(InvalidInputError.of(error, known=known, under=under).problems)
    return []


def parameter_names(strategy: type[Strategy]) -> tuple[str, ...]:
    """Return all names that `parameters` may hold for this strategy, the request's own included."""
    return *strategy.model_fields, *Sizing.model_fields


def split_position_size(parameters: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    """Return position_size, 1.0 where it is not given, and the strategy's own parameters."""
    own = {name: value for name, value in parameters.items() if name not in Sizing.model_fields}
    given = {name: value for name, value in parameters.items() if name in Sizing.model_fields}
    try:
        return Sizing.model_validate(given).position_size, own
    except ValidationError as error:
        raise InvalidInputError.of(error, under="parameters") from error


class _UntitledSchema(GenerateJsonSchema):
    """Leaves out the titles pydantic derives from field names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False
