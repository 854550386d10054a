"""One backtest that is too long to wait for; the run it stores has the job's own id."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from backtesting.bounded import evaluated
from backtesting.engine import BacktestEngine
from backtesting.job import JobContext, JobKind, Task
from backtesting.types import BacktestRequest, BacktestResult, Chunk, Input, Tags


class LongBacktest(Input):
    """The request of a run, and how it is filed."""

    request: BacktestRequest
    tags: Tags = ()
    rerun: bool = False


def check(asked: LongBacktest, engine: BacktestEngine) -> None:
    """Refuse a request that cannot be meant."""
    engine.plan(asked.request)


def run(asked: LongBacktest, context: JobContext) -> Mapping[str, Any]:
    """Evaluate the request in a process of its own; the result names the run."""
    if 0 in context.chunks:
        return dict(context.chunks[0])
    context.progress(0, 1, "evaluating")
    plan, loaded = context.engine.load(context.engine.plan(asked.request))
    begun = context.engine.begun(plan, context.job_id, asked.tags)
    known = None if asked.rerun else context.engine.known(plan, loaded)

    def keep(number: int, result: BacktestResult) -> None:
        context.progress(1, 1, "stored")
        ended = context.engine.ended(begun, plan, result)
        context.keep(Chunk(number, {"backtest_id": ended.id}, [(ended, result)]))

    if known:
        context.keep(Chunk(0, {"backtest_id": known.id}))
    else:
        context.work([Task(0, partial(evaluated, plan, context.shared(loaded)))], keep)
    return dict(context.chunks[0])


BACKTEST = JobKind("backtest", LongBacktest, check, run)
