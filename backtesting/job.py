"""What a kind of long work is, and what its function may use."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from itertools import islice
from threading import Event
from typing import Any, Generic, Self, TypeVar

from backtesting.engine import BacktestEngine
from backtesting.errors import ExecutorUnavailableError, JobFailedError, JobLostError
from backtesting.ports import JobQueue, TrialLedger
from backtesting.sharing import Held, Shared, Sharing
from backtesting.types import Chunk, Input, JobProgress, Lease, Limits

Request = TypeVar("Request", bound=Input)
Value = TypeVar("Value")

CHECK_SECONDS = 0.1
TRIES_OF_A_TASK = 3
TASKS_A_PROCESS = 2  # one under way and one waiting, so that no process idles between two


@dataclass(frozen=True, slots=True)
class JobKind(Generic[Request]):
    """One kind of long work.

    `check` refuses what cannot be meant before it is queued. `run` works in chunks that it keeps, leaves out those that
    earlier attempts kept, and returns the result as JSON.
    """

    name: str
    request: type[Request]
    check: Callable[[Request, BacktestEngine], None]
    run: Callable[[Request, "JobContext"], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """A function of plain values that is called in another process, and the number of the chunk it makes."""

    number: int
    call: Callable[[], Any]


@dataclass(eq=False)
class JobContext:
    """What the function of a job kind may use: its engine, its processes, the ledger, and what was kept so far.

    `chunks` are the results that were stored, by number, those of earlier attempts included.
    """

    lease: Lease
    queue: JobQueue
    engine: BacktestEngine
    executor: Executor
    limits: Limits
    trials: TrialLedger
    chunks: dict[int, Any] = field(default_factory=dict)
    told: JobProgress = field(default_factory=JobProgress)
    lost: Event = field(default_factory=Event)

    @property
    def job_id(self) -> str:
        """The id the client knows the job by."""
        return self.lease.job_id

    def cancelled(self) -> bool:
        """Say whether to stop: the job was cancelled or taken over, or this process is about to end."""
        return self.lost.is_set()

    def progress(self, done: int, total: int, stage: str = "", best: Mapping[str, Any] | None = None) -> None:
        """Tell how far the work is; it is stored with the next chunk or beat."""
        self.told = JobProgress(done, total, stage, best)

    def keep(self, chunk: Chunk) -> None:
        """Store a chunk with its runs and trials; JobLostError when the job is no longer ours."""
        self.queue.keep(self.lease, chunk, self.told)
        self.chunks[chunk.number] = chunk.result

    def shared(self, value: Value) -> Shared[Value]:
        """Return a handle to put into tasks in the place of a large value: `get` returns it in the other process.

        The value travels once, however many tasks read it, for as long as the handle or one of its tasks is held.
        """
        return self.executor.share(value) if isinstance(self.executor, Sharing) else Held(value)

    def work(self, tasks: Iterable[Task], keep: Callable[[int, Any], None]) -> None:
        """Do the tasks side by side, each taken when a process falls free, and hand each outcome to `keep` as it comes.

        JobLostError as soon as the job is lost; JobFailedError when a task takes too long, needs too much memory, or
        lost its process three times; ExecutorUnavailableError when there is nobody to do them. Whatever is still under
        way is then killed.
        """
        waiting = iter(tasks)
        with _Crew(self.executor) as crew:
            crew.take(islice(waiting, self._processes * TASKS_A_PROCESS))
            while crew.is_busy:
                for task, outcome in crew.finished(self):
                    keep(task.number, outcome)
                    crew.take(islice(waiting, 1))

    @property
    def _processes(self) -> int:
        return self.executor.processes if isinstance(self.executor, Sharing) else self.limits.processes

    def require_held(self) -> None:
        """Raise JobLostError when the job is lost."""
        if self.cancelled():
            raise JobLostError(f"job {self.job_id} was cancelled or taken over")


class _Crew:
    """The tasks under way."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._running: dict[Future[Any], tuple[Task, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for future in self._running:
            future.cancel()

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    def take(self, tasks: Iterator[Task], tried: int = 0) -> None:
        for task in tasks:
            try:
                self._running[self._executor.submit(task.call)] = (task, tried + 1)
            except OSError as error:
                raise ExecutorUnavailableError(str(error)) from error

    def finished(self, context: JobContext) -> Iterator[tuple[Task, Any]]:
        """Yield what is done, after waiting a moment for it."""
        done, _ = wait(self._running, CHECK_SECONDS, FIRST_COMPLETED)
        context.require_held()
        for future in done:
            task, tried = self._running.pop(future)
            try:
                outcome = self._outcome(future, task, tried, context.limits)
            except OSError:
                self.take(iter([task]), tried)
            else:
                yield task, outcome

    @staticmethod
    def _outcome(future: Future[Any], task: Task, tried: int, limits: Limits) -> Any:
        """Return what the task returned; OSError when its process was lost and it may be tried again."""
        try:
            return future.result()
        except TimeoutError as error:
            raise _over(task, "time", f"{limits.task_seconds:g} s") from error
        except MemoryError as error:
            raise _over(task, "memory", f"{limits.task_memory_mb} MB") from error
        except OSError as error:
            if tried < TRIES_OF_A_TASK:
                raise
            raise JobFailedError(f"part {task.number} lost its process {tried} times: {error}") from error


def _over(task: Task, what: str, limit: str) -> JobFailedError:
    return JobFailedError(f"part {task.number} took more {what} than the limit of {limit}: ask for less at once")
