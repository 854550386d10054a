"""Waiting for work within a call: progress is told, the loop stays free, and a cancelled call cancels the work."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Annotated, Any, TypeVar

import anyio.to_thread
from mcp.server.mcpserver import Context
from pydantic import Field

from backtesting.errors import BacktestError
from backtesting.submission import Jobs
from backtesting.types import Job

LONGEST_WAIT, LOOK_SECONDS = 45, 0.25
REMEMBERED = 100
CANCELLED = "notifications/cancelled"

Wait = Annotated[float, Field(ge=0, le=LONGEST_WAIT)]
Result = TypeVar("Result")


class Calls:
    """Remembers for whom each call waits, so that the client's cancel reaches the work.

    A call is also cancelled by the end of input, but that must leave work resumable; so it is the client's own
    notification that counts.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Callable[[], object]] = {}
        self._cancelled: deque[str] = deque(maxlen=REMEMBERED)  # calls that were not waiting yet

    async def __call__(self, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """See every message pass, as a middleware of the server."""
        if ctx.method == CANCELLED:
            await self._cancel(str(ctx.params.get("requestId")))
        return await call_next(ctx)

    async def _cancel(self, call: str) -> None:
        cancel = self._waiting.pop(call, None)
        if cancel is None:
            self._cancelled.append(call)
            return
        with suppress(BacktestError):
            await anyio.to_thread.run_sync(cancel)

    async def submitted(self, jobs: Jobs, request: Any, context: Context[Any, Any]) -> Job:
        """Submit work; a cancel that comes while it is being stored reaches it too."""
        call = str(context.request_id)
        with anyio.CancelScope(shield=True):
            job = await anyio.to_thread.run_sync(jobs.submit, request)
            if call in self._cancelled:
                return await anyio.to_thread.run_sync(jobs.cancel, job.id)
        self._waiting[call] = lambda: jobs.cancel(job.id)
        return job

    async def job(self, jobs: Jobs, job: Job, seconds: float, context: Context[Any, Any]) -> Job:
        """Return the job when it has ended, or as it is after so many seconds."""
        call, end = str(context.request_id), monotonic() + seconds
        told = -1
        while job.status.is_open and monotonic() < end:
            await anyio.sleep(LOOK_SECONDS)
            job = await anyio.to_thread.run_sync(jobs.get, job.id)
            if job.progress.total and job.progress.done > told:
                told = job.progress.done
                await context.report_progress(told, job.progress.total, job.progress.stage)
        self._waiting.pop(call, None)
        return job

    async def result(self, future: Future[Result], seconds: float, cancel: Callable[[], object]) -> Result | None:
        """Return what the future comes to, or None when it takes longer; the end of the call cancels it."""
        outcome = asyncio.wrap_future(future)
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            await asyncio.wait({outcome}, timeout=seconds)
        except asyncio.CancelledError:
            cancel()
            raise
        return outcome.result() if outcome.done() else None
