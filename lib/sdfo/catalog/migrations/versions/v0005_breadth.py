"""Indexes for an archive of a million exams: series by modality, and the few files that lie apart by their path."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_series_modality_study", "series", ["modality", "study"], unique=False)
    apart = sa.text("path IS NOT NULL")
    op.create_index("ix_instance_path", "instance", ["path"], unique=False, postgresql_where=apart, sqlite_where=apart)
