"""The tables of the night: SAN, exams, runs, leases, quarantine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sdfo.catalog.types import Digest, Key, Moment, Words

revision = "0001"
down_revision = None


def upgrade() -> None:
    _runs()
    _san()
    _studies()
    _parts()
    _set_aside()


def _runs() -> None:
    op.create_table(
        "lease",
        sa.Column("name", Words(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("run", Words(), nullable=False),
        sa.Column("holder", Words(), nullable=False),
        sa.Column("expires", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "run",
        sa.Column("id", Words(), nullable=False),
        sa.Column("engine", Words(), nullable=False),
        sa.Column("started", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_index("ix_run_started", "run", ["started"], unique=False)
    op.create_table(
        "outcome",
        sa.Column("run", Words(), nullable=False),
        sa.Column("step", Words(), nullable=False),
        sa.Column("state", Words(), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("started", Moment(), nullable=False),
        sa.Column("ended", Moment(), nullable=True),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name="fk_outcome_run"),
        sa.PrimaryKeyConstraint("run", "step", name="pk_outcome"),
    )


def _san() -> None:
    op.create_table(
        "san_folder",
        sa.Column("id", Key, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("state", Words(), nullable=False),
        sa.Column("listing", Words(), nullable=False),
        sa.Column("newest_ns", sa.BigInteger(), nullable=False),
        sa.Column("listed_at", Moment(), nullable=True),
        sa.Column("dirs", sa.Text(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_san_folder"),
        sa.UniqueConstraint("path", name="uq_san_folder_path"),
    )
    op.create_table(
        "san_file",
        sa.Column("folder_id", Key, autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("study", Words(), nullable=True),
        sa.Column("series", Words(), nullable=True),
        sa.Column("sop", Words(), nullable=True),
        sa.Column("sop_class", Words(), nullable=True),
        sa.Column("digest", Digest(), nullable=True),
        sa.Column("state", Words(), nullable=False),
        sa.Column("first_seen", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["san_folder.id"], name="fk_san_file_folder_id"),
        sa.PrimaryKeyConstraint("folder_id", "key", name="pk_san_file"),
    )
    op.create_index("ix_san_file_sop", "san_file", ["sop"], unique=False)
    op.create_index("ix_san_file_study", "san_file", ["study"], unique=False)


def _studies() -> None:
    op.create_table(
        "study",
        sa.Column("uid", Words(), nullable=False),
        sa.Column("noted", sa.Boolean(), nullable=False),
        sa.Column("patient_id", Words(), server_default="", nullable=False),
        sa.Column("patient_key", Words(), server_default="", nullable=False),
        sa.Column("patient_name", Words(), server_default="", nullable=False),
        sa.Column("name_key", Words(), server_default="", nullable=False),
        sa.Column("birth_date", Words(), server_default="", nullable=False),
        sa.Column("sex", Words(), server_default="", nullable=False),
        sa.Column("date", Words(), server_default="", nullable=False),
        sa.Column("time", Words(), server_default="", nullable=False),
        sa.Column("description", Words(), server_default="", nullable=False),
        sa.Column("accession", Words(), server_default="", nullable=False),
        sa.Column("chronology", Words(), server_default="", nullable=False),
        sa.Column("availability", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_study"),
    )
    op.create_index(
        "ix_study_availability_chronology_uid", "study", ["availability", "chronology", "uid"], unique=False
    )
    op.create_index("ix_study_date", "study", ["date"], unique=False)
    op.create_index("ix_study_name_key", "study", ["name_key"], unique=False)
    op.create_index("ix_study_patient_key", "study", ["patient_key"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", Key, nullable=False),
        sa.Column("study", Words(), nullable=False),
        sa.Column("uid", Words(), nullable=False),
        sa.Column("noted", sa.Boolean(), nullable=False),
        sa.Column("modality", Words(), server_default="", nullable=False),
        sa.Column("number", Words(), server_default="", nullable=False),
        sa.Column("description", Words(), server_default="", nullable=False),
        sa.Column("body_part", Words(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["study"], ["study.uid"], name="fk_series_study"),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("study", "uid", name="uq_series_study_uid"),
    )
    op.create_index("ix_series_uid", "series", ["uid"], unique=False)


def _parts() -> None:
    op.create_table(
        "part",
        sa.Column("id", Key, nullable=False),
        sa.Column("study", Words(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("check", Words(), nullable=False),
        sa.Column("first_record", sa.BigInteger(), nullable=False),
        sa.Column("folder", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["study.uid"], name="fk_part_study"),
        sa.PrimaryKeyConstraint("id", name="pk_part"),
        sa.UniqueConstraint("study", "check", name="uq_part_study_check"),
        sa.UniqueConstraint("study", "ordinal", name="uq_part_study_ordinal"),
    )
    op.create_table(
        "copy",
        sa.Column("part_id", Key, autoincrement=False, nullable=False),
        sa.Column("tier", Words(), nullable=False),
        sa.Column("path", Words(cut=False), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("check", Words(), nullable=False),
        sa.Column("codec", Words(), nullable=False),
        sa.Column("form", Words(), nullable=False),
        sa.Column("state", Words(), nullable=False),
        sa.Column("verified_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["part_id"], ["part.id"], name="fk_copy_part_id"),
        sa.PrimaryKeyConstraint("part_id", "tier", name="pk_copy"),
        sa.UniqueConstraint("tier", "path", name="uq_copy_tier_path"),
    )
    op.create_table(
        "instance",
        sa.Column("part_id", Key, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sop", Words(), nullable=True),
        sa.Column("series_id", Key, nullable=True),
        sa.Column("kind", Words(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("sha256", Digest(), nullable=False),
        sa.Column("pixels", Digest(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("path", Words(cut=False), nullable=True),
        sa.ForeignKeyConstraint(["part_id"], ["part.id"], name="fk_instance_part_id"),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name="fk_instance_series_id"),
        sa.PrimaryKeyConstraint("part_id", "number", name="pk_instance"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_instance_sop", "instance", ["sop"], unique=False)


def _set_aside() -> None:
    op.create_table(
        "alias",
        sa.Column("folder_id", Key, autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", Digest(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("study", Words(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["san_folder.id"], name="fk_alias_folder_id"),
        sa.ForeignKeyConstraint(["study"], ["study.uid"], name="fk_alias_study"),
        sa.PrimaryKeyConstraint("folder_id", "key", "sha256", name="pk_alias"),
    )
    op.create_index("ix_alias_study", "alias", ["study"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", Key, nullable=False),
        sa.Column("run", Words(), nullable=False),
        sa.Column("study", Words(), nullable=True),
        sa.Column("folder_id", Key, nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=True),
        sa.Column("reason", Words(cut=False), nullable=False),
        sa.Column("kind", Words(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=True),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=True),
        sa.Column("opened", Moment(), nullable=False),
        sa.Column("state", Words(), nullable=False),
        sa.Column("closed", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["folder_id"], ["san_folder.id"], name="fk_quarantine_folder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_folder_id", "quarantine", ["folder_id"], unique=False)
    op.create_index("ix_quarantine_state", "quarantine", ["state"], unique=False)
