"""Notifications of first opens and clicks, and which of them a sender wishes."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table `notification`; adds the column `notify` to `sender`."""
    op.create_table(
        "notification",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column(
            "message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("recipient", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("read_at_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_notification_sender_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name="fk_notification_message_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notification_sender_id", "notification", ["sender_id", "read_at_ms"])
    op.create_index(
        "ix_notification_message_id", "notification", ["message_id", "kind", "recipient"]
    )
    op.add_column(
        "sender", sa.Column("notify", sa.SmallInteger(), nullable=False, server_default="1")
    )
