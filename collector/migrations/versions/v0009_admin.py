"""Senders who may look after the others."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column to `sender`: whether it is an admin; nobody is at first."""
    op.add_column(
        "sender", sa.Column("is_admin", sa.Boolean(), nullable=False, server_default=sa.false())
    )
