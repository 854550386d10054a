"""Long work in two tables: one owner at a time, fenced by the attempt, timed by the database's clock alone."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, Row, TextClause
from sqlalchemy.dialects.postgresql import JSONB, insert

from backtesting.errors import JobLostError
from backtesting.types import Chunk, Claim, Job, JobProgress, JobStatus, Lease
from database.models import job_chunks, jobs
from database.repository.run_rows import add_runs
from database.repository.runs import checked, not_found
from database.repository.trials import record_trials
from database.transactions import Transactions

LEASE = timedelta(seconds=30)
MOST_STRIKES = 3

HELD = "id = :job_id and owner = :owner and attempt = :attempt and status = 'running'"
TOLD = "done = :done, total = :total, stage = :stage, best = :best"
# `= (... limit 1)` is evaluated once; `in (... limit 1)` may not be.
CLAIM = sa.text("""
update app.jobs set status = 'running', owner = :owner, attempt = attempt + 1, strikes = strikes + 1,
  lease_until = clock_timestamp() + :lease, claimed_at = clock_timestamp(), done_before = done
where id = (select id from app.jobs
            where (status = 'pending' or (status = 'running' and lease_until < clock_timestamp()))
              and strikes < :most_strikes order by number limit 1 for update skip locked)
returning id, kind, request, attempt""")
IS_HELD = sa.text(f"select true from app.jobs where {HELD}")  # noqa: S608 - the words are ours, here and below


def _telling(statement: str) -> TextClause:
    """Return a statement that takes a `JobProgress`."""
    return sa.text(statement).bindparams(sa.bindparam("best", type_=JSONB(none_as_null=True)))


BEAT = _telling(
    f"update app.jobs set lease_until = clock_timestamp() + :lease, {TOLD} where {HELD} returning true"  # noqa: S608
)
STORED_CHUNK = _telling(f"update app.jobs set strikes = 0, {TOLD} where {HELD} returning true")  # noqa: S608
# The answer to a commit can be lost, so that finishing may be asked for twice.
FINISH = sa.text("""
update app.jobs set status = :status, result = :result, error = :error, lease_until = null,
  finished_at = coalesce(finished_at, clock_timestamp())
where id = :job_id and owner = :owner and attempt = :attempt and status in ('running', :status)
returning true""").bindparams(sa.bindparam("result", type_=JSONB(none_as_null=True)))
# A clean release is no strike.
RELEASE = sa.text("""
update app.jobs set status = 'pending', owner = null, lease_until = null, strikes = greatest(strikes - 1, 0)
where owner = :owner and status = 'running'""")
# Ending the attempt at once is safe: whoever works on it is fenced off, and notices when it next looks.
CANCEL = sa.text("""
update app.jobs set status = 'cancelled', lease_until = null, finished_at = clock_timestamp()
where id = :job_id and status in ('pending', 'running')""")
SWEEP = sa.text("""
update app.jobs set status = 'failed', lease_until = null, finished_at = clock_timestamp(),
  error = 'its process died ' || strikes || ' times without progress'
where status = 'running' and lease_until < clock_timestamp() and strikes >= :most_strikes returning id""")
PACE = sa.func.extract("epoch", sa.func.clock_timestamp() - jobs.c.claimed_at) / sa.func.nullif(
    jobs.c.done - jobs.c.done_before, 0
)
ETA = sa.case((jobs.c.status == "running", PACE * (jobs.c.total - jobs.c.done)))
JOB = sa.select(jobs, ETA.cast(sa.Double).label("eta_seconds"))


class SqlJobQueue:
    """Keeps long work; fulfils `JobQueue`."""

    def __init__(self, transactions: Transactions, lease: timedelta = LEASE) -> None:
        self._transactions = transactions
        self._lease = lease

    def submit(self, job_id: str, kind: str, request: Mapping[str, Any]) -> None:
        """Store new work as pending; submitting it again changes nothing."""
        new = insert(jobs).values(id=job_id, kind=kind, request=dict(request)).on_conflict_do_nothing()
        self._transactions.run(lambda connection: connection.execute(new))

    def claim(self, owner: UUID) -> Claim | None:
        """Take on the oldest work that is pending or lost its owner; None when there is none."""
        values = {"owner": owner, "lease": self._lease, "most_strikes": MOST_STRIKES}

        def take(connection: Connection) -> Claim | None:
            row = connection.execute(CLAIM, values).one_or_none()
            if row is None:
                return None
            stored = sa.select(job_chunks.c.chunk, job_chunks.c.result).where(job_chunks.c.job_id == row.id)
            chunks = {chunk: result for chunk, result in connection.execute(stored)}  # noqa: C416 - rows are no pairs
            return Claim(Lease(row.id, owner, row.attempt), row.kind, row.request, chunks)

        return self._transactions.run(take)

    def is_held(self, lease: Lease) -> bool:
        """Say whether the lease still gives the right to write."""
        return self._holds(IS_HELD, lease, {})

    def beat(self, lease: Lease, progress: JobProgress) -> bool:
        """Extend the lease and tell the progress; False when it is lost."""
        return self._holds(BEAT, lease, {"lease": self._lease} | _told(progress))

    def keep(self, lease: Lease, chunk: Chunk, progress: JobProgress) -> None:
        """Store a chunk with its runs and trials, all or nothing; JobLostError when the lease is lost."""
        row = {"job_id": lease.job_id, "chunk": chunk.number, "result": chunk.result}
        new = insert(job_chunks).values(row).on_conflict_do_nothing().returning(job_chunks.c.chunk)

        def store(connection: Connection) -> None:
            # the row is locked until the end, so that nobody takes the work over in between
            if connection.scalar(STORED_CHUNK, _holder(lease) | _told(progress)) is None:
                raise JobLostError(
                    f"job {lease.job_id} was cancelled or taken over: chunk {chunk.number} is not stored"
                )
            if connection.scalar(new) is None:
                return
            add_runs(connection, chunk.runs)
            record_trials(connection, chunk.trials)

        self._transactions.run(store)

    def finish(self, lease: Lease, status: JobStatus, result: Mapping[str, Any] | None, error: str | None) -> bool:
        """End the work; False when the lease is lost."""
        return self._holds(FINISH, lease, {"status": status.value, "result": result, "error": error})

    def release(self, owner: UUID) -> None:
        """Give back whatever the owner holds, to be resumed at once."""
        self._transactions.run(lambda connection: connection.execute(RELEASE, {"owner": owner}))

    def cancel(self, job_id: str) -> Job:
        """End the work unless it has ended, and return it; from then on nobody writes its results."""
        wanted = {"job_id": checked(job_id)}
        self._transactions.run(lambda connection: connection.execute(CANCEL, wanted))
        return self.get(job_id)

    def sweep(self) -> Sequence[str]:
        """End the work that lost its owner too often; return its ids."""
        values = {"most_strikes": MOST_STRIKES}
        return self._transactions.run(lambda connection: list(connection.scalars(SWEEP, values)))

    def get(self, job_id: str) -> Job:
        """Return the work; RunNotFoundError when this user has none of that id."""
        query = JOB.where(jobs.c.id == checked(job_id))
        row = self._transactions.run(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise not_found(job_id)
        return _job(row)

    def unfinished(self) -> Sequence[Job]:
        """Return the work that is pending or running, oldest first."""
        query = JOB.where(jobs.c.status.in_(["pending", "running"])).order_by(jobs.c.number)
        return [_job(row) for row in self._transactions.run(lambda connection: connection.execute(query).all())]

    def _holds(self, statement: TextClause, lease: Lease, values: dict[str, Any]) -> bool:
        given = _holder(lease) | values
        return self._transactions.run(lambda connection: connection.scalar(statement, given) is not None)


def _holder(lease: Lease) -> dict[str, Any]:
    return {"job_id": lease.job_id, "owner": lease.owner, "attempt": lease.attempt}


def _told(progress: JobProgress) -> dict[str, Any]:
    best = None if progress.best is None else dict(progress.best)
    return {"done": progress.done, "total": progress.total, "stage": progress.stage, "best": best}


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        request=row.request,
        status=JobStatus(row.status),
        created_at=row.created_at,
        progress=JobProgress(row.done, row.total, row.stage, row.best),
        attempt=row.attempt,
        eta_seconds=row.eta_seconds,
        finished_at=row.finished_at,
        result=row.result,
        error=row.error,
    )
