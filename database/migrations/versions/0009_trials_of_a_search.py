"""The many parameter sets of a search are one record of the ledger of trials, which counts each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add how many sets a record counts, and what their variance is made of; a run that is stored is one."""
    for column in (
        sa.Column(
            "configurations",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="sets of a search at once",
        ),
        sa.Column(
            "defined", sa.Integer(), server_default=sa.text("1"), nullable=False, comment="those with a Sharpe ratio"
        ),
        sa.Column(
            "spread",
            sa.Double(),
            server_default=sa.text("0"),
            nullable=False,
            comment="squared distances from `sharpe`",
        ),
    ):
        op.add_column("trials", column, schema="app")
