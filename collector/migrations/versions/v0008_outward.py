"""Where notifications are sent to, those on their way, mails a day, feeds."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the tables `target`, `outbox`, `digest` and `atom`."""
    op.create_table(
        "target",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger()),
        sa.Column("failed_at_ms", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("detail", sa.Text(), nullable=False, server_default=""),
        sa.Column("failing_since_ms", sa.BigInteger()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("left_out", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("disabled_at_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_target_sender_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_target"),
    )
    op.create_index("ix_target_sender_id", "target", ["sender_id"])
    op.create_table(
        "outbox",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("notification_id", BIG_KEY, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(
            ["target_id"], ["target.id"], name="fk_outbox_target_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notification.id"],
            name="fk_outbox_notification_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_target_id", "outbox", ["target_id", "next_at_ms"])
    op.create_index("ix_outbox_notification_id", "outbox", ["notification_id"])
    op.create_index("ix_outbox_created_at_ms", "outbox", ["created_at_ms"])
    op.create_table(
        "digest",
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("since_id", sa.BigInteger(), nullable=False),
        sa.Column("next_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_digest_sender_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sender_id", name="pk_digest"),
    )
    op.create_index("ix_digest_next_at_ms", "digest", ["next_at_ms"])
    op.create_table(
        "atom",
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_atom_sender_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sender_id", name="pk_atom"),
        sa.UniqueConstraint("token_hash", name="uq_atom_token_hash"),
    )
