"""How Alembic runs a migration: on the connection, and in the transaction, that it is given."""

from __future__ import annotations

from alembic import context

from headgate.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a column only by making the table anew.
    render_as_batch=True,
    # Our SQLite connections begin transactions themselves, so that tables are made and dropped in them as well.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
