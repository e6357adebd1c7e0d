"""The language that a sender reads; which mail has set a toggle; what is known of sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table `toggle_origin`; adds a column to `sender` and three to `session`."""
    op.add_column("sender", sa.Column("language", sa.Text()))
    op.add_column("session", sa.Column("created_at_ms", sa.BigInteger()))
    op.add_column("session", sa.Column("last_used_at_ms", sa.BigInteger()))
    op.add_column("session", sa.Column("browser", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "toggle_origin",
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("toggle", sa.SmallInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_toggle_origin_sender_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name="fk_toggle_origin_message_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("sender_id", "toggle", name="pk_toggle_origin"),
    )
    op.create_index("ix_toggle_origin_message_id", "toggle_origin", ["message_id"])
