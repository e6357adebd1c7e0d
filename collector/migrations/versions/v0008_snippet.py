"""A message's first words, for lists."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column to `message`; of mail that was sent before there are none."""
    op.add_column("message", sa.Column("snippet", sa.Text(), nullable=False, server_default=""))
