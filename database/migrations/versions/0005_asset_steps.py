"""What a price and a quantity of an asset step by, where that is known."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two columns; who may read and write the table may read and write them."""
    op.add_column("assets", sa.Column("tick_size", sa.Double(), comment="smallest step of a price"), schema="market")
    op.add_column("assets", sa.Column("lot_size", sa.Double(), comment="smallest step of a quantity"), schema="market")
    op.create_check_constraint(op.f("ck_assets_steps"), "assets", "tick_size > 0 and lot_size > 0", schema="market")
