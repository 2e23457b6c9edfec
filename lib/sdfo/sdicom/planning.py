"""Everything about an S-DICOM file that is known before its first value is read: order, places, header, size.

A plan is a function of the set of records: the order in which they are given does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from sdfo.errors import SdicomError
from sdfo.sdicom.heads import pack
from sdfo.sdicom.layout import check_of, header_of, sync_of
from sdfo.sdicom.names import escape_name, is_below, unescape_name
from sdfo.sdicom.record import Apart, Record, fault
from sdfo.sdicom.table import encode_index
from sdfo.seqfile import Framing, prefix

T = TypeVar("T", Record, Apart)


@dataclass(frozen=True, slots=True)
class Plan:
    """`records` in the order of the file, offsets filled in. `size` is the whole file's."""

    study: str
    folder: bytes
    records: tuple[Record, ...]
    aparts: tuple[Apart, ...]
    check: str
    sync: bytes
    header: bytes
    size: int


def in_order(records: Iterable[Record]) -> list[Record]:
    """The order of the file: ascending raw bytes of the name. `SdicomError` if two have one name."""
    return [record for _, record in _sorted(records)]


def plan(
    study: str,
    folder: bytes,
    records: Iterable[Record],
    heads: Iterable[bytes],
    aparts: Iterable[Apart] = (),
    threads: int = 1,
) -> Plan:
    """`heads` gives, for each record that has one, head and tail in one piece, in the order of `in_order(records)`.

    They are taken one at a time: memory grows with the index and the compressed heads alone, and some blocks of plain
    heads for each of the `threads` that compress them.
    """
    placed, beside, length = lay_out(records, aparts)
    packed = pack((record.head_size for record in placed), heads, threads)
    index = encode_index(placed, packed.sha256, beside)
    study_text, folder_text = _utf8(study), escape_name(folder).encode()
    header = header_of(study_text, folder_text, index, packed.text)
    check = check_of(study_text, folder_text, index)
    return Plan(study, folder, placed, beside, check, sync_of(check), header, len(header) + length)


def lay_out(records: Iterable[Record], aparts: Iterable[Apart]) -> tuple[tuple[Record, ...], tuple[Apart, ...], int]:
    """Both in the order of the file, the records with their offsets; and where the last of these ends.

    `SdicomError` if one cannot be written, or a name stands twice.
    """
    named, beside = _sorted(records), _sorted(aparts)
    if not {raw for raw, _ in named}.isdisjoint(raw for raw, _ in beside):
        raise SdicomError("a record and a file apart have one name")
    framing = Framing()
    placed = tuple(_placed(record, framing) for _, record in named)
    return placed, tuple(apart for _, apart in beside), framing.position


def framed(records: Iterable[Record], sync: bytes) -> Iterator[tuple[Record, bytes]]:
    """Each record, in order, with the bytes that stand before its value."""
    framing = Framing()
    for record in records:
        key = record.name.encode()
        escaped, _ = framing.place(len(key), record.length)
        yield record, prefix(key, record.length, sync if escaped else None)


def _placed(record: Record, framing: Framing) -> Record:
    key = record.name.encode()
    try:
        prefix(key, record.length)
    except ValueError as error:
        raise SdicomError(f"{error}; a larger file is kept apart", found=record.length) from error
    return replace(record, offset=framing.place(len(key), record.length)[1])


def _sorted(items: Iterable[T]) -> list[tuple[bytes, T]]:
    named = sorted(((_raw(item), item) for item in items), key=lambda pair: pair[0])
    for (one, _), (other, _) in pairwise(named):
        if one == other:
            raise SdicomError("two files have one name")
    return named


def _raw(item: Record | Apart) -> bytes:
    """The raw name of a row that can be written; `SdicomError` for one that cannot."""
    if problem := fault(item):
        raise SdicomError(problem)
    try:
        raw = unescape_name(item.name)
    except UnicodeEncodeError as error:
        raise SdicomError("a name is not Unicode: use escape_name") from error
    if escape_name(raw) != item.name:
        raise SdicomError("a name is not as escape_name writes it")
    if not is_below(raw):
        raise SdicomError("a name leads out of its folder")
    return raw


def _utf8(study: str) -> bytes:
    try:
        return study.encode()
    except UnicodeEncodeError as error:
        raise SdicomError("a study UID is not Unicode") from error
