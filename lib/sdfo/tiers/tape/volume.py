"""A volume: one POSIX pax tar (IEEE 1003.1, pax), written front to back, never compressed, readable with `tar` alone.

    LABEL.json  MANIFEST.json  READ_ME.txt  restore.py  SHA256SUMS  exams/…/<part>.sdicom  exams/…/<file apart>.dcm  …

Where each member lies is known before the first byte is written, because the manifest, which stands before them, says it.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sdfo.errors import VolumeError
from sdfo.stores import CHUNK, Sink
from sdfo.tiers.tape import contents
from sdfo.tiers.tape.contents import LABEL, MANIFEST, Entry, Label, Manifest

READ_ME, RESTORE, SUMS = "READ_ME.txt", "restore.py", "SHA256SUMS"
_BLOCK, _RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE


@dataclass(frozen=True, slots=True)
class Planned:
    """A volume before it is written. `front`: the members before the first part, by name, in order; `size` of the whole tar."""

    manifest: Manifest
    front: tuple[tuple[str, bytes], ...]
    size: int

    @property
    def manifest_bytes(self) -> bytes:
        return dict(self.front)[MANIFEST]


def plan(label: Label, files: Sequence[Entry]) -> Planned:
    """Where each file will lie. `VolumeError` if two have one path."""
    if len({entry.path for entry in files}) != len(files):
        raise VolumeError("two files of one volume have one path", found=label.volume)
    sums = "".join(f"{entry.sha256}  {entry.path}\n" for entry in files).encode()
    texts = ((READ_ME, _own("READ_ME.txt")), (RESTORE, _own("recovering.py")), (SUMS, sums))
    room = contents.room(label, files)
    at = _end(_end(0, LABEL, len(contents.encode_label(label)), label), MANIFEST, room, label)
    for name, data in texts:
        at = _end(at, name, len(data), label)
    placed, at = _placed(at, files, label)
    told = contents.padded(contents.encode(label, placed), room)
    front = ((LABEL, contents.encode_label(label)), (MANIFEST, told), *texts)
    return Planned(Manifest(label, tuple(placed)), front, _whole(at))


def size_of(volume: Manifest) -> int:
    """Bytes of the tar that has this manifest, which holds at least one file."""
    return _whole(max(entry.offset + -(-entry.size // _BLOCK) * _BLOCK for entry in volume.entries))


def _whole(at: int) -> int:
    """Two blocks of zeros end a tar, and it is filled up to a record (IEEE 1003.1, pax)."""
    return -(-(at + 2 * _BLOCK) // _RECORD) * _RECORD


def _placed(at: int, files: Sequence[Entry], label: Label) -> tuple[list[Entry], int]:
    placed = list[Entry]()
    for entry in files:
        placed.append(replace(entry, offset=at + len(_header(entry.path, entry.size, label))))
        at = _end(at, entry.path, entry.size, label)
    return placed, at


def write(planned: Planned, sink: Sink, pieces: Callable[[Entry], Iterable[bytes]]) -> str:
    """Stream the volume into `sink`; its SHA-256. `VolumeError` if a file is not what the plan says of it."""
    out = _Hashing(sink)
    label = planned.manifest.label
    with tarfile.open(mode="w", fileobj=out, format=tarfile.PAX_FORMAT, copybufsize=CHUNK) as tar:  # type: ignore[call-overload]
        for name, data in planned.front:
            tar.addfile(_info(name, len(data), label), io.BytesIO(data))
        for entry in planned.manifest.entries:
            _add(tar, entry, pieces(entry), label)
    if out.at != planned.size:
        raise VolumeError("the tar has another size than was planned", expected=planned.size, found=out.at)
    return out.digest.hexdigest()


def _add(tar: tarfile.TarFile, entry: Entry, pieces: Iterable[bytes], label: Label) -> None:
    given = _Given(entry, pieces)
    tar.addfile(_info(entry.path, entry.size, label), io.BufferedReader(given, CHUNK))
    if given.rest() or given.digest.hexdigest() != entry.sha256:
        found = given.digest.hexdigest()
        raise VolumeError("a file changed while it was copied", path=entry.path, expected=entry.sha256, found=found)
    if tar.offset != _end(entry.offset - len(_header(entry.path, entry.size, label)), entry.path, entry.size, label):
        raise VolumeError("a file lies elsewhere than was planned", path=entry.path, offset=entry.offset)


class _Hashing:
    """What `tarfile` writes to: a sink that forgets nothing of what passed."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self.at, self.digest = sink, 0, sha256()

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        self.digest.update(data)
        self.at += len(data)
        return len(data)

    def tell(self) -> int:
        return self.at


class _Given(io.RawIOBase):
    """Pieces as a file that is read once. `VolumeError` if they end before the size that they should have."""

    def __init__(self, entry: Entry, pieces: Iterable[bytes]) -> None:
        self._entry, self._pieces, self._at = entry, iter(pieces), 0
        self._left, self.digest = memoryview(b""), sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None and self._at < self._entry.size:
                raise VolumeError("a file became shorter while it was copied", path=self._entry.path)
            if piece is None:
                return 0
            self.digest.update(piece)
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        self._at += count
        return count

    def rest(self) -> int:
        """Bytes that nobody took; asked for at the end."""
        return len(self._left) + sum(map(len, self._pieces))


def _info(name: str, size: int, label: Label) -> tarfile.TarInfo:
    """The same for every reader of the clock: the volume's own time, no owner."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    info.mtime = int(datetime.fromisoformat(label.created).timestamp())
    return info


def _header(name: str, size: int, label: Label) -> bytes:
    """A member's own block, and before it the pax record of what does not fit there (a name above 100 bytes, 8 GiB)."""
    return _info(name, size, label).tobuf(tarfile.PAX_FORMAT)


def _end(at: int, name: str, size: int, label: Label) -> int:
    return at + len(_header(name, size, label)) + -(-size // _BLOCK) * _BLOCK


def _own(name: str) -> bytes:
    """A file that stands beside this module."""
    return (Path(__file__).parent / name).read_bytes()
