"""Tape volumes made by hand, of S-DICOM files made by hand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import Series
from sdfo.testing.parts import write_part
from sdfo.tiers.tape import proving
from sdfo.tiers.tape.contents import Entry, Label, Manifest
from sdfo.tiers.tape.volume import Planned, plan, write

CT, MR = Series("CT", 1, 8), Series("MR", 2, 8)
LONG = "1.2." + ".".join(["123456789"] * 6)
"""64 characters: the path of its part is longer than the 100 bytes of a tar header's name (POSIX ustar)."""
LABEL = Label("20260101-00000001", "test", "a" * 32, "2026-01-01T00:00:00+00:00", "original")


@dataclass(frozen=True)
class Written:
    """A volume at `at` in `store`. `files`: by study, the originals on it by name."""

    store: LocalStore
    at: str
    sha256: str
    planned: Planned
    files: dict[str, dict[bytes, bytes]]

    @property
    def path(self) -> Path:
        return self.store.root / self.at

    @property
    def manifest(self) -> Manifest:
        return self.planned.manifest

    def again(self, data: bytes, folder: Path) -> LocalStore:
        """A store in which a volume of other bytes lies at the same path."""
        (folder / self.at).parent.mkdir(parents=True, exist_ok=True)
        (folder / self.at).write_bytes(data)
        return LocalStore(folder)


def entries(store: LocalStore, path: str) -> list[Entry]:
    """Of a part and the files beside it."""
    with Part.open(store, path) as part:
        own = Entry(
            path, part.size, proving.digest_of(store, path), 0, part.study, part.check_digest, part.check_digest
        )
        folder = path.rpartition("/")[0]
        aparts = {apart.path: apart for apart in part.aparts}.values()
        return [own, *(Entry(f"{folder}/{a.path}", a.length, a.sha256, 0, part.study) for a in aparts)]


def written(folder: Path, files: dict[str, dict[bytes, bytes]], label: Label = LABEL) -> Written:
    """The parts of these studies, and a volume of them."""
    store = LocalStore(folder)
    paths = [write_part(store, study, b"Doe^Jane", named, largest=4096) for study, named in files.items()]
    planned = plan(label, [entry for path in paths for entry in entries(store, path)])
    at = f"ready/{label.volume}.tar"
    with store.create(at) as sink:
        digest = write(planned, sink, lambda entry: [store.read_all(entry.path)])
    return Written(store, at, digest, planned, files)


def small_volume(folder: Path) -> Written:
    """Of two studies: plain files, names of every kind, and a file that lies apart beside its part."""
    one, two = CT.images(2)
    mine = {b"I1": one, b"sub/M\xfcller": two, "Größe %41.txt".encode(): b"a note", b"large": one + b"\0" * 5000}
    return written(folder, {LONG: mine, MR.study_uid: {b"1": next(MR.images(1))}})


def originals(files: dict[str, dict[bytes, bytes]]) -> list[str]:
    """SHA-256 of each."""
    return sorted(hashlib.sha256(data).hexdigest() for named in files.values() for data in named.values())
