"""Parts for tests of what lies above them: entries for the catalog made up quickly, and S-DICOM files with real DICOM in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from sdfo.catalog import FileMark, InstanceEntry, PartEntry, SeriesAttributes, StudyAttributes
from sdfo.model import FileStamp, Form, Kind
from sdfo.sdicom import Apart, Record, apart_name, described, escape_name, in_order, part_name, plan, write
from sdfo.stores import Store


def digest(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()


def record(
    study: str,
    number: int,
    *,
    sop: str | None = None,
    series: int = 1,
    kind: Kind = Kind.DICOM,
    pixels: str | None = None,
    head: str = "",
    reason: str | None = None,
) -> InstanceEntry:
    """Record `number` of a part. Equal `pixels` and another `head` make a correction."""
    uid = sop or f"{study}.{series}.{number}"
    shown = digest(pixels or uid)
    return InstanceEntry(
        name=f"S{series}/I{number:05}.dcm".encode(),
        kind=kind,
        sop=uid,
        series=f"{study}.{series}",
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        offset=number * 600_000,
        length=524_288,
        sha256=digest(shown, head, kind),
        pixels=shown,
        reason=reason or ("cut short" if kind is Kind.DAMAGED else None),
    )


def entry(study: str, *records: InstanceEntry, folder: bytes = b"exam", **attributes: str) -> PartEntry:
    """A part that holds these records; its check depends on them."""
    check = digest(study, folder, records)
    series = dict.fromkeys(each.series for each in records if each.series)
    known = {"patient_id": "P1", "patient_name": "Doe^Jane", "date": "20240102", "time": "080000"} | attributes
    return PartEntry(
        study=study,
        folder=folder,
        check=check,
        path=part_name(study, "20240102", check),
        size=1000 + sum(each.length for each in records),
        tier="hdfs",
        codec="original",
        form=Form.FILE,
        first_record=4096,
        attributes=StudyAttributes(study, **known, series=tuple(SeriesAttributes(uid, "CT", "1") for uid in series)),
        instances=records,
    )


def marked(part: PartEntry, folder_id: int) -> PartEntry:
    """The same part with the SAN files that its records were read from."""
    marks = (FileMark(folder_id, stamp(each.name, each.length), each.sha256) for each in part.instances)
    return replace(part, files=tuple(marks))


def stamp(name: bytes, size: int, time: int = 1) -> FileStamp:
    return FileStamp(name, size, time * 10**9, time * 10**9 + 1)


def write_part(store: Store, study: str, folder: bytes, files: Mapping[bytes, bytes], largest: int = 2**20) -> str:
    """An S-DICOM file of these files, those above `largest` apart beside it; its path."""
    values = {escape_name(name): data for name, data in files.items()}
    items = [described(name, data) for name, data in values.items()]
    records = in_order(item for item in items if item.length <= largest)
    aparts = [_apart(study, item) for item in items if item.length > largest]
    heads = (_edges(item, values[item.name]) for item in records if item.head is not None)
    planned = plan(study, folder, records, heads, aparts)
    path = part_name(study, None, planned.check)
    with store.create(path) as sink:
        write(sink, planned, ([values[item.name]] for item in planned.records))
    for apart in aparts:
        store.put(f"{path.rpartition('/')[0]}/{apart.path}", values[apart.name])
    return path


def _edges(item: Record, data: bytes) -> bytes:
    return data[: item.head] + data[len(data) - (item.tail or 0) :]


def _apart(study: str, item: Record) -> Apart:
    return Apart(
        name=item.name,
        path=apart_name(study, item.sha256),
        length=item.length,
        sha256=item.sha256,
        kind=item.kind,
        reason=item.reason,
        sop=item.sop,
        series=item.series,
        sop_class=item.sop_class,
        transfer_syntax=item.transfer_syntax,
        pixels=item.pixels,
        head=item.head,
        tail=item.tail,
        frames=item.frames,
    )
