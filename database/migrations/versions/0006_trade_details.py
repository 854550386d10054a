"""What a trade was like: which bar decided it, how far the price went for and against it, what it cost beside fees."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COMMENTS = {
    "mae": "worst excursion from the entry price, a fraction <= 0",
    "mfe": "best excursion from the entry price, a fraction >= 0",
    "slippage": None,
    "borrow": None,
}


def upgrade() -> None:
    """Add the columns; they stay empty in trades stored before."""
    decided = sa.Column(
        "decision_date", sa.DateTime(timezone=True), nullable=True, comment="bar whose close decided the entry"
    )
    op.add_column("backtest_trades", decided, schema="app")
    for name, comment in COMMENTS.items():
        number: sa.Column[float] = sa.Column(name, sa.Double(), nullable=True, comment=comment)
        op.add_column("backtest_trades", number, schema="app")
