"""Devices with app passwords; senders without a password, who log in at upstream."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table `device`, and `sender.password_hash` nullable."""
    # SQLite cannot change a column. Making the table anew, as is usual, would drop the old one, and
    # with it, by their foreign keys, all messages: so the column is made anew.
    op.add_column("sender", sa.Column("new_password_hash", sa.Text()))
    op.execute("UPDATE sender SET new_password_hash = password_hash")
    op.execute("ALTER TABLE sender DROP COLUMN password_hash")
    op.execute("ALTER TABLE sender RENAME COLUMN new_password_hash TO password_hash")
    op.create_table(
        "device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name="fk_device_sender_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
        sa.UniqueConstraint("sender_id", "name", name="uq_device_sender_id"),
        sa.UniqueConstraint("key", name="uq_device_key"),
    )
