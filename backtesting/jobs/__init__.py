"""The kinds of long work that can be asked for, one module each."""

from typing import Any

from backtesting.job import JobKind
from backtesting.jobs.backtest import BACKTEST
from backtesting.jobs.batch import BATCH
from backtesting.jobs.optimization import OPTIMIZATION
from backtesting.jobs.walk_forward import WALK_FORWARD

__all__ = ["JOB_KINDS"]

JOB_KINDS: tuple[JobKind[Any], ...] = (BACKTEST, BATCH, OPTIMIZATION, WALK_FORWARD)
