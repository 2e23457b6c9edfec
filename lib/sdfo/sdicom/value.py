"""One value, whole, by its place."""

from __future__ import annotations

from hashlib import sha256

from sdfo.errors import OutOfRange, RecordMismatch
from sdfo.model import Extent
from sdfo.sdicom.front import translated
from sdfo.stores import Source, Store


def read_value(store: Store, path: str, extent: Extent, digest: str) -> bytes:
    """A value whose place the catalog knows: one read, no header. `Missing`, `LengthMismatch`, `RecordMismatch`."""
    with store.open(path) as source:
        return read_extent(source, extent, digest)


def read_extent(source: Source, extent: Extent, digest: str) -> bytes:
    """`read_value` of a file that is open."""
    try:
        data = source.read(extent.offset, extent.length)
    except OutOfRange:
        with translated(source.path):
            raise
    compare(source.path, extent.offset, digest, sha256(data).hexdigest())
    return data


def compare(path: str, offset: int, expected: str, found: str) -> None:
    """Two digests of the bytes at `offset`."""
    if found != expected:
        raise RecordMismatch("SHA-256 of a value", path=path, offset=offset, expected=expected, found=found)
