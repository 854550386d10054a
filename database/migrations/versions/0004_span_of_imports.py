"""An import keeps the span of its bars, so that a later one over the same span can answer its warnings."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the span, and an index of the imports that warn, which are few."""
    for name in ("first", "last"):
        op.add_column("imports", sa.Column(name, sa.DateTime(timezone=True), nullable=True), schema="market")
    op.create_index(
        "ix_imports_warning",
        "imports",
        ["asset_id", "tf"],
        schema="market",
        postgresql_where=sa.text("""report @? '$.findings[*] ? (@.severity == "warning")'"""),
    )
