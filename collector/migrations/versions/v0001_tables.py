"""The first tables: senders and their sessions, messages, hits. See collector/schema.py."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables of version 0001."""
    op.create_table(
        "sender",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("login_key", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("opens", sa.Boolean(), nullable=False),
        sa.Column("clicks", sa.Boolean(), nullable=False),
        sa.Column("sticky", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sender"),
        sa.UniqueConstraint("login_key", name="uq_sender_login_key"),
    )
    op.create_table(
        "sender_address",
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"],
            ["sender.id"],
            name="fk_sender_address_sender_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sender_id", "address", name="pk_sender_address"),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_session_sender_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_session"),
    )
    op.create_index("ix_session_sender_id", "session", ["sender_id"])
    op.create_index("ix_session_expires_at_ms", "session", ["expires_at_ms"])
    op.create_table(
        "message",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at_ms", sa.BigInteger()),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("opens", sa.Boolean(), nullable=False),
        sa.Column("clicks", sa.Boolean(), nullable=False),
        sa.Column("open_count", sa.Integer(), nullable=False),
        sa.Column("raw_open_count", sa.Integer(), nullable=False),
        sa.Column("first_open_ms", sa.BigInteger()),
        sa.Column("last_open_ms", sa.BigInteger()),
        sa.Column("click_count", sa.Integer(), nullable=False),
        sa.Column("raw_click_count", sa.Integer(), nullable=False),
        sa.Column("first_click_ms", sa.BigInteger()),
        sa.Column("last_click_ms", sa.BigInteger()),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("mail_from", sa.Text(), nullable=False),
        sa.Column("message_id_header", sa.Text(), nullable=False),
        sa.Column("untracked_reason", sa.Text()),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_message_sender_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_message"),
    )
    op.create_index("ix_message_sender_id", "message", ["sender_id", "id"])
    op.create_table(
        "agent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agent"),
        sa.UniqueConstraint("text", name="uq_agent_text"),
    )
    op.create_table(
        "hit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("recipient", sa.Integer(), nullable=False),
        sa.Column("link", sa.Integer()),
        sa.Column("verdict", sa.SmallInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("network", sa.LargeBinary()),
        sa.Column("agent_id", sa.Integer()),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name="fk_hit_message_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name="fk_hit_agent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_hit"),
    )
    op.create_index("ix_hit_message_id", "hit", ["message_id"])
