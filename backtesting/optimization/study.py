"""An optimisation made ready: the sets to try, the bars to try them on, and the days they never see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backtesting.data_loader import LoadedBars
from backtesting.engine import BacktestEngine
from backtesting.errors import InvalidInputError, LimitExceededError, Problem, did_you_mean
from backtesting.evaluation import Plan
from backtesting.optimization.constraints import Constraint
from backtesting.optimization.request import OptimizationRequest
from backtesting.parameter_grid import Allowed, ParameterGrid, axes_of, expand
from backtesting.strategy import Strategy, parameter_names
from backtesting.sweep import path_of, plan_of, require_one_size, with_first_day, with_history
from backtesting.sweep_trial import trial_of
from backtesting.types import BacktestRequest, Booleans, Floats, Integers, SearchSpace, Trial, ValueRange, instant

FEWEST_SESSIONS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """The plan and the bars of the train period, the sets, and the requests of whole and holdout period.

    `plan` has the history and the first day of the whole grid; `holdout` is None where nothing is held out.
    """

    plan: Plan
    loaded: LoadedBars
    grid: ParameterGrid
    whole: BacktestRequest
    holdout: BacktestRequest | None

    @property
    def is_fused(self) -> bool:
        """Whether many sets are evaluated at once."""
        return path_of(self.plan) == "fused"

    def train_plan(self, number: int) -> Plan:
        """Return the plan of one set's single run on the train period."""
        return plan_of(self.plan, self.grid, number)

    def request_of(self, request: BacktestRequest, number: int) -> BacktestRequest:
        """Return the request of one set on another period."""
        return request.model_copy(update={"parameters": self.grid.parameters(number)})

    def trial(self, numbers: Integers, sharpes: Floats, job_id: str) -> Trial:
        """Return the ledger's record of these sets, whose annual Sharpe ratios were found; repeats have one hash."""
        return trial_of(self.plan, self.loaded, self.grid[numbers], sharpes, job_id)


def prepared(asked: OptimizationRequest, engine: BacktestEngine) -> Study:
    """Make an optimisation ready; what cannot be meant is refused by the field that is at fault."""
    whole = asked.whole(engine)
    plan = engine.plan(whole)
    grid = grid_of(asked, type(plan.strategy), engine.limits.combinations)
    whole = engine.plan(whole.model_copy(update={"parameters": grid.parameters(0)})).request
    train, holdout = whole, None
    if asked.holdout:
        last, first = _cut(asked, engine.load(engine.plan(whole), 0)[1])
        train = whole.model_copy(update={"end_date": last})
        holdout = whole.model_copy(update={"start_date": first})
    plan = with_history(engine.plan(train), grid)
    require_one_size(plan, grid)
    plan, loaded = engine.load(plan)
    plan = with_first_day(plan, loaded, grid)
    if holdout:
        holdout = holdout.model_copy(update={"history_bars": plan.request.history_bars})
    return Study(plan, loaded, grid, whole, holdout)


def grid_of(asked: OptimizationRequest, strategy: type[Strategy], most: int) -> ParameterGrid:
    """Return the sets that strategy and constraints allow."""
    space = space_of(asked, strategy)
    _require_few(strategy, space, most)
    fixed = {**strategy.default_parameters(), "position_size": 1.0, **asked.parameters}
    if asked.sizing is not None:
        fixed.pop("position_size")
    return expand(strategy, space, fixed, most, _allowed(asked, strategy))


def space_of(asked: OptimizationRequest, strategy: type[Strategy]) -> SearchSpace:
    """Return the user's space, or the strategy's own without the parameters the user has set."""
    known = parameter_names(strategy)
    problems = [
        Problem(f"parameters.{name}", f"unknown parameter{did_you_mean(name, known)} (known: {', '.join(known)})")
        for name in asked.parameters
        if name not in known
    ]
    twice = [name for name in asked.space or () if name in asked.parameters]
    problems += [Problem(f"parameters.{name}", "is searched by space, too: drop one of the two") for name in twice]
    if problems:
        raise InvalidInputError(problems)
    if asked.space:
        return SearchSpace(parameters=asked.space)
    own = {
        name: ValueRange(low=each.low, high=each.high, step=each.step)
        for name, each in strategy.search.items()
        if name not in asked.parameters
    }
    if not own:
        offer = f'name one, e.g. {{"{known[0]}": {{"low": 10, "high": 50, "step": 5}}}}'
        raise InvalidInputError([Problem("space", f"{strategy.id()} has none of its own left to search: {offer}")])
    return SearchSpace(parameters=own)


def _require_few(strategy: type[Strategy], space: SearchSpace, most: int) -> None:
    count = prod(map(len, axes_of(strategy, space).values()))
    if count > most:
        raise LimitExceededError(
            f"space: {count:,} combinations, and an optimisation may have at most {most:,}: narrow a range, or raise "
            "its step",
            field="space",
        )


def _allowed(asked: OptimizationRequest, strategy: type[Strategy]) -> Allowed | None:
    """Return what tells whether combinations hold the constraints; None without any."""
    constraints = [Constraint.read(text) for text in asked.constraints]
    known = parameter_names(strategy)
    problems = [
        Problem(f"constraints.{place}", f"unknown parameter {name}{did_you_mean(name, known)}")
        for place, each in enumerate(constraints)
        for name in sorted(each.names - set(known))
    ]
    if problems:
        raise InvalidInputError(problems)
    return partial(_hold, constraints) if constraints else None


def _hold(constraints: list[Constraint], values: Mapping[str, Any]) -> Booleans:
    count = max(np.size(each) for each in values.values())
    kept = np.ones(count, np.bool_)
    for place, constraint in enumerate(constraints):
        try:
            kept &= constraint.holds(values)
        except (TypeError, ValueError) as error:
            raise InvalidInputError([Problem(f"constraints.{place}", "compares what is no number")]) from error
    return kept


def _cut(asked: OptimizationRequest, loaded: LoadedBars) -> tuple[date, date]:
    """Return the last day of train and the first of holdout."""
    days = np.unique(loaded.session[loaded.history :])
    held_out = round(len(days) * asked.holdout)
    for name, count in (("holdout", held_out), ("train", len(days) - held_out)):
        if count < FEWEST_SESSIONS:
            raise InvalidInputError(
                [
                    Problem(
                        "holdout",
                        f"{asked.holdout:g} of {len(days)} sessions leaves {count} for {name}, at least "
                        f"{FEWEST_SESSIONS} are needed: choose a longer period or another share, 0 for no holdout",
                    )
                ]
            )
    return instant(days[-held_out - 1]).date(), instant(days[-held_out]).date()
