"""How an S-DICOM file uses the SequenceFile's header (docs/format.md): which pairs, what each digest covers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sdfo.errors import SdicomError
from sdfo.seqfile import SYNC_SIZE, encode_header
from sdfo.seqfile.framing import LONGEST

VERSION = b"1"
KEYS = (
    "sdicom.version",
    "sdicom.study",
    "sdicom.folder",
    "sdicom.index",
    "sdicom.check",
    "sdicom.heads",
    "sdicom.heads.check",
)
"""The header's pairs, exactly these, in this order."""


def check_of(study: bytes, folder: bytes, index: bytes) -> str:
    """`sdicom.check`: SHA-256 over version, study, folder and index, each after its length as 8 bytes big endian."""
    digest = hashlib.sha256()
    for value in (VERSION, study, folder, index):
        digest.update(len(value).to_bytes(8, "big"))
        digest.update(value)
    return digest.hexdigest()


def sync_of(check: str) -> bytes:
    """The sync marker: the first 16 bytes of the SHA-256 of `sdicom.check` as it stands in the header, 64 hex digits."""
    return hashlib.sha256(check.encode()).digest()[:SYNC_SIZE]


def header_of(study: bytes, folder: bytes, index: bytes, heads: bytes) -> bytes:
    check = check_of(study, folder, index)
    values = (VERSION, study, folder, index, check.encode(), heads, hashlib.sha256(heads).hexdigest().encode())
    if max(map(len, values)) > LONGEST:
        raise SdicomError("too much for one header", expected=LONGEST, found=max(map(len, values)))
    pairs: Iterable[tuple[bytes, bytes]] = zip((key.encode() for key in KEYS), values, strict=True)
    return encode_header(pairs, sync_of(check))
