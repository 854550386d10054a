"""What a reviewer says of a run, and what buy and hold made in each of its years."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = {
    "diagnostics": "null where the run was not reviewed",
    "benchmark_years": "returns of buy and hold by year",
}


def upgrade() -> None:
    """Add the columns; runs stored before stay without them."""
    for name, comment in COLUMNS.items():
        column = sa.Column(name, JSONB(none_as_null=True), nullable=True, comment=comment)
        op.add_column("backtest_results", column, schema="app")
