"""What an import leaves behind: a version of each series that every write changes, and the history of imports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Random, so that a restored copy of the database never repeats a version that a cache has seen.
BUMP = """
create function market.bump_version() returns trigger language plpgsql as $$ begin
  insert into market.series (asset_id, tf, version)
    select asset_id, tf, gen_random_uuid() from (select distinct asset_id, tf from changed) written
    on conflict (asset_id, tf) do update set version = excluded.version;
  return null;
end $$
"""
EVENTS = {"insert": "new", "update": "new", "delete": "old"}


def upgrade() -> None:
    """Add the tables, the triggers, and a version for every series that is there already."""
    op.drop_constraint(op.f("fk_market_data_assets"), "market_data", schema="market")
    op.add_column("assets", sa.Column("reasons", JSONB(), nullable=True), schema="market")
    _create_series()
    _create_imports()
    op.execute(BUMP)
    for event, rows in EVENTS.items():
        op.execute(
            f"create trigger version_{event} after {event} on market.market_data"
            f" referencing {rows} table as changed for each statement execute function market.bump_version()"
        )
    op.execute("grant select on market.series, market.imports to bt_app")
    op.execute("grant select, insert, update on market.series to bt_loader")
    op.execute("grant select, insert on market.imports to bt_loader")
    op.execute("insert into market.series select distinct asset_id, tf, gen_random_uuid() from market.market_data")


def _create_series() -> None:
    op.create_table(
        "series",
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("tf", sa.SmallInteger(), nullable=False, comment="minutes of a bar"),
        sa.Column("version", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["market.assets.id"], name=op.f("fk_series_assets")),
        sa.PrimaryKeyConstraint("asset_id", "tf", name=op.f("pk_series")),
        schema="market",
    )


def _create_imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("tf", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inserted", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("report", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["market.assets.id"], name=op.f("fk_imports_assets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        schema="market",
    )
    op.create_index(op.f("ix_imports_asset_id_tf"), "imports", ["asset_id", "tf"], schema="market")
