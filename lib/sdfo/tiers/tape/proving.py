"""Reading a volume again: after it was written, and after it came back. A cut or a flipped bit anywhere is noticed and named."""

from __future__ import annotations

from hashlib import sha256

from sdfo.errors import FormatError, Missing, OutOfRange
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.tiers.tape.contents import Manifest
from sdfo.tiers.tape.reading import VolumeStore

AROUND = "the tar around its files"


def digest_of(store: Store, at: str) -> str:
    """SHA-256 of a file, which `sha256sum` gives too."""
    digest = sha256()
    with store.open(at) as source:
        for piece in source.stream():
            digest.update(piece)
    return digest.hexdigest()


def faults(store: Store, at: str, volume: Manifest) -> dict[str, str]:
    """What is wrong with the files on a volume, by path: each is compared with its SHA-256."""
    found, members = dict[str, str](), VolumeStore(store, at, volume)
    for entry in volume.entries:
        try:
            if digest_of(members, entry.path) != entry.sha256:
                found[entry.path] = "its SHA-256 is another"
        except (FormatError, Missing, OutOfRange) as error:
            found[entry.path] = error.what
    return found


def unreadable(store: Store, at: str, volume: Manifest) -> dict[str, str]:
    """Which parts on a volume, read out of it byte by byte, are not whole, by path, and why."""
    found, members = dict[str, str](), VolumeStore(store, at, volume)
    for entry in volume.parts:
        try:
            with Part.open(members, entry.path) as part:
                if part.check_digest != entry.check:
                    found[entry.path] = "another part lies at its place"
                elif part.check(deep=True).absent:
                    found[entry.path] = "a file that belongs beside it is not on the volume"
        except (FormatError, Missing, OutOfRange) as error:
            found[entry.path] = error.what
    return found
