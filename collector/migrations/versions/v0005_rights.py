"""Messages whose tracking was stopped."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds `message.stopped_at_ms`; nothing that is there was stopped."""
    op.add_column("message", sa.Column("stopped_at_ms", sa.BigInteger()))
