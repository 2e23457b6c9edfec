"""The tables. What each row means is said here once; `migrations/` builds them, and a test finds the two equal.

Patients' attributes stand in `study`, as each study's own headers give them: this is DICOM's Study Root model (PS3.4
section C.6.2), and a patient whose name was corrected between two visits needs no merging.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from sdfo.catalog.types import Digest, Key, Moment, Words

HEAD = "0005"
"""The schema version this code works with: the newest file of `migrations/versions`."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _words(name: str, *, index: bool = False) -> Column[str]:
    """Text that is empty where nothing is known."""
    return Column(name, Words, nullable=False, server_default="", index=index)


study = Table(
    "study",
    metadata,
    Column("uid", Words, primary_key=True),
    # from a SAN head alone so far: the first part overwrites it entirely, so that a rebuilt catalog comes out equal
    Column("noted", Boolean, nullable=False),
    _words("patient_id"),
    _words("patient_key", index=True),  # casefolded, for the query
    _words("patient_name"),
    _words("name_key", index=True),
    _words("birth_date"),
    _words("sex"),
    _words("date", index=True),
    _words("time"),
    _words("description"),
    _words("accession"),
    _words("chronology"),  # date and time, the undated after all others
    Column("availability", Integer, nullable=False, server_default="0"),
    Index(None, "availability", "chronology", "uid"),
)

series = Table(
    "series",
    metadata,
    Column("id", Key, primary_key=True),
    Column("study", Words, ForeignKey("study.uid"), nullable=False),
    Column("uid", Words, nullable=False, index=True),
    Column("noted", Boolean, nullable=False),
    _words("modality"),
    _words("number"),
    _words("description"),
    _words("body_part"),
    UniqueConstraint("study", "uid"),
    Index(None, "modality", "study"),
)

part = Table(
    "part",
    metadata,
    Column("id", Key, primary_key=True),
    Column("study", Words, ForeignKey("study.uid"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("check", Words, nullable=False),
    Column("first_record", BigInteger, nullable=False),
    Column("folder", LargeBinary, nullable=False),
    UniqueConstraint("study", "ordinal"),
    UniqueConstraint("study", "check"),
)

copy = Table(
    "copy",
    metadata,
    Column("part_id", Key, ForeignKey("part.id"), primary_key=True, autoincrement=False),
    Column("tier", Words, primary_key=True),
    Column("path", Words(cut=False), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("check", Words, nullable=False),
    Column("codec", Words, nullable=False),
    Column("form", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("verified_at", Moment, index=True),
    UniqueConstraint("tier", "path"),
)

queue = Table(
    "queue",
    metadata,
    Column("part_id", Key, ForeignKey("part.id"), primary_key=True, autoincrement=False),
    Column("work", Words, primary_key=True),  # the tier on which it shall have a copy
    Column("since", Moment, nullable=False),
    Column("tries", Integer, nullable=False),  # that came to nothing
    Column("reason", Words(cut=False)),  # of the last one; or why there is no copy any more
    Index(None, "work", "tries", "since"),
)

volume = Table(
    "volume",
    metadata,
    Column("name", Words, primary_key=True),  # a copy on tape has the path `<name>/<path on HDFS>`
    Column("state", Words, nullable=False),  # sealed → ready → written → verified, or damaged
    Column("size", BigInteger, nullable=False),
    Column("sha256", Digest, nullable=False),
    Column("files", Integer, nullable=False),
    Column("created", Moment, nullable=False, index=True),
    _words("barcode"),
    _words("position"),
    Column("written", Moment),  # when its receipt was taken
)

recall = Table(
    "recall",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("uid", Words, nullable=False),  # what was asked for
    Column("volumes", Text, nullable=False),  # a JSON list of names
    Column("size", BigInteger, nullable=False),  # of these
    Column("state", Words, nullable=False, index=True),  # waiting → done, or failed
    Column("asked", Moment, nullable=False),
    Column("expected", Moment),  # none where nothing was measured yet
    Column("ended", Moment),
    Column("pinned", Moment),  # until when its volumes stay
    Column("reason", Words(cut=False)),
)

instance = Table(
    "instance",
    metadata,
    Column("part_id", Key, ForeignKey("part.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # records in order, then the files kept apart
    Column("sop", Words, index=True),
    Column("series_id", Key, ForeignKey("series.id")),
    Column("kind", Words, nullable=False),
    Column("name", LargeBinary, nullable=False),
    Column("offset", BigInteger, nullable=False),  # from the part's first record; 0 in a file of its own
    Column("length", BigInteger, nullable=False),
    Column("sha256", Digest, nullable=False),
    Column("pixels", Digest),
    Column("version", Integer, nullable=False),
    Column("path", Words(cut=False)),  # of the file kept apart
    sqlite_with_rowid=False,
)
Index(None, instance.c.path, postgresql_where=instance.c.path.is_not(None), sqlite_where=instance.c.path.is_not(None))

san_folder = Table(
    "san_folder",
    metadata,
    Column("id", Key, primary_key=True),
    Column("path", LargeBinary, nullable=False, unique=True),
    Column("state", Words, nullable=False),
    Column("listing", Words, nullable=False),
    Column("newest_ns", BigInteger, nullable=False),
    Column("listed_at", Moment),
    Column("dirs", Text, nullable=False),
    Column("files", Integer, nullable=False),
)

san_file = Table(
    "san_file",
    metadata,
    Column("folder_id", Key, ForeignKey("san_folder.id"), primary_key=True, autoincrement=False),
    Column("key", LargeBinary, primary_key=True),  # a digest of the name: PostgreSQL indexes no more than 2.7 KB
    Column("name", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("study", Words, index=True),
    Column("series", Words),
    Column("sop", Words, index=True),
    Column("sop_class", Words),
    Column("digest", Digest),
    Column("state", Words, nullable=False),
    Column("first_seen", Moment, nullable=False),
)

alias = Table(
    "alias",
    metadata,
    Column("folder_id", Key, ForeignKey("san_folder.id"), primary_key=True, autoincrement=False),
    Column("key", LargeBinary, primary_key=True),
    Column("sha256", Digest, primary_key=True),
    Column("name", LargeBinary, nullable=False),
    Column("study", Words, ForeignKey("study.uid"), nullable=False, index=True),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run", Words, nullable=False),
    Column("study", Words),
    Column("folder_id", Key, ForeignKey("san_folder.id"), index=True),
    Column("name", LargeBinary, nullable=False),  # empty: the whole folder's exam
    Column("ordinal", Integer),
    Column("reason", Words(cut=False), nullable=False),
    Column("kind", Words),
    Column("size", BigInteger),
    Column("mtime_ns", BigInteger),
    Column("ctime_ns", BigInteger),
    Column("opened", Moment, nullable=False),
    Column("state", Words, nullable=False, index=True),
    Column("closed", Moment),
)

hold = Table(
    "hold",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one for all subjects of a list
    Column("subject", Words, primary_key=True),
    Column("kind", Words, nullable=False),  # study: the subject is a UID; patient: a patient's id
    Column("key", Words, nullable=False, index=True),  # what a study's uid, or patient_key, is compared with
    Column("reason", Words(cut=False), nullable=False),
    Column("who", Words, nullable=False),
    Column("since", Moment, nullable=False),
    Column("released", Moment),
    _words("released_by"),
)

expired = Table(
    "expired",  # SAN files in their days of grace
    metadata,
    Column("run", Words, primary_key=True),
    Column("folder_id", Key, ForeignKey("san_folder.id"), primary_key=True, autoincrement=False),
    Column("key", LargeBinary, primary_key=True),
    Column("name", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", Digest, nullable=False),
    _words("study"),
    Column("first_seen", Moment),
    Column("at", Moment, nullable=False),
)

gate = Table(
    "gate",  # what the delete gate remembers of this catalog: in no journal, and kept by a rebuild
    metadata,
    Column("name", Words, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", Words, primary_key=True),
    Column("engine", Words, nullable=False),
    Column("started", Moment, nullable=False, index=True),
)

outcome = Table(
    "outcome",
    metadata,
    Column("run", Words, ForeignKey("run.id"), primary_key=True),
    Column("step", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("good", Boolean, nullable=False),
    Column("started", Moment, nullable=False),
    Column("ended", Moment),
    Column("report", Text, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Words, primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("run", Words, nullable=False),  # empty: released
    Column("holder", Words, nullable=False),
    Column("expires", Moment, nullable=False),
)
