"""SDFO Writer: received bytes become a file in an exam folder of the SAN, whole or not at all, and known at once.

The bytes are stored as they came. They lie in `.sdfo-incoming` until they are durable, so that no scan sees half a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from sdfo import heads
from sdfo.catalog import Catalog
from sdfo.dicom import MemorySource, examine
from sdfo.errors import DicomError, SanError
from sdfo.model import Kind, path_part
from sdfo.tiers.san import San


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a received file lies. `new` is False where the same bytes were there already."""

    study: str
    sop: str
    sha256: str
    new: bool


class Writer:
    def __init__(self, san: San, catalog: Catalog) -> None:
        self.san, self.catalog = san, catalog

    def store(self, data: bytes) -> Stored:
        """Keep one received DICOM file. `DicomError` if it is not whole or does not say study and SOP instance.

        A second file with the same SOP Instance UID and other bytes is kept beside the first, never instead of it.
        """
        structure = examine(MemorySource(data))
        if structure.kind is not Kind.DICOM:
            raise DicomError(structure.reason or "not a DICOM file")
        if not structure.study or not structure.sop:
            raise DicomError("a received file must say its study and SOP instance")
        digest = sha256(data).hexdigest()
        folder = self._folder(structure.study)
        name = path_part(structure.sop)
        for base in (f"{name}.dcm", f"{name}-{digest[:16]}.dcm"):
            new = self._keep(folder, base.encode(), data, digest)
            if new is not None:
                return Stored(structure.study, structure.sop, digest, new)
        raise SanError("two different files share a SOP Instance UID and 64 bits of their digests")

    def _keep(self, folder: bytes, name: bytes, data: bytes, digest: str) -> bool | None:
        """True if the file was written, False if it is there with these bytes, None if the name is taken by others."""
        new = self.san.place(folder, name, data)
        if not new:
            with self.san.open(folder, name) as file:
                if sha256(file.read(0, file.size)).hexdigest() != digest:
                    return None
        self._note(folder, name)  # also where it was there: whoever placed it may have died before this
        return new

    def _note(self, folder: bytes, name: bytes) -> None:
        with self.san.open(folder, name) as file:
            stamp = file.stamp()
        self.catalog.note_files(self.catalog.folder(folder), *heads.look(self.san, folder, [stamp]))

    def _folder(self, study: str) -> bytes:
        """The study's folder at exam depth: `received/…/<study>`."""
        return "/".join(["received"] * (self.san.exam_depth - 1) + [path_part(study)]).encode()
