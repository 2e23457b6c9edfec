"""Holds: what no copy is removed of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sdfo.catalog.types import Moment, Words

revision = "0004"
down_revision = "0002"


def upgrade() -> None:
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
