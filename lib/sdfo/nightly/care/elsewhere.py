"""For a rebuild of the catalog: parts that are no longer on HDFS, as they were published, out of their copies on near-line, or
on a tape volume that lies in the staging area."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sdfo.catalog import journal
from sdfo.catalog.rebuild import Mounted
from sdfo.errors import FormatError, Missing, OnTape
from sdfo.model import Tier
from sdfo.nightly.place import Place
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.stores.local import LocalStore
from sdfo.tiers.tape.reading import TapeStore
from sdfo.transcoder import restore


class Elsewhere:
    """Reads the journal once, for where copies lie. Each part is written to a scratch folder, whole, while it is open.

    `volumes`: those that parts were missed for, because they are on tape.
    """

    def __init__(self, place: Place, nearline: Mounted | None, *, tape: bool = False) -> None:
        lines = [line for _, line in journal.read(place.store) if line["what"] == "copy" and "path" in line]
        self._paths = {(line["tier"], line["study"], line["check"]): line["path"] for line in lines}
        self._nearline, self._tape = nearline, TapeStore(place.tape) if tape else None
        self.volumes: set[str] = set()

    def __call__(self, study: str, check: str) -> AbstractContextManager[Part]:
        return self._opened(study, check)

    @contextmanager
    def _opened(self, study: str, check: str) -> Iterator[Part]:
        with tempfile.TemporaryDirectory(prefix="sdfo-rebuild-") as folder:
            scratch, path = self._restored(study, check, folder)
            with Part.open(scratch, path) as part:
                yield part

    def _restored(self, study: str, check: str, folder: str) -> tuple[Store, str]:
        """Where it lies in the scratch folder; out of tape where near-line's copy went, or is not whole."""
        near = self._paths.get((Tier.NEARLINE, study, check))
        on_tape = self._paths.get((Tier.TAPE, study, check)) if self._tape is not None else None
        if near is not None and self._nearline is not None:
            try:
                return _written(self._nearline(), near, LocalStore(f"{folder}/near"), check)
            except (FormatError, Missing):
                self._nearline()  # else it is the store that is not there
                if on_tape is None:
                    raise
        if on_tape is None or self._tape is None:
            raise Missing("the part is not on HDFS, and no other tier ever had it", path=check)
        volume, _, member = on_tape.partition("/")
        try:
            return _written(self._tape.volume(volume), member, LocalStore(f"{folder}/tape"), check)
        except OnTape:
            self.volumes.add(volume)
            raise


def _written(store: Store, path: str, scratch: LocalStore, check: str) -> tuple[Store, str]:
    with Part.open(store, path) as copy:
        done = restore(copy, scratch, "restored", check)
    for old, new in (*done.apart, (done.attempt, done.path)):
        scratch.rename(old, new)
    return scratch, done.path
