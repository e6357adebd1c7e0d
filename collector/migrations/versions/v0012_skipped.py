"""What was left as it is in a message, whether it was to be tracked, and who decided that."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds five columns to `message`."""
    op.add_column("message", sa.Column("skipped", sa.JSON()))
    op.add_column("message", sa.Column("opens_wished", sa.Boolean()))
    op.add_column("message", sa.Column("clicks_wished", sa.Boolean()))
    op.add_column("message", sa.Column("opens_from", sa.SmallInteger()))
    op.add_column("message", sa.Column("clicks_from", sa.SmallInteger()))
