"""Runs one backtest, from the request to the stored result.

1. The registry makes the strategy from its id and parameters (`strategy.py`).
2. What the request leaves open is decided by the asset (`BacktestEngine.plan`).
3. The bars of the period and of the warm-up are loaded, or made of finer ones, checked and adjusted (`data_loader.py`).
   Where the same request was run before, on the same bars and by the same versions, that run is the answer.
4. The strategy decides at every close (`strategies/`).
5. The first deciding bar is the last one before the period, or the first with every indicator defined (W2).
6. The decisions are traded, buy and hold beside them (`simulation.py`).
7. The outcome is measured (`metrics/`), flagged (`flags.py`) and given its provenance (`provenance.py`).
8. Run, result, trades and trial are stored together (`RunRecorder`).

Steps 4 to 7 are `evaluation.evaluate`, a function of its arguments alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backtesting.benchmark import find_benchmark, load_benchmark
from backtesting.data_loader import LoadedBars, days_covered, load_bars, require_period
from backtesting.errors import (
    BacktestError,
    DatabaseUnavailableError,
    DefectError,
    InvalidInputError,
    LimitExceededError,
)
from backtesting.evaluation import Plan, evaluate, with_adjustment
from backtesting.ports import BarSource, RunRecorder
from backtesting.provenance import config_hash, data_hash, market_of, versions
from backtesting.resampling import AnyTimeframe
from backtesting.strategy import StrategyRegistry
from backtesting.types import (
    COST_PRESETS,
    AssetClass,
    AssetSymbol,
    BacktestRequest,
    BacktestResult,
    CostPreset,
    Costs,
    Limits,
    Run,
    RunStatus,
    Timeframe,
    utc_now,
    validated,
)

Evaluating = Callable[[Plan, LoadedBars], BacktestResult]
MADE_OF = ("data_hash", "benchmark_data_hash", "market", "versions")
PRESET_OF_CLASS: Mapping[AssetClass, CostPreset] = {AssetClass.CRYPTO: "crypto", AssetClass.FX: "fx"}


class BacktestEngine:
    """The use case: a request goes in, a stored run comes out. Safe to share between threads."""

    def __init__(
        self,
        registry: StrategyRegistry,
        bars: BarSource,
        runs: RunRecorder,
        now: Callable[[], datetime] = utc_now,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._registry = registry
        self._bars = AnyTimeframe(bars)
        self._runs = runs
        self._now = now
        self.limits = limits

    def run(
        self,
        request: BacktestRequest,
        *,
        run_id: str | None = None,
        tags: Sequence[str] = (),
        rerun: bool = False,
        evaluating: Evaluating = evaluate,
    ) -> Run:
        """Run and store the backtest, or return the stored run of the same request unless a `rerun` is asked for.

        `evaluating` does what `evaluate` does, elsewhere or within limits. A request that cannot be meant is refused
        and leaves nothing. What fails later is stored as a failed run, and the error carries its `run_id`.
        """
        plan = self.plan(request)
        run = self.begun(plan, run_id, tags)
        try:
            return self._complete(run, plan, evaluating, rerun=rerun)
        except LimitExceededError:
            raise
        except BacktestError as error:
            error.run_id = self._store_failure(run, error)
            raise
        except Exception as error:
            defect = DefectError("this program has a defect, the request is not to blame; its log has the details")
            defect.run_id = self._store_failure(run, defect)
            raise defect from error

    def whole_request(self, strategy_id: str, symbol: str, **options: Any) -> BacktestRequest:
        """Return a request over all stored bars with a capital of 100,000, but for what the options say."""
        whole = self._whole_period(symbol, options.get("timeframe", Timeframe.D1))
        basis = {"strategy_id": strategy_id, "asset_symbol": symbol, "initial_capital": 100_000.0, "parameters": {}}
        return validated(BacktestRequest, **basis | whole | options)

    def _whole_period(self, symbol: str, timeframe: str) -> dict[str, date]:
        """Return the first and the last stored day of a symbol, as fields of a request."""
        try:
            asset = self._bars.asset(TypeAdapter(AssetSymbol).validate_python(symbol))
        except ValidationError as error:
            raise InvalidInputError.of(error, under="asset_symbol") from error
        spans = sorted(self._bars.coverage(asset.symbol), key=lambda span: span.timeframe != timeframe)
        return dict(zip(("start_date", "end_date"), days_covered(asset, spans[0]), strict=True)) if spans else {}

    def plan(self, request: BacktestRequest) -> Plan:
        """Make the strategy, find the asset and its stored period, and fill in what the request left open."""
        strategy, position_size = self._registry.configure(request.strategy_id, request.parameters)
        asset = self._bars.asset(request.asset_symbol)
        preset = PRESET_OF_CLASS.get(asset.asset_class, "us_equity")
        complete = request.model_copy(
            update={
                "asset_symbol": asset.symbol,
                "parameters": strategy.model_dump() | ({} if request.sizing else {"position_size": position_size}),
                "costs": request.costs or preset,
            }
        )
        costs = _costs(complete, COST_PRESETS[preset])
        benchmark = find_benchmark(self._bars, asset, complete, costs)
        complete = complete.model_copy(update={"benchmark": benchmark.asset.symbol if benchmark else None})
        return Plan(
            request=complete,
            period=require_period(self._bars, asset, complete),
            strategy=strategy,
            position_size=position_size,
            asset=asset,
            costs=costs,
            costs_assumed=request.costs is None and asset.asset_class is AssetClass.UNKNOWN,
            benchmark=benchmark,
        )

    def load(self, plan: Plan, history: int | None = None) -> tuple[Plan, LoadedBars]:
        """Load what the plan reads, with `history` bars before it or as many as it wants; note which prices these are.

        LimitExceededError when there are more bars than one run may have.
        """
        loaded = load_bars(self._bars, plan.request, plan.period, plan.history if history is None else history)
        if len(loaded.bars) > self.limits.bars:
            raise LimitExceededError(
                f"start_date: the period has {len(loaded.bars)} bars and a run may have at most {self.limits.bars}: "
                "choose a shorter period or a longer timeframe",
                field="start_date",
            )
        beside = load_benchmark(self._bars, plan.benchmark, plan.request, loaded)
        return with_adjustment(plan, loaded.adjustment), replace(loaded, benchmark=beside)

    def known(self, plan: Plan, loaded: LoadedBars) -> Run | None:
        """Return the completed run of the same request on the same bars by the same versions, where there is one."""
        candidates = [(run, run.summary.provenance) for run in self._completed(plan) if run.summary]
        if not candidates:
            return None
        made_of = (*hashes_of(loaded), market_of(plan.asset), versions())
        same = (run for run, told in candidates if tuple(map(told.get, MADE_OF)) == made_of)
        return next(same, None)

    def begun(self, plan: Plan, run_id: str | None = None, tags: Sequence[str] = ()) -> Run:
        """Return the record of a run that begins now."""
        return Run(run_id or Run.new_id(), RunStatus.RUNNING, plan.request, created_at=self._now(), tags=tuple(tags))

    def ended(self, run: Run, plan: Plan, result: BacktestResult) -> Run:
        """Return the record of a run that has come to a result."""
        return replace(
            run, status=RunStatus.COMPLETED, request=plan.request, completed_at=self._now(), summary=result.summary
        )

    def failed(self, run: Run, error: BacktestError) -> Run:
        """Return the record of a run that has failed."""
        return replace(run, status=RunStatus.FAILED, completed_at=self._now(), error=str(error))

    def _complete(self, run: Run, plan: Plan, evaluating: Evaluating, *, rerun: bool) -> Run:
        plan, loaded = self.load(plan)
        if not rerun and (known := self.known(plan, loaded)):
            return known
        result = evaluating(plan, loaded)
        completed = self.ended(run, plan, result)
        self._runs.add(completed, result)
        return completed

    def _completed(self, plan: Plan) -> Sequence[Run]:
        return self._runs.completed(config_hash(plan.request))

    def _store_failure(self, run: Run, error: BacktestError) -> str | None:
        """Keep the failed run and return its id, unless it is the database that failed."""
        if isinstance(error, DatabaseUnavailableError):
            return None
        self._runs.add(self.failed(run, error), None)
        return run.id


def hashes_of(loaded: LoadedBars) -> tuple[str, str | None]:
    """Return the hashes of the bars and of the benchmark's, None where there is none."""
    beside = loaded.benchmark
    return data_hash(loaded.bars, loaded.adjustment), data_hash(beside.bars, beside.adjustment) if beside else None


def _costs(request: BacktestRequest, usual: Costs) -> Costs:
    """Return the request's costs with its own rates written in, and the asset's usual borrow where none is told."""
    costs = request.costs if isinstance(request.costs, Costs) else COST_PRESETS[request.costs or "us_equity"]
    changes = {
        "commission": request.fees,
        "slippage": request.slippage,
        "borrow": usual.borrow if costs.borrow is None else None,
    }
    return costs.model_copy(update={name: rate for name, rate in changes.items() if rate is not None})
