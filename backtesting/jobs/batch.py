"""One strategy on many symbols, with many parameter sets given explicitly: each leaves a stored run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from backtesting.data_loader import LoadedBars
from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError, LimitExceededError, UnknownNameError
from backtesting.evaluation import Plan, evaluate
from backtesting.job import JobContext, JobKind, Task
from backtesting.sharing import Shared
from backtesting.types import (
    Adjustment,
    AssetSymbol,
    BacktestRequest,
    BacktestResult,
    Capital,
    Chunk,
    CostChoice,
    Day,
    Fill,
    Input,
    Parameters,
    RiskFree,
    Run,
    StrategyId,
    Tags,
    Timeframe,
)

RUNS_OF_A_CHUNK = 10
BEST_RUNS = 5
RANKED_BY = "sharpe_ratio"
MOST_SHARED = 32


class BatchRequest(Input):
    """Every parameter set on every symbol; without dates, on all bars stored of the symbol."""

    strategy_id: StrategyId
    symbols: Annotated[list[AssetSymbol], Field(min_length=1, max_length=1000)]
    parameters: Annotated[list[Parameters], Field(min_length=1, max_length=10_000)]
    start_date: Day | None = None
    end_date: Day | None = None
    initial_capital: Capital = 100_000.0
    timeframe: Annotated[Timeframe, Field(strict=False)] = Timeframe.D1
    fill: Fill = "next_open"
    costs: CostChoice | None = None
    adjustment: Adjustment | None = None
    risk_free: RiskFree = 0.0
    tags: Tags = ()
    rerun: bool = False

    def of(self, symbol: str, parameters: dict[str, Any], engine: BacktestEngine) -> BacktestRequest:
        """Return the request of one run."""
        names = ("start_date", "end_date", "initial_capital", "timeframe", "fill", "costs", "adjustment", "risk_free")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return engine.whole_request(self.strategy_id, symbol, parameters=parameters, **given)


@dataclass(frozen=True, slots=True)
class Part:
    """The runs of one chunk: some parameter sets on one symbol."""

    number: int
    symbol: str
    parameters: Sequence[dict[str, Any]]


def parts_of(batch: BatchRequest) -> list[Part]:
    """Divide the runs into chunks, the same ones at every attempt."""
    sets = batch.parameters
    spans = [sets[first : first + RUNS_OF_A_CHUNK] for first in range(0, len(sets), RUNS_OF_A_CHUNK)]
    pairs = [(symbol, span) for symbol in dict.fromkeys(batch.symbols) for span in spans]
    return [Part(number, symbol, span) for number, (symbol, span) in enumerate(pairs)]


def check(batch: BatchRequest, engine: BacktestEngine) -> None:
    """Refuse unknown symbols and strategies, wrong parameters and dates, and more runs than the limit."""
    count, limit = len(set(batch.symbols)) * len(batch.parameters), engine.limits.runs_of_a_batch
    if count > limit:
        raise LimitExceededError(
            f"parameters: {count} runs are asked for and a batch may have at most {limit}: give fewer parameter sets "
            "or symbols",
            field="parameters",
        )
    try:
        for parameters in batch.parameters:
            engine.plan(batch.of(batch.symbols[0], parameters, engine))
        for symbol in batch.symbols[1:]:
            engine.plan(batch.of(symbol, batch.parameters[0], engine))
    except UnknownNameError as error:
        raise error.called("symbols") if error.field == "asset_symbol" else error from error


def run(batch: BatchRequest, context: JobContext) -> Mapping[str, Any]:
    """Evaluate the parts that are not stored yet, and tell how many runs there are and which did best."""
    parts = parts_of(batch)
    ledger = _Ledger(sum(len(part.parameters) for part in parts), context)
    _Desk(batch, context, ledger).work([part for part in parts if part.number not in context.chunks])
    return ledger.result()


@dataclass(frozen=True, slots=True)
class _Ledger:
    """What the stored chunks come to; a chunk is a list of rows, one a run."""

    total: int
    context: JobContext

    def rows(self) -> list[dict[str, Any]]:
        chunks = self.context.chunks
        return [row for number in sorted(chunks) for row in chunks[number]]

    def tell(self, added: Sequence[Mapping[str, Any]] = ()) -> None:
        rows = [*self.rows(), *added]
        self.context.progress(len(rows), self.total, "evaluating", next(iter(_best(rows)), None))

    def result(self) -> dict[str, Any]:
        rows = self.rows()
        failed = [row for row in rows if row["error"]]
        return {"runs": len(rows), "failed": len(failed), "best": _best(rows), "tag": self.context.job_id}


def _best(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    ranked = sorted((row for row in rows if row[RANKED_BY] is not None), key=lambda row: -row[RANKED_BY])
    return [{key: value for key, value in row.items() if key != "error"} for row in ranked[:BEST_RUNS]]


class _Desk:
    """Turns parts into tasks, and what comes back into runs."""

    def __init__(self, batch: BatchRequest, context: JobContext, ledger: _Ledger) -> None:
        self._batch, self._context, self._ledger = batch, context, ledger
        self._begun: dict[int, list[_Item]] = {}
        self._shared: dict[tuple[str, int], Shared[LoadedBars]] = {}

    def work(self, parts: Sequence[Part]) -> None:
        self._ledger.tell()
        self._context.work(self._tasks(parts), self._keep)

    def _tasks(self, parts: Sequence[Part]) -> Iterator[Task]:
        for part in parts:
            items = self._begun[part.number] = self._items(part)
            wanted = [(item.plan, item.loaded) for item in items if item.loaded and not item.known]
            yield Task(part.number, partial(outcomes, wanted))

    def _items(self, part: Part) -> list["_Item"]:
        """Plan the runs of a part."""
        engine = self._context.engine
        request = self._batch.of(part.symbol, part.parameters[0], engine)
        items = []
        for parameters in part.parameters:
            self._context.require_held()
            plan = engine.plan(request.model_copy(update={"parameters": parameters}))
            try:
                plan, loaded = engine.load(plan)
            except BacktestError as error:
                items.append(_Item(plan, None, None, str(error)))
                continue
            known = None if self._batch.rerun else engine.known(plan, loaded)
            items.append(_Item(plan, self._handle(part.symbol, plan, loaded), known, None))
        return items

    def _handle(self, symbol: str, plan: Plan, loaded: LoadedBars) -> Shared[LoadedBars]:
        """Return what travels in the place of the bars: once for the latest runs that read the same ones."""
        if len(self._shared) > MOST_SHARED:
            self._shared.clear()
        key = (symbol, plan.history)
        if key not in self._shared:
            self._shared[key] = self._context.shared(loaded)
        return self._shared[key]

    def _keep(self, number: int, evaluated: Sequence[BacktestResult | str]) -> None:
        results = iter(evaluated)
        made = [self._made(item, results) for item in self._begun.pop(number)]
        rows = [_row(run) for run, _ in made]
        new = [(run, result) for run, result in made if result is not None or run.error]
        self._ledger.tell(rows)
        self._context.keep(Chunk(number, rows, new))

    def _made(self, item: "_Item", results: Iterator[BacktestResult | str]) -> tuple[Run, BacktestResult | None]:
        if item.known:
            return item.known, None
        engine = self._context.engine
        begun = engine.begun(item.plan, tags=(*self._batch.tags, self._context.job_id))
        outcome = item.error or next(results)
        if isinstance(outcome, str):
            return engine.failed(begun, BacktestError(outcome)), None
        return engine.ended(begun, item.plan, outcome), outcome


@dataclass(frozen=True, slots=True)
class _Item:
    """One run of a part: what to evaluate, the stored run that makes it needless, or why it cannot be."""

    plan: Plan
    loaded: Shared[LoadedBars] | None
    known: Run | None
    error: str | None


def outcomes(wanted: Sequence[tuple[Plan, Shared[LoadedBars]]]) -> list[BacktestResult | str]:
    """Evaluate plans in another process; the reason in the place of a result that cannot be."""
    return [_outcome(plan, loaded.get()) for plan, loaded in wanted]


def _outcome(plan: Plan, loaded: LoadedBars) -> BacktestResult | str:
    try:
        return evaluate(plan, loaded)
    except BacktestError as error:
        return str(error)


def _row(run: Run) -> dict[str, Any]:
    metrics = run.summary.metrics if run.summary else {}
    return {
        "backtest_id": run.id,
        "symbol": run.request.asset_symbol,
        "parameters": run.request.parameters,
        "sharpe_ratio": metrics.get("sharpe_ratio"),
        "total_return": metrics.get("total_return"),
        "error": run.error,
    }


BATCH = JobKind("batch", BatchRequest, check, run)
