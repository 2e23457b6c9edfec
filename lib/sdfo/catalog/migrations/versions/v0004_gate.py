"""Holds, files in their days of grace, what the gate remembers, and the order in which copies are read again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sdfo.catalog.types import Digest, Key, Moment, Words

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("ix_copy_verified_at", "copy", ["verified_at"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subject", Words(), nullable=False),
        sa.Column("kind", Words(), nullable=False),
        sa.Column("key", Words(), nullable=False),
        sa.Column("reason", Words(cut=False), nullable=False),
        sa.Column("who", Words(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("released", Moment(), nullable=True),
        sa.Column("released_by", Words(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", "subject", name="pk_hold"),
    )
    op.create_index("ix_hold_key", "hold", ["key"], unique=False)
    op.create_table(
        "expired",
        sa.Column("run", Words(), nullable=False),
        sa.Column("folder_id", Key, autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", Digest(), nullable=False),
        sa.Column("study", Words(), server_default="", nullable=False),
        sa.Column("first_seen", Moment(), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["san_folder.id"], name="fk_expired_folder_id"),
        sa.PrimaryKeyConstraint("run", "folder_id", "key", name="pk_expired"),
    )
    op.create_table(
        "gate",
        sa.Column("name", Words(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_gate"),
    )
