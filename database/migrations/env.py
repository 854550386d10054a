"""Runs the migrations on the connection that `schema.upgrade` hands in."""

from alembic import context

from database.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    version_table_schema="app",
)
with context.begin_transaction():
    context.run_migrations()
