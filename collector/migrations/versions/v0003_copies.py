"""Copies per recipient, and what became of each recipient."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns to `sender` and `message`; what is there already was shared by all."""
    for table in ("sender", "message"):
        op.add_column(
            table,
            sa.Column("per_recipient", sa.Boolean(), nullable=False, server_default=sa.false()),
        )
    op.add_column("message", sa.Column("shared_reason", sa.Text()))
    op.add_column("message", sa.Column("outcomes", sa.JSON()))
