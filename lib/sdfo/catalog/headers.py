"""What the catalog takes from headers: attributes from heads, and a whole entry from an S-DICOM file.

Publish and rebuild both take it here, so that a catalog rebuilt from files equals the one that was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from sdfo.catalog.attributes import SeriesAttributes, StudyAttributes
from sdfo.catalog.entries import InstanceEntry, PartEntry
from sdfo.catalog.types import keepable
from sdfo.dicom import select
from sdfo.model import Form, Kind, valid_date
from sdfo.sdicom import HEAD_LIMIT, Apart, Part, Record, unescape_name

# PS3.6 chapter 6
_STUDY = {
    "date": 0x00080020,
    "time": 0x00080030,
    "accession": 0x00080050,
    "description": 0x00081030,
    "patient_name": 0x00100010,
    "patient_id": 0x00100020,
    "birth_date": 0x00100030,
    "sex": 0x00100040,
}
_SERIES = {"modality": 0x00080060, "description": 0x0008103E, "body_part": 0x00180015, "number": 0x00200011}
_TAGS = tuple(sorted({*_STUDY.values(), *_SERIES.values()}))
_DATES = (_STUDY["date"], _STUDY["birth_date"])

Head = tuple[str | None, bytes, str | None]
"""Series Instance UID, a head, and the transfer syntax for a head that has no File Meta Information."""


def entry_of(part: Part, path: str, size: int, tier: str, codec: str) -> PartEntry:
    """What the catalog keeps of this part, whose file lies at `path` on `tier`; the SAN's side (`files`) is not in it."""
    items: tuple[Record | Apart, ...] = (*part.records, *part.aparts)
    coded = any(item.form is Form.CODESTREAM for item in items)
    return PartEntry(
        study=part.study,
        folder=part.folder,
        check=part.check_digest,
        path=path,
        size=size,
        tier=tier,
        codec=codec,
        form=Form.CODESTREAM if coded else Form.FILE,
        first_record=part.first_record,
        attributes=study_attributes(part.study, _heads(part, path, items)),
        instances=tuple(_instance(item, path) for item in items),
    )


def study_attributes(study: str, heads: Iterable[Head]) -> StudyAttributes:
    """What heads of one study say. Of two that differ the first counts, in a study's as in a series' attributes."""
    found: dict[str, str] = {}
    series: dict[str, dict[str, str]] = {}
    for uid, head, transfer_syntax in heads:
        values = {tag: _kept(tag, value) for tag, value in select(head, _TAGS, transfer_syntax).items()}
        _fill(found, _STUDY, values)
        if uid:
            _fill(series.setdefault(uid, {}), _SERIES, values)
    known = tuple(SeriesAttributes(uid, **own) for uid, own in series.items())
    return StudyAttributes(study, **found, series=known)


def _fill(found: dict[str, str], names: dict[str, int], values: dict[int, str]) -> None:
    for name, tag in names.items():
        found[name] = found.get(name) or values.get(tag, "")


def _kept(tag: int, value: Any) -> str:
    """A date that is none says nothing, so that a later head may."""
    text = _text(value)
    return (valid_date(text) or "") if tag in _DATES else text


def _text(value: Any) -> str:
    """An attribute as text; what could not be decoded (bytes) is left out, of several values all are kept."""
    if isinstance(value, list):
        return "\\".join(_text(each) for each in value)
    return "" if value is None or isinstance(value, bytes | dict) else keepable(str(value)).strip()


def _heads(part: Part, path: str, items: tuple[Record | Apart, ...]) -> Iterator[Head]:
    """The head of the first record of each series, whole records before damaged ones."""
    seen: set[str | None] = set()
    for item in sorted(items, key=lambda item: item.kind != Kind.DICOM):
        if item.kind != Kind.OTHER and item.series not in seen:
            seen.add(item.series)
            yield item.series, _head(part, path, item), item.transfer_syntax


def _head(part: Part, path: str, item: Record | Apart) -> bytes:
    """From the heads, or where they are too long for them, as much from the file as heads may be."""
    if isinstance(item, Apart):
        with part.store.open(_beside(path, item)) as source:
            return source.read(0, min(HEAD_LIMIT, item.length if item.head is None else item.head))
    kept = part.head(item)
    return part.range(item, 0, min(HEAD_LIMIT, item.length)) if kept is None else kept[0]


def _instance(item: Record | Apart, path: str) -> InstanceEntry:
    return InstanceEntry(
        name=unescape_name(item.name),
        kind=item.kind,
        sop=_uid(item.sop),
        series=_uid(item.series),
        sop_class=_uid(item.sop_class),
        offset=0 if isinstance(item, Apart) else item.offset,
        length=item.length,
        sha256=item.sha256,
        pixels=item.pixels,
        reason=item.reason,
        path=_beside(path, item) if isinstance(item, Apart) else None,
    )


def _beside(path: str, apart: Apart) -> str:
    return str(PurePosixPath(path).parent / apart.path)


def _uid(text: str | None) -> str | None:
    return keepable(text) if text else None
