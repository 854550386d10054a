"""What is wrong with a strategy's configuration, all of it at once, and the nearest configuration that is right."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from backtesting.errors import SHOWN_CHARACTERS, Problem, did_you_mean, nearest, shown
from backtesting.strategy import (
    Sizing,
    Strategy,
    StrategyRegistry,
    parameter_problems,
    problems_of,
    split_position_size,
)
from backtesting.types import Input, Parameters

MOST_FIELDS = 100


class StrategyConfig(Input):
    """Which strategy, with which parameters."""

    strategy_id: Any
    parameters: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyReport:
    """Everything wrong with a configuration, and one without fault in its place.

    `strategy_id` is None unless it names a known strategy. A valid configuration has its bars of warm-up and its
    `effective` parameters, defaults and position_size included. An invalid one has a suggestion, unless no known
    strategy is near the one asked for.
    """

    valid: bool
    strategy_id: str | None
    problems: tuple[Problem, ...] = ()
    suggestion: dict[str, Any] | None = None
    warmup: int | None = None
    unstable: int | None = None
    effective: dict[str, Any] | None = None


def check_config(registry: StrategyRegistry, config: Mapping[str, Any]) -> StrategyReport:
    """Report on `{"strategy_id": ..., "parameters": {...}}`; never raises, whatever JSON it holds."""
    given = _bounded(config)
    plan = _renamed(given, tuple(StrategyConfig.model_fields))
    asked, parameters = plan.get("strategy_id"), _bounded(plan.get("parameters"))
    strategy = _nearest_strategy(registry, asked)
    problems = [*_config_problems(registry, given, plan), *parameter_problems(strategy, parameters)]
    if strategy is None:
        return StrategyReport(valid=False, strategy_id=None, problems=tuple(problems))
    mended = _mended(strategy, parameters)
    hidden = [problem for problem in parameter_problems(strategy, mended) if problem not in problems]
    position_size, own = split_position_size(_reconciled(strategy, mended))
    ready = strategy.model_validate(own)
    effective = {**ready.model_dump(), "position_size": position_size}
    if problems or hidden:
        return StrategyReport(
            valid=False,
            strategy_id=strategy.id() if asked == strategy.id() else None,
            problems=(*problems, *hidden),
            suggestion={"strategy_id": strategy.id(), "parameters": effective},
        )
    return StrategyReport(
        valid=True, strategy_id=asked, warmup=ready.warmup, unstable=ready.unstable, effective=effective
    )


def _bounded(values: Any) -> dict[str, Any]:
    """Return at most a hundred fields, their names cut to what may be shown; none of what holds no fields."""
    fields = islice(values.items(), MOST_FIELDS) if isinstance(values, Mapping) else ()
    return {name[:SHOWN_CHARACTERS]: value for name, value in fields}


def _config_problems(registry: StrategyRegistry, given: Mapping[str, Any], plan: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong outside the parameters."""
    found = problems_of(StrategyConfig, given, StrategyConfig.model_fields)
    problems = [each for each in found if each.path != "strategy_id"]
    asked, ids = plan.get("strategy_id"), registry.ids()
    if asked in ids:
        return problems
    hint = did_you_mean(asked, ids) if isinstance(asked, str) else ""
    wrong = f"unknown strategy {shown(asked)}{hint}" if "strategy_id" in plan else "is required"
    return [Problem("strategy_id", f"{wrong}; known: {', '.join(sorted(ids))}"), *problems]


def _nearest_strategy(registry: StrategyRegistry, asked: Any) -> type[Strategy] | None:
    """Return the strategy of this id, or of the nearest one."""
    if not isinstance(asked, str):
        return None
    near = asked if asked in registry.ids() else nearest(asked, registry.ids())
    return registry.get(near) if near else None


def _renamed(values: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """Return the known fields, each other one under the nearest known name, or dropped where that is taken."""
    renamed = {name: value for name, value in values.items() if name in known}
    for name, value in values.items():
        near = nearest(name, known)
        if near:
            renamed.setdefault(near, value)
    return renamed


def _mended(strategy: type[Strategy], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter with a value valid by itself, as near as possible to what was given."""
    fields = {**strategy.model_fields, **Sizing.model_fields}
    mended = _renamed(parameters, tuple(fields))
    for repair in (_nearest_number, _default):
        for name in _wrong_names(parameter_problems(strategy, mended)):
            mended[name] = repair(fields[name], mended[name])
    return {**strategy.default_parameters(), **Sizing().model_dump(), **mended}


def _wrong_names(problems: Sequence[Problem]) -> list[str]:
    """Return the parameters that single-field problems point at."""
    return [name for problem in problems for name in problem.path.split(".")[1:2]]


def _nearest_number(field: FieldInfo, value: Any) -> Any:
    """Return the number meant by the value, whole if need be, moved inside the field's bounds; or the default."""
    number: Any = _number(value)
    if number is None:
        return _default(field, value)
    if field.annotation is int:
        number = round(number)
    for bound in field.metadata:
        match bound:
            case Ge(ge=lowest):
                number = max(number, lowest)
            case Le(le=highest):
                number = min(number, highest)
    return number


def _default(field: FieldInfo, _: Any) -> Any:
    """Return the field's default."""
    return field.get_default(call_default_factory=True)


def _number(value: Any) -> float | None:
    """Return the finite number that the value is or spells."""
    if isinstance(value, str) and len(value) <= SHOWN_CHARACTERS:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _reconciled(strategy: type[Strategy], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first of the candidates that breaks no rule; the last one, all defaults, never does."""
    rules = parameter_problems(strategy, parameters)
    candidates = _candidates(strategy, parameters, rules)
    return next(each for each in candidates if not parameter_problems(strategy, each))


def _candidates(
    strategy: type[Strategy], parameters: Mapping[str, Any], rules: Sequence[Problem]
) -> Iterator[Mapping[str, Any]]:
    """Offer the parameters as they are, those a broken rule names swapped, each of them by default, all by default."""
    yield parameters
    defaults = strategy.default_parameters()
    text = " ".join(rule.message for rule in rules)
    named = [name for name in strategy.model_fields if re.search(rf"\b{name}\b", text)]
    yield {**parameters, **{name: parameters[other] for name, other in zip(named, reversed(named), strict=True)}}
    for name in named:
        yield {**parameters, name: defaults[name]}
    yield {**parameters, **defaults}
