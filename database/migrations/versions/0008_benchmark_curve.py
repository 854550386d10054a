"""The equity of buy and hold is kept beside the strategy's, so that a report shows what was measured, its years too."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the curve, and drop the years read from it; runs that are stored already have neither then."""
    comment = "the same of buy and hold; null in runs from before it was stored"
    column = sa.Column("benchmark_curve", sa.LargeBinary(), nullable=True, comment=comment)
    op.add_column("backtest_results", column, schema="app")
    op.drop_column("backtest_results", "benchmark_years", schema="app")
