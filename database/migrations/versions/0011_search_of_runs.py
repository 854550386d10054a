"""Runs of a strategy or an asset, and the best by a key metric, are found by indexes, however many are stored."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SORTABLE = ("total_return", "sharpe_ratio", "max_drawdown", "win_rate", "profit_factor", "total_trades")


def upgrade() -> None:
    """Make the indexes."""
    for name in ("strategy_id", "asset"):
        index = op.f(f"ix_backtest_runs_user_id_{name}_created_at")
        op.create_index(index, "backtest_runs", ["user_id", name, "created_at"], schema="app")
    op.create_index(
        "ix_backtest_runs_without_result",
        "backtest_runs",
        ["user_id", "created_at"],
        schema="app",
        postgresql_where=sa.text("status <> 'completed'"),
    )
    for name in SORTABLE:
        ranked: list[str | sa.TextClause] = ["user_id", sa.text(f"{name} desc nulls last")]
        op.create_index(f"ix_backtest_results_{name}", "backtest_results", ranked, schema="app")
