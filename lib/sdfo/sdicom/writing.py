"""Writing an S-DICOM file front to back, in one stream."""

from __future__ import annotations

from collections.abc import Iterable

from sdfo.errors import LengthMismatch
from sdfo.sdicom.planning import Plan, framed
from sdfo.stores import Sink


def write(sink: Sink, plan: Plan, values: Iterable[Iterable[bytes]]) -> None:
    """`values`: for each record of the plan, in order, its bytes in pieces, which are written as they come.

    `LengthMismatch` when they are not what was planned; the file is garbage then. The sink stays the caller's to close.
    """
    sink.write(plan.header)
    given = iter(values)
    for record, before in framed(plan.records, plan.sync):
        chunks = next(given, None)
        if chunks is None:
            raise LengthMismatch("fewer values than records", path=sink.path, expected=len(plan.records))
        _write_value(sink, record.length, before, chunks)
    if next(given, None) is not None:
        raise LengthMismatch("more values than records", path=sink.path, expected=len(plan.records))


def _write_value(sink: Sink, length: int, before: bytes, chunks: Iterable[bytes]) -> None:
    """One record. What stands before the value goes out with its first piece, in one call."""
    written = 0
    for chunk in chunks:
        written += len(chunk)
        if written > length:
            break
        sink.write(before, chunk)
        before = b""
    if written != length:
        raise LengthMismatch("a value of another length than planned", path=sink.path, expected=length, found=written)
    if before:
        sink.write(before)
