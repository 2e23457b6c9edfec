"""What is expected of each odd file, and the pen that writes files and expectations together."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sdfo.model import Fate, Kind
from sdfo.testing.exams import Series

_SMALL = 16  # rows and columns of images that are only there to be odd


@dataclass(frozen=True, slots=True)
class OddFile:
    """One name in the tree. `kind` is None for what is no regular file and where the standard leaves it open.

    `folder` is the exam folder below the root (b"" for what lies above exam depth), `name` the path below it; `study` is
    given where the file must end up in that study's part.
    """

    folder: bytes
    name: bytes
    kind: Kind | None
    fate: Fate
    note: str
    study: str | None = None


@dataclass(frozen=True, slots=True)
class OddTree:
    """`folders` are all exam folders, empty ones too. `outside`: SHA-256 of files beside the tree that links lead to."""

    root: Path
    files: tuple[OddFile, ...]
    folders: tuple[bytes, ...]
    outside: frozenset[str]

    def of(self, folder: bytes) -> tuple[OddFile, ...]:
        return tuple(f for f in self.files if f.folder == folder)

    def path(self, file: OddFile) -> bytes:
        """Where the file lies on this machine."""
        return os.path.join(os.fsencode(self.root), file.folder, file.name)


class Builder:
    """Writes the tree. Each exam folder gets images of a study of its own unless a study is named."""

    def __init__(self, root: Path, outside: Path, seed: int) -> None:
        self.root, self.outside, self._seed = root, outside, seed * 1000
        self._files: list[OddFile] = []
        self._folders: set[bytes] = set()
        root.mkdir(parents=True, exist_ok=True)
        outside.mkdir(parents=True)

    def series(self) -> Series:
        """A series of small images that no other call gives."""
        self._seed += 1
        return Series("CT" if self._seed % 2 else "MR", self._seed, _SMALL)

    def images(self, count: int) -> list[bytes]:
        """`count` whole files of one new study."""
        return list(self.series().images(count))

    def folder(self, folder: bytes) -> bytes:
        """An exam folder, made if need be; its path."""
        path = os.path.join(os.fsencode(self.root), folder)
        os.makedirs(path, exist_ok=True)
        self._folders.add(folder)
        return path

    def file(
        self,
        folder: bytes,
        name: bytes,
        data: bytes | Iterable[bytes],
        kind: Kind | None,
        note: str = "",
        *,
        fate: Fate = Fate.ARCHIVED,
        study: str | None = None,
    ) -> None:
        """A regular file with these bytes, expected to become this."""
        path = os.path.join(self.folder(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
        self._files.append(OddFile(folder, name, kind, fate, note, study))

    def whole(self, folder: bytes, images: Iterable[bytes], study: str | None = None, prefix: bytes = b"whole") -> None:
        """Ordinary images, so that the odd files have company."""
        for number, image in enumerate(images, 1):
            self.file(folder, b"%b-%d.dcm" % (prefix, number), image, Kind.DICOM, "an ordinary image", study=study)

    def irregular(self, folder: bytes, name: bytes, note: str) -> bytes:
        """Expect a name that is no regular file; the path to make it at."""
        self._files.append(OddFile(folder, name, None, Fate.IRREGULAR, note))
        return os.path.join(self.folder(folder), name)

    def stray(self, name: bytes, note: str) -> bytes:
        """Expect a name beside the exam folders that is none; the path to make it at."""
        self._files.append(OddFile(b"", name, None, Fate.NO_EXAM, note))
        return os.path.join(os.fsencode(self.root), name)

    def built(self) -> OddTree:
        digests = (sha256(p.read_bytes()).hexdigest() for p in sorted(self.outside.rglob("*")) if p.is_file())
        return OddTree(self.root, tuple(self._files), tuple(sorted(self._folders)), frozenset(digests))
