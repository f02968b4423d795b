"""Alembic's entry: migrate over the connection that `hashsvc.store.migrate` passes in."""

from alembic import context

from hashsvc.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter most things in place: copy and swap instead.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
