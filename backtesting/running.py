"""Short backtests, run beside the caller: the kernels leave the interpreter free meanwhile."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from threading import Lock
from time import monotonic

from backtesting.bounded import THREAD_SECONDS, Bounded, Course
from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError, LimitExceededError
from backtesting.types import BacktestRequest, Limits, Run, RunStatus, Timeframe, utc_now

REMEMBERED = 100
MINUTE_SECONDS = 60.0
BARS_A_DAY = {
    Timeframe.M1: 1440,
    Timeframe.M5: 288,
    Timeframe.M15: 96,
    Timeframe.M30: 48,
    Timeframe.H1: 24,
    Timeframe.H4: 6,
}


def most_bars(request: BacktestRequest) -> int:
    """Return how many bars the period may have in a market that never closes."""
    days = (request.end_date - request.start_date) // timedelta(days=1) + 1
    return days * BARS_A_DAY.get(request.timeframe, 1)


@dataclass(eq=False, slots=True)
class _Begun:
    """A run that was begun here, what it will come to, and what ends it."""

    run: Run
    course: Course = field(default_factory=Course)
    future: Future[Run] = field(default_factory=Future)


class Runner:
    """Runs short backtests, a few at a time; more than the limits allow are refused. Safe to share between threads.

    What turns out to be long goes on in a process, which `open_executor` makes when one is first needed.
    """

    def __init__(
        self,
        engine: BacktestEngine,
        open_executor: Callable[[], Executor],
        limits: Limits = Limits(),  # noqa: B008 - frozen
        clock: Callable[[], float] = monotonic,
        thread_seconds: float = THREAD_SECONDS,
    ) -> None:
        self._engine, self._limits, self._clock = engine, limits, clock
        self._bounded = Bounded(open_executor, limits, thread_seconds)
        self._threads = ThreadPoolExecutor(limits.concurrent_runs, "backtest")
        self._guard = Lock()
        self._under_way = 0
        self._started: deque[float] = deque()
        self._begun: dict[str, _Begun] = {}

    def start(
        self, request: BacktestRequest, tags: Sequence[str] = (), *, rerun: bool = False
    ) -> tuple[Run, Future[Run]]:
        """Begin a run; return its record and what it will come to. LimitExceededError when there are too many."""
        run = Run(Run.new_id(), RunStatus.RUNNING, request, created_at=utc_now(), tags=tuple(tags))
        begun = _Begun(run)
        evaluating = partial(self._bounded.evaluate, begun.course)
        work = partial(self._engine.run, request, run_id=run.id, tags=tags, rerun=rerun, evaluating=evaluating)
        with self._guard:
            self._admit()
            self._under_way += 1
            begun.future = self._threads.submit(work)
            self._begun[run.id] = begun
        begun.future.add_done_callback(self._end)
        return run, begun.future

    def find(self, run_id: str) -> Run | None:
        """Return a run that is under way here, or the stored one that answered it, else None.

        A run that was refused meanwhile raises why.
        """
        if run_id not in self._begun:
            return None
        run, future = self._begun[run_id].run, self._begun[run_id].future
        if not future.done():
            return run
        if future.cancelled():
            return replace(run, status=RunStatus.FAILED, error="it was cancelled before it began")
        refusal = future.exception()
        if isinstance(refusal, BacktestError) and refusal.run_id is None:
            raise refusal
        return future.result() if refusal is None and future.result().id != run_id else None

    def cancel(self, run_id: str) -> None:
        """End a run that is under way here, within a moment; it is stored as failed. Any other stays as it is."""
        if begun := self._begun.get(run_id):
            begun.future.cancel()
            begun.course.end()

    def close(self) -> None:
        """Begin nothing more, and kill what is under way in processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._bounded.close()

    def _admit(self) -> None:
        most = self._limits.concurrent_runs + self._limits.queued_runs
        if self._under_way >= most:
            raise LimitExceededError(
                f"{self._under_way} runs are under way or waiting and at most {most} may be: wait for some to end, or "
                "give many parameter sets at once to run_batch"
            )
        while self._started and self._started[0] <= self._clock() - MINUTE_SECONDS:
            self._started.popleft()
        if len(self._started) >= self._limits.runs_a_minute:
            raise LimitExceededError(
                f"{len(self._started)} runs were started within a minute and at most {self._limits.runs_a_minute} may "
                "be: wait a moment, or give many parameter sets at once to run_batch"
            )
        self._started.append(self._clock())

    def _end(self, _: Future[Run]) -> None:
        with self._guard:
            self._under_way -= 1
            ended = [run_id for run_id, begun in self._begun.items() if begun.future.done()]
            for run_id in ended[:-REMEMBERED]:
                del self._begun[run_id]
