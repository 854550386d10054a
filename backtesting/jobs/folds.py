"""The windows of a walk-forward on stored bars, and what each of them reads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

from pydantic import Field

from backtesting.data_loader import LoadedBars
from backtesting.engine import BacktestEngine
from backtesting.errors import InvalidInputError, LimitExceededError, Problem
from backtesting.evaluation import Plan
from backtesting.objective import Objective
from backtesting.optimization.request import Inequality, OptimizationRequest
from backtesting.optimization.study import grid_of
from backtesting.parameter_grid import ParameterGrid
from backtesting.sweep import require_one_size, with_first_day, with_history
from backtesting.types import BacktestRequest, Input, Tags, ValueRange, Values
from backtesting.walk_forward.fold import Fold
from backtesting.walk_forward.windows import Scheme, Span, Window, Windows, windows_of


class WalkForwardRequest(Input):
    """A request whose period is divided; without a space the strategy's own ranges are searched."""

    request: BacktestRequest
    space: Annotated[Mapping[str, ValueRange | Values], Field(min_length=1)] | None = None
    constraints: Annotated[tuple[Inequality, ...], Field(strict=False, max_length=10)] = ()
    objective: Objective = Objective()
    scheme: Scheme = Scheme()
    tags: Tags = ()

    @property
    def search(self) -> OptimizationRequest:
        """The same search as an optimisation has it."""
        request = self.request
        return OptimizationRequest(
            strategy_id=request.strategy_id,
            asset_symbol=request.asset_symbol,
            parameters=request.parameters,
            sizing=request.sizing,
            space=self.space,
            constraints=self.constraints,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """All that the windows share, made of stored bars the same way at every attempt.

    `plan` is that of the whole period; its history is what the slowest set wants (W4), for train and test spans alike.
    """

    engine: BacktestEngine
    objective: Objective
    plan: Plan
    grid: ParameterGrid
    windows: Windows

    @classmethod
    def of(cls, asked: WalkForwardRequest, engine: BacktestEngine) -> Self:
        """Divide the period; what cannot be meant, or is too short for one window, is refused."""
        if asked.request.trade_from is not None:
            raise InvalidInputError([Problem("trade_from", "the windows say when trading begins: move start_date")])
        request = asked.request.model_copy(update={"parameters": {}})
        grid = grid_of(asked.search, type(engine.plan(request).strategy), engine.limits.combinations)
        plan, whole = engine.load(engine.plan(request.model_copy(update={"parameters": grid.parameters(0)})), 0)
        require_one_size(plan, grid)
        windows = windows_of(whole.session, asked.scheme)
        _require_few(len(grid), len(windows.each), engine.limits.combinations)
        return cls(engine, asked.objective, with_history(plan, grid), grid, windows)

    def require_warm(self) -> None:
        """Raise NoBarsError where the longest set cannot even trade in the first train span."""
        plan, loaded = self._read(self.windows.each[0].train)
        with_first_day(plan, loaded, self.grid)

    def fold(self, window: Window, job_id: str) -> Fold:
        """Load what a window reads."""
        train, train_bars = self._read(window.train)
        test, test_bars = self.test(window)
        return Fold(train, train_bars, test, test_bars, self.grid, self.objective, job_id)

    def test(self, window: Window) -> tuple[Plan, LoadedBars]:
        """Load what the test span reads; it is closed at its end."""
        return self._read(window.test, close_at_end=True, **self._first_day(window))

    def span(self) -> tuple[Plan, LoadedBars]:
        """Load the span of all tests; buy and hold enters it when the slowest set could."""
        each = self.windows.each
        plan, loaded = self._read(Span(each[0].test.first, each[-1].test.behind), **self._first_day(each[0]))
        return replace(plan, strategy=self.grid.longest), loaded

    def bars(self, window: Window) -> int:
        """Return the bars of the test span."""
        first_bar = self.windows.first_bar
        return int(first_bar[window.test.behind] - first_bar[window.test.first])

    def _first_day(self, window: Window) -> Mapping[str, Any]:
        embargoed = window.trade_from > window.test.first
        return {"trade_from": self.windows.day(window.trade_from)} if embargoed else {}

    def _read(self, span: Span, **changes: Any) -> tuple[Plan, LoadedBars]:
        first, last = self.windows.days(span)
        changed = self.plan.request.model_copy(update={"start_date": first, "end_date": last, **changes})
        return self.engine.load(self.engine.plan(changed))


def _require_few(sets: int, windows: int, most: int) -> None:
    if sets * windows > most:
        raise LimitExceededError(
            f"space: {sets:,} sets in each of {windows:,} windows, and together at most {most:,} may be evaluated: "
            "narrow a range, raise its step, or raise test_sessions",
            field="space",
        )
