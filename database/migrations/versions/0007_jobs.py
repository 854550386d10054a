"""Long work and its chunks, the ledger of trials, and the tags of runs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OF_USERS = ("jobs", "job_chunks", "trials")
OWN_ROWS = "user_id = current_setting('app.user_id', true)"
GRANTS = (
    "grant select, insert, update on app.jobs to bt_app",
    "grant select, insert on app.job_chunks, app.trials to bt_app",
)


def upgrade() -> None:
    """Add the tables, each user's rows fenced off, and the columns."""
    _create_jobs()
    _create_chunks()
    _create_trials()
    op.add_column(
        "backtest_runs",
        sa.Column("tags", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        schema="app",
    )
    op.create_index(
        op.f("ix_backtest_results_user_id_config_hash"), "backtest_results", ["user_id", "config_hash"], schema="app"
    )
    for table in OF_USERS:
        op.execute(f"alter table app.{table} enable row level security")
        op.execute(f"alter table app.{table} force row level security")
        op.execute(f"create policy own_rows on app.{table} using ({OWN_ROWS})")
    for grant in GRANTS:
        op.execute(grant)


def _owner() -> sa.Column[str]:
    return sa.Column("user_id", sa.Text(), server_default=sa.text("current_setting('app.user_id')"), nullable=False)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        _owner(),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="order of submission"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("request", JSONB(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="fence: only grows"),
        sa.Column(
            "strikes", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="claims since the last chunk"
        ),
        sa.Column("owner", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("stage", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("best", JSONB(), nullable=True),
        sa.Column(
            "done_before", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="`done` at the claim"
        ),
        sa.Column("result", JSONB(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status in ('pending', 'running', 'completed', 'failed', 'cancelled')", name=op.f("ck_jobs_status")
        ),
        sa.CheckConstraint(
            "(status in ('pending', 'running')) = (finished_at is null)", name=op.f("ck_jobs_end_of_job")
        ),
        sa.CheckConstraint("(status = 'failed') = (error is not null)", name=op.f("ck_jobs_reason_of_failure")),
        sa.CheckConstraint("(status = 'running') = (lease_until is not null)", name=op.f("ck_jobs_lease")),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_jobs")),
        schema="app",
    )
    op.create_index(
        "ix_jobs_open",
        "jobs",
        ["user_id", "number"],
        schema="app",
        postgresql_where=sa.text("status in ('pending', 'running')"),
    )


def _create_chunks() -> None:
    op.create_table(
        "job_chunks",
        sa.Column("job_id", sa.Text(), nullable=False),
        _owner(),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("result", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id", "job_id"],
            ["app.jobs.user_id", "app.jobs.id"],
            name=op.f("fk_job_chunks_jobs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "job_id", "chunk", name=op.f("pk_job_chunks")),
        schema="app",
    )


def _create_trials() -> None:
    op.create_table(
        "trials",
        sa.Column("data_hash", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        _owner(),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("sharpe", sa.Double(), nullable=True, comment="per session"),
        sa.Column("skewness", sa.Double(), nullable=True),
        sa.Column("kurtosis", sa.Double(), nullable=True, comment="not excess"),
        sa.Column("source_id", sa.Text(), nullable=False, comment="the run or job that tried it"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("user_id", "data_hash", "config_hash", name=op.f("pk_trials")),
        schema="app",
    )
    op.create_index(
        op.f("ix_trials_user_id_symbol_timeframe"), "trials", ["user_id", "symbol", "timeframe"], schema="app"
    )
