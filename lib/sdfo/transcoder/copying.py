"""A part as it is, byte for byte, on another tier: codec "original"."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from hashlib import sha256

from sdfo import crashpoints
from sdfo.errors import Missing, SdicomError
from sdfo.model import Form
from sdfo.sdicom import Part
from sdfo.stores import Store, anew
from sdfo.transcoder.recipe import Transcoded


def copy_part(part: Part, target: Store, attempts: str) -> Transcoded:
    """Write an equal file as an attempt, and those that belong beside it. Whoever publishes it re-reads it first.

    Every value is compared with its digest on the way: a damaged part is told of, with its path, and not multiplied.
    """
    part.check()
    folder = part.path.rpartition("/")[0]
    paths = sorted({apart.path for apart in part.aparts})

    def write() -> Transcoded:
        attempt = f"{attempts}/{part.check_digest[:16]}-{secrets.token_hex(6)}"
        moves = tuple((f"{attempt}/{name}", f"{folder}/{name}") for name in paths)
        beside = sum(_copied(part.store, path, target, name) for name, path in moves)
        with target.create(f"{attempt}/part.sdicom") as sink:
            for piece in passing(proven(part)):
                sink.write(piece)
        form = Form.CODESTREAM if any(row.form is Form.CODESTREAM for row in part.records) else Form.FILE
        return Transcoded(
            attempt=f"{attempt}/part.sdicom",
            path=part.path,
            check=part.check_digest,
            size=part.size + beside,
            form=form,
            records=len(part.records),
            compressed=0,
            kept=(("copied as it is", len(part.records) + len(paths)),),
            apart=moves,
        )

    return anew(target.write_retry_seconds, write)


def _copied(store: Store, path: str, target: Store, name: str) -> int:
    """Bytes of a file beside a part, once it is copied. Its own name has the beginning of its digest."""
    digest = sha256()
    try:
        with store.open(path) as source, target.create(name) as sink:
            for piece in passing(source.stream()):
                digest.update(piece)
                sink.write(piece)
    except Missing as error:
        raise SdicomError("a file that belongs beside the part is not there", path=path) from error
    if f"-{digest.hexdigest()[:16]}." not in path:
        raise SdicomError("a file beside the part is not the one of its name", path=path)
    return source.size


def proven(part: Part) -> Iterator[bytes]:
    """The file, front to back, each value compared with its digest."""
    at = 0
    for record in part.records:
        extent = part.extent(record)
        yield from part.source.stream(at, extent.offset - at)
        yield from part.stream(record)
        at = extent.end
    yield from part.source.stream(at)


def passing(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same, past the place where a test lets it die half-written."""
    for piece in pieces:
        crashpoints.passing("backup.attempt-half")
        yield piece
