"""Evaluation that can be ended: what is short is done in the thread that asks, what is long in a process.

A thread cannot be killed, but an exception can be raised in it, which ends Python code of any kind at once and compiled
code when it returns. So a thread is for few bars and a few seconds; evaluation knows no state and simply begins anew in
a process, which is killed when it is cancelled or over its limits.
"""

import ctypes
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from threading import Event, Lock, Thread, get_ident
from time import monotonic, sleep
from typing import TypeVar

from backtesting.data_loader import LoadedBars
from backtesting.errors import RunEndedError
from backtesting.evaluation import Plan, evaluate
from backtesting.sharing import Held, Shared, Sharing
from backtesting.simulation import check_simulation
from backtesting.types import BacktestResult, Limits

THREAD_BARS, THREAD_SECONDS = 1_000_000, 3.0
LOOK_SECONDS = 0.1
TRIES = 3

Result = TypeVar("Result")


class InterruptedEvaluation(BaseException):
    """Raised in the thread whose evaluation has to end; strategies that catch every `Exception` let it pass."""


class Course:
    """One evaluation under way, which any thread may end for good."""

    def __init__(self) -> None:
        self.is_ended = False
        self._guard = Lock()
        self._stop: Callable[[], object] | None = None

    def end(self) -> None:
        """Stop what is under way, and all that would come after it."""
        self.is_ended = True
        self.stop()

    def stop(self) -> None:
        """Stop what is under way."""
        with self._guard:
            stop, self._stop = self._stop, None
            if stop:
                stop()

    def here(self, call: Callable[[], Result], clock: "Clock", seconds: float) -> Result:
        """Call in this thread; InterruptedEvaluation when it is ended or takes longer."""
        thread, early = get_ident(), list[str]()
        interrupt = partial(_raise_in, thread, InterruptedEvaluation)
        try:
            # only noted so far: an exception raised amid the clock's work would leave its lock held
            self._begin(partial(early.append, "stopped"))
            clock.limit(self.stop, seconds)
            self._begin(interrupt)
            if early:
                interrupt()
            return call()
        finally:
            self._begin(None)
            _raise_in(thread, None)  # what was sent and has not arrived yet
            clock.forget(self.stop)

    def there(self, future: Future[Result]) -> Result:
        """Return what a future comes to; CancelledError when it is ended."""
        self._begin(future.cancel)
        try:
            return future.result()
        finally:
            self._begin(None)

    def _begin(self, stop: Callable[[], object] | None) -> None:
        with self._guard:
            self._stop = stop
        if self.is_ended:
            self.stop()


class Clock:
    """Calls what is due, within a moment; its thread works only while something is awaited."""

    def __init__(self) -> None:
        self._due: dict[Callable[[], None], float] = {}
        self._some, self._guard = Event(), Lock()
        self._thread: Thread | None = None

    def limit(self, stop: Callable[[], None], seconds: float) -> None:
        """Call `stop` after so many seconds, unless it is forgotten before."""
        with self._guard:
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="clock", daemon=True)
                self._thread.start()
            self._due[stop] = monotonic() + seconds
        self._some.set()

    def forget(self, stop: Callable[[], None]) -> None:
        """Await this no more."""
        with self._guard:
            self._due.pop(stop, None)

    def _watch(self) -> None:
        while self._some.wait():
            with self._guard:
                late = [stop for stop, due in self._due.items() if due <= monotonic()]
                for stop in late:
                    del self._due[stop]
                if not self._due:
                    self._some.clear()
            for stop in late:
                stop()
            sleep(LOOK_SECONDS)


class Bounded:
    """Evaluates within the limits of time and memory; `open_executor` is called when a process is first needed."""

    def __init__(
        self, open_executor: Callable[[], Executor], limits: Limits, thread_seconds: float = THREAD_SECONDS
    ) -> None:
        self._open_executor, self._limits = open_executor, limits
        self._thread_seconds, self._clock = thread_seconds, Clock()
        self._guard = Lock()
        self._executor: Executor | None = None
        self._is_warm = False

    def evaluate(self, course: Course, plan: Plan, loaded: LoadedBars) -> BacktestResult:
        """Return the result; RunEndedError when it was ended, took too long, or lost its process again and again."""
        if len(loaded.bars) <= THREAD_BARS:
            self._warm_up()
            try:
                return course.here(partial(evaluate, plan, loaded), self._clock, self._thread_seconds)
            except InterruptedEvaluation:
                pass
        return self._there(course, plan, loaded)

    def close(self) -> None:
        """Kill what is under way in processes."""
        with self._guard:
            if self._executor:
                self._executor.shutdown(wait=False, cancel_futures=True)

    def _warm_up(self) -> None:
        """Import what every evaluation needs, where nothing interrupts it."""
        if not self._is_warm:
            check_simulation()
            self._is_warm = True

    def _there(self, course: Course, plan: Plan, loaded: LoadedBars) -> BacktestResult:
        with self._guard:
            if self._executor is None:
                self._executor = self._open_executor()
            executor = self._executor
        shared = executor.share(loaded) if isinstance(executor, Sharing) else Held(loaded)
        for _ in range(TRIES):
            try:
                return course.there(executor.submit(evaluated, plan, shared))
            except CancelledError:
                raise RunEndedError("it was cancelled") from None
            except TimeoutError as error:
                raise self._over("time", f"{self._limits.task_seconds:g} s") from error
            except MemoryError as error:
                raise self._over("memory", f"{self._limits.task_memory_mb} MB") from error
            except OSError as error:
                lost = error
        raise RunEndedError(f"its process was lost {TRIES} times: {lost}")

    @staticmethod
    def _over(what: str, limit: str) -> RunEndedError:
        return RunEndedError(f"it took more {what} than the limit of {limit}: choose a shorter period")


def evaluated(plan: Plan, loaded: Shared[LoadedBars]) -> BacktestResult:
    """Evaluate the plan in another process."""
    return evaluate(plan, loaded.get())


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have the thread raise the exception as soon as it runs Python code, or, with None, no more."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error and ctypes.py_object(error))
