"""restore.py: the original files out of a tape volume, by Python's standard library alone.

    python3 -I restore.py PLACE --list
    python3 -I restore.py PLACE --to FOLDER [--study UID]

PLACE is a volume (VOLUME.tar), a folder into which one was unpacked, or one S-DICOM file. Each file is written under its own
name below FOLDER/<study>-<digits>/, whole and compared with its SHA-256, or not at all; nothing is ever replaced.
Exit 0: all of them. 1: some are damaged, there already, or need a decoder; each is named.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import struct
import sys
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

CHUNK = 4 * 1024 * 1024
LARGEST_HEADER = 1 << 31


class Bad(Exception):
    """Something is not what it should be. The text holds no file's name, but that of what was stored."""


class Part:
    """An S-DICOM file (docs/format.md of the archive's program): `file` is open, seekable, at its first byte."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        if self._take(4) != b"SEQ\x06" or not self._text().endswith(b".Text"):
            raise Bad("no S-DICOM file")
        if not self._text().endswith(b".BytesWritable") or self._take(2) != b"\0\0":
            raise Bad("no S-DICOM file")
        (pairs,) = struct.unpack(">i", self._take(4))
        if pairs != 7:
            raise Bad("a header of another version")
        header = {self._text(): self._text() for _ in range(pairs)}
        covered = [header.get(b"sdicom." + key, b"") for key in (b"version", b"study", b"folder", b"index")]
        digest = hashlib.sha256(b"".join(struct.pack(">q", len(value)) + value for value in covered)).hexdigest()
        self.check = digest.encode()
        if covered[0] != b"1" or header.get(b"sdicom.check") != self.check:
            raise Bad("its header is damaged")
        if self._take(16) != hashlib.sha256(self.check).digest()[:16]:
            raise Bad("its sync marker is damaged")
        self.study = covered[1].decode("utf-8", "replace")
        self.start, self.index = file.tell(), json.loads(covered[3])

    def _take(self, length: int) -> bytes:
        data = self.file.read(length) if length <= LARGEST_HEADER else b""
        if len(data) != length:
            raise Bad("it is cut, or its header is damaged")
        return data

    def _text(self) -> bytes:
        """Text: a length as WritableUtils writes it, then the bytes."""
        first = self._take(1)[0]
        size = {0x8F: 1, 0x8E: 2, 0x8D: 3, 0x8C: 4}.get(first)
        if size is None and first > 127:
            raise Bad("its header is damaged")
        return self._take(first if size is None else int.from_bytes(self._take(size), "big"))

    def rows(self) -> Iterator[tuple[bytes, int, int, str, bool]]:
        """Name (bytes), offset, length, SHA-256, and whether the value is the file itself."""
        columns = [self.index[key] for key in ("name", "offset", "length", "sha256", "original")]
        for name, offset, length, digest, original in zip(*columns):  # noqa: B905 of one length, by the index; Python 3.8 knows no `strict`
            yield raw(name), offset, length, digest, original is None

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        self.file.seek(self.start + offset)
        return taken(self.file, length)


def raw(name: str) -> bytes:
    """A name's own bytes: `%` and two hex digits stand for one."""
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), name.encode())


def taken(file: IO[bytes], length: int) -> Iterator[bytes]:
    while length:
        piece = file.read(min(CHUNK, length))
        if not piece:
            raise Bad("it is cut")
        length -= len(piece)
        yield piece


def below(folder: str, name: bytes) -> bytes:
    """Where a file of this name belongs. Names came from outside: none may leave the folder."""
    if b"\0" in name or any(part in (b"", b".", b"..") for part in name.split(b"/")):
        raise Bad("a name that would leave its folder")
    place = os.path.join(os.fsencode(folder), name)
    top, real = os.path.realpath(os.fsencode(folder)), os.path.realpath(os.path.dirname(place))
    if os.path.commonpath([top, real]) != top:
        raise Bad("a link leads out of the folder")
    return place


def keep(place: bytes, pieces: Iterable[bytes], digest: str) -> None:
    """Write a file under another name, compare it, then give it its own."""
    if os.path.lexists(place):
        raise Bad("a file is there already")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    attempt = os.path.join(os.path.dirname(place), b".restore-%d" % os.getpid())
    found = hashlib.sha256()
    try:
        with open(attempt, "xb") as file:
            for piece in pieces:
                found.update(piece)
                file.write(piece)
        if found.hexdigest() != digest:
            raise Bad("its SHA-256 is another")
        give(attempt, place)
    finally:
        if os.path.lexists(attempt):
            os.unlink(attempt)


def give(attempt: bytes, place: bytes) -> None:
    """Its own name. A link refuses one that is taken; not every file system (a stick's exFAT) has links."""
    try:
        os.link(attempt, place)
    except OSError:
        if os.path.lexists(place):
            raise Bad("a file is there already") from None
        os.rename(attempt, place)


def listed(path: str, through_damage: bool) -> tuple[dict[str, tuple[int, int]], bool]:
    """Offset and size of each file in a tar, and whether its two blocks of zeros follow the last one. A damaged header ends
    the list, or all is searched for the next good one."""
    found: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(path, "r:", ignore_zeros=through_damage) as tar:
            for member in tar:
                if member.isfile():
                    found.setdefault(member.name, (member.offset_data, member.size))
    except tarfile.TarError:
        return found, False
    end = max((offset + -(-size // 512) * 512 for offset, size in found.values()), default=0)
    return found, os.path.getsize(path) >= end + 1024


class Place:
    """A volume, a folder or one S-DICOM file: what S-DICOM files are there, and how one, or a file beside it, is opened."""

    def __init__(self, path: str) -> None:
        self.path, self.cut = path, False
        self.members: dict[str, tuple[int, int]] = {}
        self.is_tar = not os.path.isdir(path) and not path.endswith(".sdicom")
        if os.path.isdir(path):
            walked = (os.path.join(top, name) for top, _, names in os.walk(path) for name in names)
            self.names = sorted(os.path.relpath(name, path) for name in walked)
        elif path.endswith(".sdicom"):
            self.path, name = os.path.split(path)
            self.names = [name]
        else:
            self._list()
            self.names = sorted(self.members)

    def _list(self) -> None:
        """Of a volume that is damaged: what its headers do not tell its manifest does, or what is found in between."""
        self.members, whole = listed(self.path, False)
        self.cut = not whole
        if "MANIFEST.json" not in self.members:
            self.members, self.cut = listed(self.path, True)[0], True
        if not self.members:
            raise tarfile.ReadError("no tar")
        for name, place in self._told():
            if name not in self.members:
                self.members[name], self.cut = place, True

    def _told(self) -> list[tuple[str, tuple[int, int]]]:
        """The files that the manifest names, and where each lies."""
        try:
            with self.open("MANIFEST.json") as file:
                rows = json.loads(file.read(self.members["MANIFEST.json"][1]))["files"]
            return [(str(row["path"]), (int(row["offset"]), int(row["size"]))) for row in rows]
        except (Bad, ValueError, KeyError, TypeError):
            self.cut = True
            return []

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """At its first byte. Who reads knows by a digest where it ends."""
        path = self.path if self.is_tar else os.path.join(self.path, name)
        if not os.path.isfile(path) or (self.is_tar and name not in self.members):
            raise Bad("a file that belongs beside it is not there")
        with open(path, "rb") as file:
            file.seek(self.members[name][0] if self.is_tar else 0)
            yield file


class Restoring:
    def __init__(self, place: Place, to: str | None, study: str | None) -> None:
        self.place, self.to, self.study = place, to, study
        self.files, self.bad, self.parts = 0, 0, 0

    def all(self) -> None:
        for name in self.place.names:
            if name.endswith(".sdicom"):
                try:
                    with self.place.open(name) as file:
                        self.one(name, Part(file))
                except (Bad, ValueError, KeyError, TypeError, struct.error, tarfile.TarError) as error:
                    self.fail(name, error)
        if self.place.cut:
            self.fail("the volume", "it is cut or damaged: not all of its files are where its headers say")

    def one(self, name: str, part: Part) -> None:
        if self.study not in (None, part.study):
            return
        self.parts += 1
        rows = list(part.rows())
        if self.to is None:
            print(f"{name}  study {part.study}, {len(rows) + len(part.index['apart'])} files")
            return
        folder = os.path.join(self.to, os.path.basename(name)[: -len(".sdicom")])
        for number, (own, offset, length, digest, plain) in enumerate(rows):
            what = f"{name}, record {number}"
            if plain:
                self.tried(what, folder, own, digest, part.pieces(offset, length))
            else:
                self.fail(what, "its image is kept as JPEG 2000: it needs a decoder")
        for number, apart in enumerate(part.index["apart"]):
            self.apart(folder, name, number, apart)

    def apart(self, folder: str, name: str, number: int, apart: dict[str, Any]) -> None:
        what = f"{name}, file apart {number}"
        try:
            with self.place.open("/".join([*name.split("/")[:-1], apart["path"]])) as file:
                self.tried(what, folder, raw(apart["name"]), apart["sha256"], taken(file, apart["length"]))
        except Bad as error:
            self.fail(what, error)

    def tried(self, what: str, folder: str, name: bytes, digest: str, pieces: Iterable[bytes]) -> None:
        try:
            keep(below(folder, name), pieces, digest)
            self.files += 1
        except Bad as error:
            self.fail(what, error)
        except OSError as error:
            self.fail(what, os.strerror(error.errno or 0))

    def fail(self, what: str, why: object) -> None:
        self.bad += 1
        told = why if isinstance(why, (str, Bad)) else f"it is damaged ({type(why).__name__})"
        print(f"NOT RESTORED: {what}: {told}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the original files of a tape volume.")
    parser.add_argument("place", help="VOLUME.tar, a folder into which it was unpacked, or one .sdicom file")
    parser.add_argument("--to", help="folder to write below; nothing in it is ever replaced")
    parser.add_argument("--study", help="only this Study Instance UID")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    words = parser.parse_args()
    if (words.to is None) is not words.list:
        parser.error("give --to FOLDER, or --list")
    try:
        place = Place(words.place)
    except (OSError, tarfile.TarError):
        print(f"NOT RESTORED: {words.place} cannot be opened, or is no tar", file=sys.stderr)
        return 1
    work = Restoring(place, words.to, words.study)
    work.all()
    if not work.parts and not work.bad:
        print("nothing of this study is here", file=sys.stderr)
        return 1
    print(f"{work.parts} parts, {work.files} files restored, {work.bad} not")
    return 1 if work.bad else 0


if __name__ == "__main__":
    sys.exit(main())
