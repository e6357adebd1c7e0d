"""Recipients' decisions, and the key that their addresses are hashed by; modes of senders."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables `secret` and `consent`; adds a column each to `sender` and `message`."""
    made = op.create_table(
        "secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secret"),
    )
    op.bulk_insert(made, [{"name": "consent", "value": secrets.token_bytes(32)}])
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.SmallInteger(), nullable=False),
        sa.Column("text_version", sa.Text()),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_consent_sender_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    op.create_index("ix_consent_sender_id", "consent", ["sender_id", "granted", "address_hash"])
    op.add_column("sender", sa.Column("consent", sa.SmallInteger()))
    op.add_column("message", sa.Column("objected", sa.JSON()))
