"""The queue of the near-line backup; what was published before there was one waits in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from sdfo.catalog.types import Key, Moment, Words

revision = "0002"
down_revision = "0001"

_WORK = "nearline"


def upgrade() -> None:
    queue = op.create_table(
        "queue",
        sa.Column("part_id", Key, autoincrement=False, nullable=False),
        sa.Column("work", Words(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", Words(cut=False), nullable=True),
        sa.ForeignKeyConstraint(["part_id"], ["part.id"], name="fk_queue_part_id"),
        sa.PrimaryKeyConstraint("part_id", "work", name="pk_queue"),
    )
    op.create_index("ix_queue_work_tries_since", "queue", ["work", "tries", "since"], unique=False)
    _fill(queue)


def _fill(queue: sa.Table) -> None:
    """Parts without a copy, as old in the queue as their copies on HDFS."""
    part = sa.table("part", sa.column("id"))
    copy = sa.table("copy", sa.column("part_id"), sa.column("tier"), sa.column("verified_at", Moment()))
    own = (copy.c.part_id == part.c.id) & (copy.c.tier == "hdfs")
    others = sa.select(copy.c.part_id).where(copy.c.tier == _WORK)
    since: sa.ColumnElement[Any] = sa.func.coalesce(copy.c.verified_at, sa.literal(datetime.now(UTC), Moment()))
    waiting = sa.select(part.c.id, sa.literal(_WORK), since, sa.literal(0)).select_from(sa.outerjoin(part, copy, own))
    op.execute(
        queue.insert().from_select(["part_id", "work", "since", "tries"], waiting.where(part.c.id.not_in(others)))
    )
