"""The best parameters of a strategy on one symbol: searched on train, judged on holdout, the winner stored as a run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from backtesting.data_loader import LoadedBars
from backtesting.engine import BacktestEngine, hashes_of
from backtesting.errors import BacktestError, InvalidInputError, LimitExceededError, Problem
from backtesting.evaluation import Plan, evaluate
from backtesting.job import JobContext, JobKind, Task
from backtesting.optimization.lattice import Lattice
from backtesting.optimization.luck import judge
from backtesting.optimization.request import OptimizationRequest
from backtesting.optimization.result import Answer, Finalist, best_so_far
from backtesting.optimization.scoreboard import Scoreboard
from backtesting.optimization.sets import call_of, numbers_of, parts_of
from backtesting.optimization.study import prepared
from backtesting.optimization.tpe import MOST_TRIALS, SETS_OF_A_ROUND, Proposer, require_optuna
from backtesting.sharing import Shared
from backtesting.sweep_figures import Figures
from backtesting.types import BacktestResult, Chunk, Integers, Summary, Trial

Outcome = BacktestResult | Summary | str
HASHES = "train_hashes"


def check(asked: OptimizationRequest, engine: BacktestEngine) -> None:
    """Refuse what cannot be searched: names, dates, spaces without a valid set, too much, too short a holdout."""
    if asked.method != "grid" and asked.trials > engine.limits.combinations:
        raise LimitExceededError(
            f"trials: {asked.trials:,} are asked for and an optimisation may have at most "
            f"{engine.limits.combinations:,}: lower trials",
            field="trials",
        )
    if asked.method == "tpe":
        require_optuna()
        _require_one_metric(asked)
    prepared(asked, engine)


def run(asked: OptimizationRequest, context: JobContext) -> Mapping[str, Any]:
    """Try the sets that are not stored yet, then run the best in full; the last chunk is the result.

    BacktestError where the bars of the train period are no longer those that stored sets were tried on.
    """
    for chunk in context.chunks.values():
        if "backtest_id" in chunk:
            return dict(chunk)
    desk = _Search(asked, context)
    desk.search()
    desk.conclude()
    return dict(context.chunks[desk.last])


def _require_one_metric(asked: OptimizationRequest) -> None:
    problems = []
    if asked.beside:
        problems.append(Problem("beside", "tpe looks for one metric: use method grid or random"))
    if asked.trials > MOST_TRIALS:
        problems.append(Problem("trials", f"tpe proposes at most {MOST_TRIALS:,}: use method random"))
    if problems:
        raise InvalidInputError(problems)


class _Search:
    """Turns sets into tasks, and what comes back into chunks."""

    def __init__(self, asked: OptimizationRequest, context: JobContext) -> None:
        self._asked, self._context = asked, context
        self._study = prepared(asked, context.engine)
        self._board = Scoreboard(len(self._study.grid), asked.objective)
        self._numbers = numbers_of(asked, self._study.grid)
        self._parts = parts_of(self._numbers, self._study)
        self._is_tpe = asked.method == "tpe" and len(self._numbers) < len(self._study.grid)
        self._loaded = context.shared(self._study.loaded)
        self._hashes = list(hashes_of(self._study.loaded))

    @property
    def last(self) -> int:
        """The number of the chunk that is the result."""
        return -(-len(self._numbers) // SETS_OF_A_ROUND) if self._is_tpe else len(self._parts)

    def search(self) -> None:
        """Try every set whose chunk is not stored."""
        for chunk in self._context.chunks.values():
            self._require_same_bars(chunk.get(HASHES, ()))
        if self._is_tpe:
            self._propose()
            return
        chunks = self._context.chunks
        for number in sorted(chunks):
            self._board.add(self._parts[number], chunks[number])
        self._tell()
        missing = [number for number in range(len(self._parts)) if number not in chunks]
        self._context.work(self._tasks(missing), self._keep_part)

    def _require_same_bars(self, hashes: Sequence[str | None]) -> None:
        """Refuse other bars than these: with more of them another train period is cut, and days held out were seen."""
        if list(hashes) != self._hashes:
            raise BacktestError("the stored bars changed while the optimisation was at work: run it again")

    def _keep_part(self, number: int, figures: Figures) -> None:
        self._keep(self._parts[number], number, figures)

    def _tasks(self, missing: Sequence[int]) -> Iterator[Task]:
        for number in missing:
            yield self._task(number, self._parts[number])

    def _propose(self) -> None:
        """Try rounds of sets, each proposed by what those before it came to."""
        lattice = Lattice(self._study.grid)
        proposer = Proposer(lattice, len(self._study.grid), self._asked.seed)
        for number in range(self.last):
            if number in self._context.chunks:
                chunk = self._context.chunks[number]
                self._board.add(chunk["sets"], chunk)
                continue
            left = len(self._numbers) - len(self._board.tried)
            found = proposer.proposed(number, self._board.tried, self._board.scores(), min(left, SETS_OF_A_ROUND))
            self._context.require_held()
            self._context.work([self._task(number, found)], partial(self._keep, found))

    def _task(self, number: int, sets: Integers) -> Task:
        return Task(number, call_of(self._study.plan, self._loaded, self._study.grid, sets))

    def _keep(self, sets: Integers, number: int, figures: Figures) -> None:
        """Store what a chunk came to, and count its sets in the ledger; only proposed sets have to be named."""
        chunk = self._board.packed(figures) | {HASHES: self._hashes} | ({"sets": sets.tolist()} if self._is_tpe else {})
        self._board.add(sets, chunk)
        self._tell()
        trial = self._study.trial(sets, figures.columns["sharpe_ratio"], self._context.job_id)
        self._context.keep(Chunk(number, chunk, trials=[trial]))

    def _tell(self, stage: str = "searching") -> None:
        done = len(self._board.tried)
        self._context.progress(done, len(self._numbers), stage, best_so_far(self._study, self._board))

    # the end

    def conclude(self) -> None:
        """Run the best sets in full, store the winner's run over the whole period, and the result with it."""
        ranked = self._board.ranked()[: self._asked.top_k].tolist()
        if not ranked:
            raise BacktestError(self._no_winner())
        self._tell("judging")
        finalists, whole_plan, whole = self._evaluated(ranked)
        engine = self._context.engine
        tags = (*self._asked.tags, self._context.job_id)
        stored = engine.ended(engine.begun(whole_plan, tags=tags), whole_plan, whole)
        trial = self._trial(self._study.train_plan(ranked[0]), finalists[0].train)
        luck = judge(finalists[0].train, finalists[0].holdout, trial, self._context.trials.count(trial))
        answer = Answer(self._asked, self._study, self._board, finalists, luck, stored.id, self._context.job_id)
        self._context.keep(Chunk(self.last, answer.result(), [(stored, whole)], self._holdout_trials(finalists)))

    def _evaluated(self, ranked: Sequence[int]) -> tuple[list[Finalist], Plan, BacktestResult]:
        """Run each finalist on train and holdout, and the first over the whole period."""
        outcomes: dict[int, Sequence[Outcome]] = {}
        whole_plan, tasks = self._final_tasks(ranked)
        self._context.work(tasks, outcomes.__setitem__)
        finalists = []
        for place, number in enumerate(ranked):
            train, holdout = (*outcomes[place], None)[:2]
            if not isinstance(train, Summary) or isinstance(holdout, BacktestResult):
                raise TypeError(f"set {number} was tried, and its single run says {train}")
            finalists.append(Finalist(number, train, holdout))
        (whole,) = outcomes[len(ranked)]
        if not isinstance(whole, BacktestResult):
            raise BacktestError(f"the best set cannot be run over the whole period: {whole}")
        return finalists, whole_plan, whole

    def _final_tasks(self, ranked: Sequence[int]) -> tuple[Plan, list[Task]]:
        engine, study = self._context.engine, self._study
        tasks, holdout = [], self._held_out()
        for place, number in enumerate(ranked):
            wanted = [(study.train_plan(number), self._loaded)]
            if holdout:
                plan = replace(study.train_plan(number), request=study.request_of(holdout[0].request, number))
                wanted.append((replace(plan, period=holdout[0].period, benchmark=holdout[0].benchmark), holdout[1]))
            tasks.append(Task(place, partial(summaries, wanted)))
        plan, loaded = engine.load(engine.plan(study.request_of(study.whole, ranked[0])))
        tasks.append(Task(len(ranked), partial(results, [(plan, self._context.shared(loaded))])))
        self._require_same_bars(hashes_of(engine.load(study.plan)[1]))
        return plan, tasks

    def _held_out(self) -> tuple[Plan, Shared[LoadedBars]] | None:
        if self._study.holdout is None:
            return None
        plan, loaded = self._context.engine.load(self._context.engine.plan(self._study.holdout))
        return plan, self._context.shared(loaded)

    def _trial(self, plan: Plan, summary: Summary) -> Trial:
        engine = self._context.engine
        run = replace(engine.begun(plan, self._context.job_id), summary=summary)
        trial = Trial.of(run)
        if trial is None:
            raise TypeError("a run with a summary is a trial")
        return trial

    def _holdout_trials(self, finalists: Sequence[Finalist]) -> list[Trial]:
        """Return the ledger's records of the looks at the holdout."""
        study = self._study
        if study.holdout is None:
            return []
        return [
            self._trial(replace(study.plan, request=study.request_of(study.holdout, each.number)), each.holdout)
            for each in finalists
            if isinstance(each.holdout, Summary)
        ]

    def _no_winner(self) -> str:
        trades = self._board.column("total_trades")[self._board.tried]
        most = int(max((each for each in trades.tolist() if each == each), default=0))  # noqa: PLR0124 - NaN differs
        return (
            f"none of {len(trades):,} sets has {self._asked.min_trades} closed trades and a defined "
            f"{' and '.join(self._asked.objective.metrics)} on the train period, the most any has are {most} trades: "
            "lower min_trades, choose a longer period or a space that trades more often"
        )


def summaries(wanted: Sequence[tuple[Plan, Shared[LoadedBars]]]) -> list[Summary | str]:
    """Run plans in another process, and return what is said of them; the reason where one cannot be run."""
    return [each if isinstance(each, str) else each.summary for each in results(wanted)]


def results(wanted: Sequence[tuple[Plan, Shared[LoadedBars]]]) -> list[BacktestResult | str]:
    """Run plans in another process; the reason in the place of a result that cannot be."""
    return [_result(plan, loaded.get()) for plan, loaded in wanted]


def _result(plan: Plan, loaded: LoadedBars) -> BacktestResult | str:
    try:
        return evaluate(plan, loaded)
    except BacktestError as error:
        return str(error)


OPTIMIZATION = JobKind("optimization", OptimizationRequest, check, run)
