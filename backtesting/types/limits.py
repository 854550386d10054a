"""How much may be asked for at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server takes on; beyond it a request is refused with the limit and the way to stay under it.

    A run of more than `inline_bars` goes to a worker process, one of more than `bars` is refused. `task_seconds` and
    `task_memory_mb` bound each part of a job in its process.
    """

    concurrent_runs: int = 8
    runs_a_minute: int = 600
    queued_runs: int = 100
    queued_jobs: int = 20
    bars: int = 20_000_000
    inline_bars: int = 10_000_000
    runs_of_a_batch: int = 10_000
    combinations: int = 1_000_000
    task_seconds: float = 600.0
    task_memory_mb: int = 4096
    processes: int = 2
