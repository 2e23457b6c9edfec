"""Ten attributes of every image of an exam: from the S-DICOM file's heads, and from separate files by pydicom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pydicom

from bench.place import Exam, Place
from bench.rows import Goal, Row, interleaved, speed
from bench.sizes import Sizes
from sdfo import dicom
from sdfo.sdicom import Part
from sdfo.stores import Source
from sdfo.stores.local import LocalStore

_KEYWORDS = (
    "StudyDate",
    "Modality",
    "PatientID",
    "SliceThickness",
    "SeriesInstanceUID",
    "InstanceNumber",
    "ImagePositionPatient",
    "Rows",
    "Columns",
    "PixelSpacing",
)
TAGS = [pydicom.datadict.tag_for_keyword(keyword) or 0 for keyword in _KEYWORDS]


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    for what, exam in (("CT", place.ct(sizes.exam)), ("MR, heads of 100 KB", place.mr(sizes.exam))):
        query = _Query(place, exam)
        for state, before, goal in (("warm", lambda: None, 5), ("cold", query.cool, 10)):
            ours, files = interleaved(
                sizes.rounds, partial(_timed, before, query.heads), partial(_timed, before, query.files)
            )
            yield speed(f"ten tags of an exam ({what}), {state} : dcmread of its files", ours, files, Goal("≥", goal))
        yield query.share(f"ten tags of an exam ({what}): bytes read : bytes of its files")


class _Query:
    def __init__(self, place: Place, exam: Exam) -> None:
        self._store, self._path = place.store, place.archived(exam)
        with Part.open(self._store, self._path) as part:
            named = {record.name for record, _, _ in part.heads()}  # not the DICOMDIR of a real exam
        folder = place.top / "san" / os.fsdecode(exam.task.folder)
        self._paths = [path for path in exam.paths if str(path.relative_to(folder)) in named]
        by_pydicom = [[_plain(value) for value in values] for values in self.files()]
        if sorted(map(repr, self.heads())) != sorted(map(repr, by_pydicom)):
            raise SystemExit("the two sides of a head query give different values")

    def heads(self) -> list[list[object]]:
        with Part.open(self._store, self._path) as part:
            found = (dicom.select(head, TAGS, record.transfer_syntax) for record, head, _ in part.heads())
            return [[values.get(tag) for tag in TAGS] for values in found]

    def files(self) -> list[list[object]]:
        found = []
        for path in self._paths:
            ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_KEYWORDS))
            found.append([ds[tag].value if tag in ds else None for tag in TAGS])
        return found

    def cool(self) -> None:
        """Both sides' files out of the page cache: written out, then given up (POSIX_FADV_DONTNEED).

        Directories and inodes stay in the kernel's caches.
        """
        for path in (self._store.root / self._path, *self._paths):
            _forget(path)

    def share(self, name: str) -> Row:
        """Counted, not timed."""
        store = _CountingStore(self._store.root)
        with Part.open(store, self._path) as part:
            for _ in part.heads():
                pass
        whole = sum(path.stat().st_size for path in self._paths)
        return Row(name, "bytes", [store.taken], [whole], [store.taken / whole], Goal("≤", 0.01))


def _plain(value: object) -> object:
    """As `select` gives it."""
    if value is None:
        return None
    if isinstance(value, pydicom.multival.MultiValue):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, float) else int(value) if isinstance(value, int) else str(value)


def _forget(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def _timed(before: Callable[[], None], work: Callable[[], Sequence[object]]) -> float:
    before()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class _CountingStore(LocalStore):
    """Counts the bytes that are read from it."""

    taken = 0

    def open(self, path: str) -> Source:
        source = super().open(path)
        read = source.read

        def counted(offset: int, length: int) -> bytes:
            self.taken += length
            return read(offset, length)

        source.read = counted  # type: ignore[method-assign]
        return source
