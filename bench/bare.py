"""The references: what a plain program does with the same bytes, and nothing more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from sdfo.model import Extent
from sdfo.stores.local import sync_folder


def read(path: Path) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def read_and_hash(paths: Sequence[Path]) -> None:
    for path in paths:
        sha256(read(path)).hexdigest()


def copy(paths: Sequence[Path], target: Path) -> None:
    """Read and hash each file, and write all into one, durably."""
    with open(target, "xb", buffering=0) as file:
        for path in paths:
            data = read(path)
            sha256(data).hexdigest()
            file.write(data)
        os.fsync(file.fileno())
    sync_folder(target.parent)


def three_times(paths: Sequence[Path], target: Path) -> None:
    """As often as describe, merge and verify must each read and hash an exam; written once."""
    read_and_hash(paths)
    copy(paths, target)
    read_and_hash(paths)


def convert(paths: Sequence[Path], pixels: Sequence[Extent | None], target: Path) -> None:
    """The reads, hashes and writes of describe and merge: file and pixel data hashed, then read, hashed and written."""
    for path, extent in zip(paths, pixels, strict=True):
        data = read(path)
        sha256(data).hexdigest()
        if extent is not None:
            sha256(memoryview(data)[extent.offset : extent.end]).hexdigest()
    copy(paths, target)
