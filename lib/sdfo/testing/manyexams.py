"""A catalog of as many exams as asked, in minutes: rows put in by bulk load, as ten years of nights would have left them.

python -m sdfo.testing.manyexams URL [--exams N] [--images N]: fill a new catalog; for a look at queries by hand.

Every exam has one part, every fourth a second one (late images); every part a copy on HDFS, near-line and tape, of which the
older ones are retired: a fifth of all exams is online, two fifths are near-line, the rest offline. Half of all UIDs grow with time, as scanners
give them; half are random (2.25 and a UUID). The same number gives the same rows.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from sqlalchemy import text

from sdfo.catalog import (
    Availability,
    Catalog,
    FileMark,
    InstanceEntry,
    PartEntry,
    SeriesAttributes,
    StudyAttributes,
    bulk,
    tables,
)
from sdfo.model import FileStamp, Form, Kind, Tier
from sdfo.sdicom import part_name

YEARS = 10
FIRST_DAY = date(2016, 1, 1)
MODALITIES = ("CT", "MR", "CR", "DX", "US", "XA", "MG", "NM", "PT")
_WEIGHTS = (25, 15, 22, 22, 9, 3, 2, 1.5, 0.5)
_FAMILIES, _GIVEN = 3000, 400
_CHUNK = 1_000_000
_SOP_CLASS = "1.2.840.10008.5.1.4.1.1.2"
_CODECS = {Tier.HDFS: "original", Tier.NEARLINE: "j2k-roi", Tier.TAPE: "original"}


@dataclass(frozen=True, slots=True)
class Exam:
    """The facts of exam `number`: all rows are made of them."""

    number: int
    study: str
    patient: int
    day: date
    modality: str
    parts: int
    near: Availability
    random_uid: bool

    def series_uid(self, series: int) -> str:
        return _uid(self, "s", series)

    def sop_uid(self, part: int, image: int) -> str:
        return _uid(self, f"i{part}", image)

    @property
    def patient_id(self) -> str:
        return f"PAT{self.patient:07}"

    @property
    def patient_name(self) -> str:
        return f"Family{self.patient % _FAMILIES:04}^Given{self.patient // 7 % _GIVEN:03}"


@dataclass(frozen=True, slots=True)
class Many:
    """`images` in each part."""

    exams: int
    images: int = 20
    seed: int = 1

    def exam(self, number: int) -> Exam:
        r = random.Random(f"{self.seed}/{number}")
        day = FIRST_DAY + timedelta(days=number * YEARS * 365 // max(self.exams, 1))
        share = number / max(self.exams, 1)
        near = Availability.OFFLINE if share < 0.4 else Availability.NEARLINE if share < 0.8 else Availability.ONLINE
        modality = r.choices(MODALITIES, _WEIGHTS)[0]
        patient = r.randrange(max(self.exams * 3 // 10, 1))
        return _exam(number, r, patient, day, modality, 2 if number % 4 == 3 else 1, near, number % 2 == 1)


def fill(catalog: Catalog, many: Many, say: Callable[[str], None] = lambda line: None) -> None:
    """Into an upgraded catalog without a row. In transactions of `_CHUNK` rows, else SQLite's log grows as large as the
    database; secondary indexes are made after the rows are in."""
    indexes = [index for table in tables.metadata.sorted_tables for index in table.indexes]
    with catalog.database.write() as conn:
        for index in indexes:
            index.drop(conn)
    for name, rows in _TABLES.items():
        say(f"{name} …")
        _load(catalog, name, rows(many))
    for index in indexes:
        say(f"{index.name} …")
        with catalog.database.write() as conn:
            index.create(conn)
    with catalog.database.write() as conn:
        conn.execute(text("ANALYZE"))


def _load(catalog: Catalog, name: str, rows: Iterator[bulk.Row]) -> None:
    schema, more = bulk.schema_of(tables.metadata.tables[name]), True
    while more:
        with catalog.database.write() as conn:
            if conn.dialect.name == "sqlite":
                conn.exec_driver_sql("PRAGMA cache_size = -400000")
            chunk = _Counted(islice(rows, _CHUNK))
            bulk.load_rows(conn, name, schema, chunk)
            bulk.continue_keys(conn, name, schema)
        more = chunk.count == _CHUNK


class _Counted:
    def __init__(self, rows: Iterator[bulk.Row]) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Iterator[bulk.Row]:
        for row in self._rows:
            self.count += 1
            yield row


def night(number: int, exams: int, images: int, *, random_uids: bool) -> list[PartEntry]:
    """The parts of a night after those of `Many`, with their SAN files; each `number` gives others."""
    made = []
    for n in range(exams):
        r = random.Random(f"night/{number}/{n}/{random_uids}")
        day = FIRST_DAY + timedelta(days=YEARS * 365 + number)
        one = _exam(10**8 + number * 10**5 + n, r, r.randrange(10**5), day, "CT", 1, Availability.ONLINE, random_uids)
        made.append(_entry(one, images, r))
    return made


def with_files(parts: Sequence[PartEntry], folder_ids: Sequence[int]) -> list[PartEntry]:
    """The same parts, each with its files in a SAN folder, as publish gives them."""
    from dataclasses import replace

    return [
        replace(part, files=tuple(_mark(folder_id, each) for each in part.instances))
        for part, folder_id in zip(parts, folder_ids, strict=True)
    ]


def _mark(folder_id: int, record: InstanceEntry) -> FileMark:
    return FileMark(folder_id, FileStamp(record.name, record.length, 10**18, 10**18 + 1), record.sha256)


def _exam(
    number: int,
    r: random.Random,
    patient: int,
    day: date,
    modality: str,
    parts: int,
    near: Availability,
    by_chance: bool,
) -> Exam:
    study = f"2.25.{r.getrandbits(122)}" if by_chance else f"1.2.840.113619.2.{number % 40 + 300}.{number:010}"
    return Exam(number, study, patient, day, modality, parts, near, by_chance)


def _uid(exam: Exam, what: str, number: int) -> str:
    if exam.random_uid:
        return f"2.25.{random.Random(f'{exam.study}{what}{number}').getrandbits(122)}"
    return f"{exam.study}.{ord(what[0])}.{what[1:] or 0}.{number}"


def _exams(many: Many) -> Iterator[Exam]:
    return (many.exam(number) for number in range(many.exams))


def _studies(many: Many) -> Iterator[bulk.Row]:
    for exam in _exams(many):
        day, time = f"{exam.day:%Y%m%d}", f"{exam.number % 24:02}{exam.number % 60:02}00"
        name = exam.patient_name
        ids = (exam.patient_id, exam.patient_id.casefold(), name, name.casefold(), "19600101", "F")
        said = (day, time, f"{exam.modality} examination", f"A{exam.number:010}", day + time, int(exam.near))
        yield (exam.study, False, *ids, *said)


def _series(many: Many) -> Iterator[bulk.Row]:
    for exam in _exams(many):
        for n, modality in enumerate((exam.modality, "SR" if exam.number % 10 == 0 else exam.modality)):
            yield (2 * exam.number + n + 1, exam.study, exam.series_uid(n), False, modality, str(n), "series", "CHEST")


def _parts(many: Many) -> Iterator[tuple[Exam, int, int, str]]:
    """Exam, part id, ordinal, check."""
    part_id = 0
    for exam in _exams(many):
        r = random.Random(exam.study)
        for ordinal in range(1, exam.parts + 1):
            part_id += 1
            yield exam, part_id, ordinal, r.randbytes(32).hex()


def _part_rows(many: Many) -> Iterator[bulk.Row]:
    for exam, part_id, ordinal, check in _parts(many):
        yield part_id, exam.study, ordinal, check, 4096, b"exam-%d" % exam.number


def _copies(many: Many) -> Iterator[bulk.Row]:
    nearest = {Tier.HDFS: Availability.ONLINE, Tier.NEARLINE: Availability.NEARLINE, Tier.TAPE: Availability.OFFLINE}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for exam, part_id, _, check in _parts(many):
        path = part_name(exam.study, f"{exam.day:%Y%m%d}", check)
        for tier, near in nearest.items():
            state = "verified" if near >= exam.near else "retired"
            own = f"V{exam.number // 500:06}/{path}" if tier is Tier.TAPE else path
            codec = _CODECS[tier]
            form = "codestream" if codec == "j2k-roi" else "file"
            yield part_id, str(tier), own, 10_000_000, check, codec, form, state, at


def _instances(many: Many) -> Iterator[bulk.Row]:
    for exam, part_id, ordinal, _ in _parts(many):
        r = random.Random(part_id)
        for n in range(many.images):
            digests = r.randbytes(64)
            own = (exam.sop_uid(ordinal, n), 2 * exam.number + 1 + n % 2, "dicom", b"S001-I%05d.dcm" % n)
            yield part_id, n, *own, n * 525_000, 524_288, digests[:32], digests[32:], 0, None


def _entry(exam: Exam, images: int, r: random.Random) -> PartEntry:
    records = []
    for n in range(images):
        what = (b"S001-I%05d.dcm" % n, Kind.DICOM, exam.sop_uid(1, n), exam.series_uid(0), _SOP_CLASS)
        records.append(InstanceEntry(*what, n * 525_000, 524_288, r.randbytes(32).hex(), r.randbytes(32).hex()))
    check, day = r.randbytes(32).hex(), f"{exam.day:%Y%m%d}"
    series = (SeriesAttributes(exam.series_uid(0), exam.modality, "1"),)
    said = StudyAttributes(exam.study, exam.patient_id, exam.patient_name, date=day, time="080000", series=series)
    path = part_name(exam.study, day, check)
    place = (exam.study, b"new-%d" % exam.number, check, path, 10_000_000, "hdfs", "original", Form.FILE, 4096)
    return PartEntry(*place, said, tuple(records))


_TABLES: dict[str, Callable[[Many], Iterator[bulk.Row]]] = {
    "study": _studies,
    "series": _series,
    "part": _part_rows,
    "copy": _copies,
    "instance": _instances,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sdfo.testing.manyexams", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--exams", type=int, default=100_000)
    parser.add_argument("--images", type=int, default=20)
    words = parser.parse_args(argv)
    catalog = Catalog(words.url)
    catalog.upgrade()
    fill(catalog, Many(words.exams, words.images), lambda line: print(f"{datetime.now():%H:%M:%S} {line}", flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
