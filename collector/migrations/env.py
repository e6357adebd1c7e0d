"""Alembic runs this file: it hands it the open connection that collector.migrations made."""

from alembic import context

from collector.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can; a failed upgrade then leaves nothing half done
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
