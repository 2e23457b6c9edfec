"""What Alembic runs for every command; the connection is the caller's, in the caller's transaction."""

from __future__ import annotations

from alembic import context

from sdfo.catalog.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
