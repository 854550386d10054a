"""Persistence: PostgreSQL, its schema, and the mapping of rows to the domain's values."""
