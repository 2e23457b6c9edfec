"""Reading and proving the header of an S-DICOM file, without its heads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from sdfo.errors import HeaderMismatch, LengthMismatch, NotSdicom, OutOfRange, SequenceFileError, SequenceFileTruncated
from sdfo.model import Extent
from sdfo.sdicom.index import Index, decode_index
from sdfo.sdicom.layout import KEYS, VERSION, check_of, sync_of
from sdfo.sdicom.names import unescape_name
from sdfo.seqfile import PREAMBLE, Header, read_header
from sdfo.stores import Source

_HEX = 64
"""Characters of a SHA-256 in hex."""


@dataclass(frozen=True, slots=True)
class Front:
    """A header that agrees with itself. `heads` and `heads_check` say where those values lie; they were not read.

    `end` is where the first record begins.
    """

    study: str
    folder: bytes
    index: Index
    check: str
    sync: bytes
    heads: Extent
    heads_check: Extent
    end: int


@contextmanager
def translated(path: str) -> Iterator[None]:
    """A file that ends too early, and a header that is no header, as errors of S-DICOM; the cause goes along."""
    try:
        yield
    except (OutOfRange, SequenceFileTruncated) as error:
        raise LengthMismatch(
            "the file is cut", path=path, offset=error.offset, expected=error.expected, found=error.found
        ) from error
    except SequenceFileError as error:
        raise HeaderMismatch(
            error.what, path=path, offset=error.offset, expected=error.expected, found=error.found
        ) from error


def read_front(source: Source) -> Front:
    """Refuses what is not S-DICOM, version 1, or does not agree with its own digest or with the file's size."""
    preamble = source.read(0, min(len(PREAMBLE), source.size))
    if preamble != PREAMBLE:
        raise NotSdicom("not a SequenceFile of Text and BytesWritable, version 6", path=source.path, offset=0)
    with translated(source.path):
        header = read_header(source)
        places = _places(source, header)
        front = _front(source, header, places)
    expected, found = front.end + front.index.end(), source.size
    if expected != found:
        raise LengthMismatch(
            "the file is not as long as its index says", path=source.path, expected=expected, found=found
        )
    return front


def _places(source: Source, header: Header) -> dict[str, Extent]:
    """Where the seven values lie; their number, names, order and the lengths that are fixed are right."""
    keys, places = tuple(key for key, _ in header.metadata), dict(header.metadata)
    if keys[:1] != KEYS[:1]:
        raise NotSdicom("a SequenceFile, but without sdicom.version", path=source.path, offset=len(PREAMBLE))
    if keys != KEYS:
        version = places["sdicom.version"]
        _check_version(source, version, source.read(version.offset, min(version.length, 2)))
        raise HeaderMismatch("other pairs in the header", path=source.path, offset=len(PREAMBLE))
    for key in ("sdicom.check", "sdicom.heads.check"):
        if places[key].length != _HEX:
            _refuse(source, "length of a digest", places[key].offset, _HEX, places[key].length)
    return places


def _check_version(source: Source, place: Extent, found: bytes) -> None:
    if found != VERSION:
        raise NotSdicom("another version of S-DICOM", path=source.path, offset=place.offset, expected=VERSION.decode())


def _front(source: Source, header: Header, places: dict[str, Extent]) -> Front:
    version, study, folder, index, check = _values(source, [places[key] for key in KEYS[:5]])
    _check_version(source, places["sdicom.version"], version)
    computed = check_of(study, folder, index)
    if check != computed.encode():
        _refuse(source, "sdicom.check", places["sdicom.check"].offset, computed, check.decode("ascii", "replace"))
    if header.sync != (sync := sync_of(computed)):
        _refuse(source, "the sync marker", header.end - len(sync), sync.hex(), header.sync.hex())
    try:
        names = study.decode(), unescape_name(folder.decode())
    except UnicodeDecodeError as error:
        raise HeaderMismatch("study or folder is not UTF-8", path=source.path) from error
    decoded = decode_index(index, source.path)
    return Front(*names, decoded, computed, sync, places["sdicom.heads"], places["sdicom.heads.check"], header.end)


def _refuse(source: Source, what: str, offset: int, expected: object, found: object) -> NoReturn:
    raise HeaderMismatch(what, path=source.path, offset=offset, expected=expected, found=found)


def _values(source: Source, places: list[Extent]) -> list[bytes]:
    """The values at `places`, which follow one another: by one read."""
    start = places[0].offset
    data = source.read(start, places[-1].end - start)
    return [data[place.offset - start : place.end - start] for place in places]
