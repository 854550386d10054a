"""Tasks on the machines of a Dask cluster, behind the interface that tasks on this machine have."""

import asyncio
import concurrent.futures
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

from utils.cluster_worker import Terms, run
from utils.packing import packed

Result = TypeVar("Result")
Value = TypeVar("Value")

CONNECT_SECONDS = 10.0
CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)


class Scattered(Generic[Value]):
    """The handle of a value that the workers hold; it travels with tasks of its executor alone."""

    def __init__(self, value: Value) -> None:
        self.value = value
        self.data: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a value on the workers of a cluster is only for tasks of its executor")

    def get(self) -> Value:
        """Return the value itself."""
        return self.value


class ClusterExecutor(Executor):
    """Tasks on the workers of a scheduler, each in a process of its own there, with the same limits as here.

    `Future.cancel` kills a running task within a moment, and so does the end of this process. A task whose worker dies
    is done by another one. A future raises what `LocalExecutor`'s would: TimeoutError, MemoryError, or an OSError when
    the task was lost and may be tried again. OSError when the cluster cannot be reached.
    """

    def __init__(self, url: str, terms: Terms, *, connect_seconds: float = CONNECT_SECONDS) -> None:
        from distributed import Client  # noqa: PLC0415 - an extra, and slow to import

        self._terms = terms
        self._shared: WeakValueDictionary[int, Scattered[Any]] = WeakValueDictionary()
        self._client = Client(url, timeout=connect_seconds, set_as_default=False)
        try:
            self._client.wait_for_workers(1, timeout=connect_seconds)
        except TimeoutError as error:
            self._client.close()
            raise ConnectionError(f"{url} has no workers: start some, or wait for them") from error

    @property
    def processes(self) -> int:
        """How many tasks run at the same time."""
        return sum(self._client.nthreads().values())

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Run the function on a worker."""
        if self._client.status != "running":
            raise ConnectionError("the scheduler cannot be reached any more")
        call, shared = packed(partial(fn, *args, **kwargs), Scattered)
        data = [self._scattered(each) for each in shared]
        theirs = self._client.submit(run, call, data, self._terms, key=f"backtesting-{uuid4().hex}", pure=False)
        ours: Future[Result] = Future()
        ours.add_done_callback(lambda done: theirs.cancel() if done.cancelled() else None)
        theirs.add_done_callback(partial(_settle, ours))
        return ours

    def share(self, value: Value) -> Scattered[Value]:
        """Return a handle of the value, which is sent to every worker once."""
        found = self._shared.get(id(value))
        if found is None:
            found = self._shared[id(value)] = Scattered(value)
        return found

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - Executor's signature
        """Leave the cluster; whatever is still under way there is killed."""
        self._client.close()

    def _scattered(self, handle: Scattered[Any]) -> Any:
        """Send the value, again where every worker that held it has died."""
        if handle.data is None or handle.data.status != "finished":
            (handle.data,) = self._client.scatter([handle.value], broadcast=True, hash=False)
        return handle.data


def _settle(ours: Future[Any], theirs: Any) -> None:
    from distributed.scheduler import KilledWorker  # noqa: PLC0415 - an extra

    if not ours.set_running_or_notify_cancel():
        return
    try:
        ours.set_result(theirs.result())
    except (KilledWorker, *CANCELLED) as error:
        ours.set_exception(ConnectionError(f"the cluster lost it ({type(error).__name__})"))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the task's outcome
        ours.set_exception(error)
