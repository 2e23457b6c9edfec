"""Volumes and recalls; what was published before there were any waits for tape."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from sdfo.catalog.types import Digest, Key, Moment, Words

revision = "0003"
down_revision = "0002"

_WORK = "tape"


def upgrade() -> None:
    op.create_table(
        "volume",
        sa.Column("name", Words(), nullable=False),
        sa.Column("state", Words(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", Digest(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("barcode", Words(), server_default="", nullable=False),
        sa.Column("position", Words(), server_default="", nullable=False),
        sa.Column("written", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_volume"),
    )
    op.create_index("ix_volume_created", "volume", ["created"], unique=False)
    op.create_table(
        "recall",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("uid", Words(), nullable=False),
        sa.Column("volumes", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", Words(), nullable=False),
        sa.Column("asked", Moment(), nullable=False),
        sa.Column("expected", Moment(), nullable=True),
        sa.Column("ended", Moment(), nullable=True),
        sa.Column("pinned", Moment(), nullable=True),
        sa.Column("reason", Words(cut=False), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_recall"),
    )
    op.create_index("ix_recall_state", "recall", ["state"], unique=False)
    _fill()


def _fill() -> None:
    """All parts, as old in the queue as their copies on HDFS."""
    part = sa.table("part", sa.column("id"))
    copy = sa.table("copy", sa.column("part_id"), sa.column("tier"), sa.column("verified_at", Moment()))
    queue = sa.table("queue", *(sa.column(name) for name in ("part_id", "work", "since", "tries")))
    own = (copy.c.part_id == part.c.id) & (copy.c.tier == "hdfs")
    since: sa.ColumnElement[Any] = sa.func.coalesce(copy.c.verified_at, sa.literal(datetime.now(UTC), Moment()))
    waiting = sa.select(part.c.id, sa.literal(_WORK), since, sa.literal(0)).select_from(sa.outerjoin(part, copy, own))
    op.execute(queue.insert().from_select(["part_id", "work", "since", "tries"], waiting))
