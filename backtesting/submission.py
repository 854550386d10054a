"""The use case of long work: it is submitted, looked after and cancelled."""

from collections.abc import Callable, Iterable
from typing import Any

from backtesting.engine import BacktestEngine
from backtesting.errors import LimitExceededError
from backtesting.job import JobKind
from backtesting.ports import JobQueue
from backtesting.types import Input, Job, Limits, Run


class Jobs:
    """Takes long work on for a worker; `call_worker` makes sure that one is there. Safe to share between threads."""

    def __init__(
        self,
        queue: JobQueue,
        kinds: Iterable[JobKind[Any]],
        engine: BacktestEngine,
        call_worker: Callable[[], None],
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._queue = queue
        self._kinds = {kind.request: kind for kind in kinds}
        self._engine = engine
        self._call_worker = call_worker
        self._limits = limits

    def submit(self, request: Input) -> Job:
        """Store the work for a worker; what cannot be meant or is too much is refused and leaves nothing."""
        waiting = len(self._queue.unfinished())
        if waiting >= self._limits.queued_jobs:
            raise LimitExceededError(
                f"{waiting} jobs are pending or running and at most {self._limits.queued_jobs} may be: wait for one to "
                "end, or cancel one with cancel_backtest"
            )
        kind = self._kinds[type(request)]
        kind.check(request, self._engine)
        job_id = Run.new_id()
        self._queue.submit(job_id, kind.name, request.model_dump(mode="json"))
        self._call_worker()
        return self._queue.get(job_id)

    def get(self, job_id: str) -> Job:
        """Return the work, and see that somebody is at it; RunNotFoundError when there is none of that id."""
        job = self._queue.get(job_id)
        if job.status.is_open:
            self._call_worker()
        return job

    def cancel(self, job_id: str) -> Job:
        """End the work at once, unless it has ended; what it stored so far stays."""
        return self._queue.cancel(job_id)

    def unfinished(self) -> list[Job]:
        """Return what is pending or running, oldest first."""
        return list(self._queue.unfinished())

    def resume(self) -> None:
        """See that somebody is at what an earlier session left unfinished."""
        if self._queue.unfinished():
            self._call_worker()
