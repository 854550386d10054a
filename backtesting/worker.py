"""Serves long work in the background: claims it, keeps the lease, has it done, and ends it; of no particular kind.

1. Work that lost its owner too often is ended (`JobQueue.sweep`), at the start and while running.
2. The oldest work that is pending or lost its owner is claimed, with the chunks that earlier attempts stored.
3. While its function works, a heart beats on a connection of its own: it extends the lease, tells the progress, and
   notices within a moment when the work was cancelled or taken over, or when this process is to end.
4. The function returns a result or raises the reason why there is none; either ends the work, if it is still ours.
5. Whoever is told to end gives the work back; the next one resumes it after the last stored chunk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog
from pydantic import ValidationError

from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError, DatabaseUnavailableError, ExecutorUnavailableError, JobLostError
from backtesting.job import JobContext, JobKind
from backtesting.ports import JobQueue, TrialLedger
from backtesting.types import Claim, JobProgress, JobStatus

POLL_SECONDS = 0.5
SWEEP_SECONDS = 10.0
BEAT_SECONDS = 10.0
LOOK_SECONDS = 0.25
TOLD_SECONDS = 1.0  # progress is written no more often
CUT_OFF = (DatabaseUnavailableError, ExecutorUnavailableError)
DEFECT = "this program has a defect, the request is not to blame; the worker's log has the details"

log = structlog.stdlib.get_logger("backtesting_mcp.worker")


class Worker:
    """Serves the long work of one user until it is told to stop."""

    def __init__(
        self,
        queue: JobQueue,
        kinds: Iterable[JobKind[Any]],
        engine: BacktestEngine,
        open_executor: Callable[[], Executor],
        trials: TrialLedger,
    ) -> None:
        self.owner = uuid4()
        self._queue = queue
        self._kinds = {kind.name: kind for kind in kinds}
        self._engine = engine
        self._open_executor = open_executor
        self._limits = engine.limits
        self._trials = trials
        self._swept = -SWEEP_SECONDS

    def run(self, stop: Event) -> None:
        """Serve until `stop` is set, then give back what is unfinished.

        A database or an executor that is out of reach is waited for.
        """
        is_cut_off = False
        while not stop.is_set():
            try:
                if is_cut_off:
                    self._queue.release(self.owner)
                is_cut_off = False
                if not self.serve(stop):
                    stop.wait(POLL_SECONDS)
            except CUT_OFF as error:
                log.warning("cut off", reason=str(error))
                is_cut_off = True
                stop.wait(POLL_SECONDS)
        self.release()

    def release(self) -> None:
        """Give back what is unfinished, to be resumed at once by whoever comes next."""
        self._queue.release(self.owner)

    def serve(self, stop: Event) -> bool:
        """Do one piece of work, and say whether there was any."""
        if monotonic() - self._swept >= SWEEP_SECONDS:
            self._queue.sweep()
            self._swept = monotonic()
        claim = self._queue.claim(self.owner)
        if claim is None:
            return False
        self._execute(claim, stop)
        return True

    def _execute(self, claim: Claim, stop: Event) -> None:
        log.info("job", job_id=claim.lease.job_id, kind=claim.kind, attempt=claim.lease.attempt)
        executor = self._opened_executor(claim)
        context = JobContext(
            claim.lease, self._queue, self._engine, executor, self._limits, self._trials, chunks=dict(claim.chunks)
        )
        try:
            with _beating(context, stop):
                status, result, error = self._outcome(claim, context)
            self._queue.finish(claim.lease, status, result, error)
            log.info("job ended", job_id=claim.lease.job_id, status=status.value, error=error)
        except JobLostError:
            log.info("job left", job_id=claim.lease.job_id)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _opened_executor(self, claim: Claim) -> Executor:
        """Return what does the tasks; where it is out of reach the work tells what it waits for."""
        try:
            return self._open_executor()
        except OSError as error:
            self._queue.beat(claim.lease, JobProgress(stage=f"waiting for its processes: {error}"))
            raise ExecutorUnavailableError(str(error)) from error

    def _outcome(self, claim: Claim, context: JobContext) -> tuple[JobStatus, Mapping[str, Any] | None, str | None]:
        """Do the work; JobLostError when it is no longer ours, one of CUT_OFF when nothing can be done or stored."""
        try:
            kind = self._kinds[claim.kind]
            result = kind.run(kind.request.model_validate(claim.request), context)
        except (JobLostError, *CUT_OFF):
            raise
        except (KeyError, ValidationError):
            log.exception("defect", job_id=claim.lease.job_id)
            return JobStatus.FAILED, None, f"this version cannot do this {claim.kind}; its log has the details"
        except BacktestError as error:
            return JobStatus.FAILED, None, str(error)
        except Exception:
            log.exception("defect", job_id=claim.lease.job_id)
            return JobStatus.FAILED, None, DEFECT
        return JobStatus.COMPLETED, result, None


@contextmanager
def _beating(context: JobContext, stop: Event) -> Iterator[None]:
    """Let the heart beat while the work is done."""
    ended = Event()
    heart = Thread(target=_beat, args=(context, stop, ended), name="heart", daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()


def _beat(context: JobContext, stop: Event, ended: Event) -> None:
    beaten, told = monotonic(), context.told
    while not ended.wait(LOOK_SECONDS):
        if stop.is_set():
            return context.lost.set()
        since = monotonic() - beaten
        must_beat = since >= BEAT_SECONDS or (since >= TOLD_SECONDS and told != context.told)
        try:
            is_held = (
                context.queue.beat(context.lease, context.told) if must_beat else context.queue.is_held(context.lease)
            )
        except DatabaseUnavailableError:
            continue  # what cannot be reached cannot be written to either
        if must_beat:
            beaten, told = monotonic(), context.told
        if not is_held:
            return context.lost.set()
    return None
