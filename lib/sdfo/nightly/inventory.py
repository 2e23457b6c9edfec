"""The catalog as a DICOM Inventory: every image whose file lies as it is in an S-DICOM file, and a list of what does not.

What is told of an image is taken from the S-DICOM file itself, not from the catalog: the offset is where a reader will look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from sqlalchemy import select

from sdfo.catalog import CopyRow, PartRow, Query, SeriesAttributes, StudyRow, tables
from sdfo.dicom import select as attributes_of
from sdfo.dicom.inventory import ListedImage, ListedSeries, ListedStudy, Scope, encoded, inventory
from sdfo.errors import SdfoError, UsageError
from sdfo.model import Form, Kind, Tier, is_uid
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.place import Place
from sdfo.sdicom import Apart, Part, Record
from sdfo.stores import Store

MOST = 10_000
"""Studies in one object: some hundred bytes for each image, all in memory while it is written."""
_INSTANCE_NUMBER = 0x00200013
_PREFIX = 132
"""Bytes that tell a file in the DICOM file format: a preamble of 128 and DICM (PS3.10 section 7.1)."""


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A file that is archived, and that no inventory can point to. By its place in the part: names are patients'."""

    study: str
    path: str
    record: int | None
    sop: str | None
    why: str


@dataclass(frozen=True, slots=True)
class InventoryReport:
    """`complete`: every S-DICOM file of the scope was read."""

    studies: int
    images: int
    unlisted: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    data: bytes
    unlisted: tuple[Unlisted, ...]
    report: InventoryReport


def export(place: Place, query: Query, scope: Scope, progress: Progress = silent, most: int = MOST) -> Inventory:
    """One object of all studies that answer to `query`; `scope` says in DICOM's words which these are.

    `UsageError` if there are more than `most`: several objects, by date, are then whole inventories of what each is of.
    """
    at = datetime.now(UTC).astimezone(ZoneInfo(place.settings.night.timezone))
    rows = list(place.catalog.find(query, most + 1))
    if len(rows) > most:
        raise UsageError(
            "too many studies for one object: export a range of dates at a time",
            expected=f"at most {most}",
            next_command="sdfo catalog export --inventory FILE --date A-B",
        )
    export = _Export(place)
    studies = []
    for number, row in enumerate(rows, 1):
        studies += [study for study in [export.study(row)] if study is not None]
        progress(number, len(rows), "studies")
    base = f"{place.store.url.rstrip('/')}/"
    ds = inventory(studies, base, scope, at, place.settings.site, complete=export.complete)
    images = sum(len(series.images) for study in studies for series in study.series)
    report = InventoryReport(len(studies), images, len(export.unlisted), export.complete)
    return Inventory(encoded(ds), tuple(export.unlisted), report)


class _Export:
    def __init__(self, place: Place) -> None:
        self.place = place
        self.unlisted = list[Unlisted]()
        self.complete = True

    def study(self, row: StudyRow) -> ListedStudy | None:
        images = defaultdict[str, list[ListedImage]](list)
        for part in self.place.catalog.parts(row.study):
            for series, image in self._part(part):
                images[series].append(image)
        if not images:
            return None
        known = self._series(row.study)
        return ListedStudy(
            row.study,
            row.patient_id,
            row.patient_name,
            row.birth_date,
            row.sex,
            row.date,
            row.time,
            row.description,
            row.accession,
            tuple(_listed(known.get(uid, SeriesAttributes(uid)), found) for uid, found in sorted(images.items())),
        )

    def _part(self, part: PartRow) -> list[tuple[str, ListedImage]]:
        """Images of a part, by series; a part that no tier gives as files, or at all, is told as a whole."""
        copies = [copy for copy in self.place.catalog.copies(part.id) if copy.tier in (Tier.HDFS, Tier.NEARLINE)]
        why = "no tier holds it in the form of files"
        for copy in copies:
            if copy.form is Form.FILE and copy.state in ("written", "verified"):
                try:
                    return self._of_copy(part, copy)
                except SdfoError as error:
                    why, self.complete = f"it cannot be read: {type(error).__name__}", False
        self.unlisted.append(Unlisted(part.study, copies[0].path if copies else "", None, None, why))
        return []

    def _of_copy(self, part: PartRow, copy: CopyRow) -> list[tuple[str, ListedImage]]:
        store = self.place.store if copy.tier is Tier.HDFS else self.place.nearline
        base = "./" if copy.tier is Tier.HDFS else f"{store.url.rstrip('/')}/"
        served = self._served(part.id) if copy.check == part.check else None
        found, unlisted = list[tuple[str, ListedImage]](), list[Unlisted]()
        with Part.open(store, copy.path) as opened:
            for number, (item, head) in enumerate(_items(store, opened)):
                why = _obstacle(item, head, served is None or number in served)
                if why is None:
                    found.append((item.series or "", _image(item, head, opened, base)))
                else:
                    unlisted.append(Unlisted(part.study, copy.path, number, item.sop, why))
        self.unlisted += unlisted
        return found

    def _served(self, part_id: int) -> set[int]:
        """Which records are the ones that a reader is given: of several with one UID, one."""
        row = tables.instance.c
        with self.place.catalog.database.read() as conn:
            return set(conn.execute(select(row.number).where(row.part_id == part_id, row.version == 0)).scalars())

    def _series(self, study: str) -> dict[str, SeriesAttributes]:
        row = tables.series.c
        query = select(row.uid, row.modality, row.number, row.description, row.body_part).where(row.study == study)
        with self.place.catalog.database.read() as conn:
            return {each.uid: SeriesAttributes(*each) for each in conn.execute(query)}


def _items(store: Store, part: Part) -> Iterator[tuple[Record | Apart, bytes]]:
    """Each record, then each file apart, as the catalog numbers them, with the beginning of the file."""
    heads = {record.name: head for record, head, _ in part.heads()}
    for record in part.records:
        head = heads.get(record.name)
        yield record, part.range(record, 0, min(_PREFIX, record.length)) if head is None else head
    for apart in part.aparts:
        with store.open(str(PurePosixPath(part.path).parent / apart.path)) as source:
            yield apart, source.read(0, min(apart.head or _PREFIX, apart.length))


def _obstacle(item: Record | Apart, head: bytes, served: bool) -> str | None:
    """Why no inventory can point to this file; None if one can (PS3.3 annex P.1.1, C.38.1)."""
    if item.form is not Form.FILE or item.original is not None:
        return f"kept as {item.form}, not as a file"
    if item.kind is not Kind.DICOM:
        return f"not a whole DICOM file: {item.kind}"
    if head[128:_PREFIX] != b"DICM":
        return "not in the DICOM file format: no preamble"
    if not all(map(is_uid, (item.sop, item.series, item.sop_class, item.transfer_syntax))):
        return "a UID is missing, or is none"
    return None if served else "another file of the same SOP Instance UID is served"


def _image(item: Record | Apart, head: bytes, part: Part, base: str) -> ListedImage:
    number = attributes_of(head, (_INSTANCE_NUMBER,)).get(_INSTANCE_NUMBER)
    if isinstance(item, Apart):
        path, offset = str(PurePosixPath(part.path).parent / item.path), 0
    else:
        path, offset = part.path, part.extent(item).offset
    return ListedImage(
        item.sop_class or "",
        item.sop or "",
        "" if number is None else str(number),
        item.transfer_syntax or "",
        base + path,
        offset,
        item.length,
        item.sha256,
    )


def _listed(known: SeriesAttributes, images: Sequence[ListedImage]) -> ListedSeries:
    return ListedSeries(known.series, known.modality, known.number, known.description, known.body_part, tuple(images))
