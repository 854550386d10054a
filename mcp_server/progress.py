"""How far a call is, told to a client that asked; and the end of a call that a client no longer waits for."""

from collections.abc import Callable
from time import monotonic
from typing import Any

from anyio import from_thread
from mcp.server.mcpserver import Context

SHORTEST_PAUSE = 0.25


class Reporter:
    """Tells the client of one call, from the worker thread it runs in, never too often and never backwards."""

    def __init__(self, context: Context[Any, Any], clock: Callable[[], float] = monotonic) -> None:
        self._context = context
        self._clock = clock
        self._told = -1.0
        self._next = 0.0

    def tell(self, done: float, total: float, message: str) -> None:
        """Report `done` of `total`; raises where the call was cancelled, so that what is half done is undone."""
        from_thread.check_cancelled()
        if done > self._told and self._clock() >= self._next:
            from_thread.run(self._context.report_progress, done, total, message)
            self._told, self._next = done, self._clock() + SHORTEST_PAUSE
