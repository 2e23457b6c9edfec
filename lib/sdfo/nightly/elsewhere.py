"""For a rebuild of the catalog: parts that are no longer on HDFS, as they were published, out of their copies on near-line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from sdfo.catalog import journal
from sdfo.catalog.rebuild import Elsewhere, Mounted
from sdfo.errors import Missing
from sdfo.model import Tier
from sdfo.nightly.place import Place
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.transcoder import restore


def elsewhere(place: Place, nearline: Mounted) -> Elsewhere:
    """Reads the journal once, for where copies lie. Each part is written to a scratch folder, whole, while it is open."""
    paths = {
        (line["study"], line["check"]): line["path"]
        for _, line in journal.read(place.store)
        if line["what"] == "copy" and line["tier"] == Tier.NEARLINE and "path" in line
    }

    @contextmanager
    def opened(study: str, check: str) -> Iterator[Part]:
        if (study, check) not in paths:
            raise Missing("the part is not on HDFS, and near-line never had it", path=check)
        with tempfile.TemporaryDirectory(prefix="sdfo-rebuild-") as folder:
            scratch = LocalStore(folder)
            with Part.open(nearline(), paths[study, check]) as near:
                done = restore(near, scratch, "restored", check)
            for old, new in (*done.apart, (done.attempt, done.path)):
                scratch.rename(old, new)
            with Part.open(scratch, done.path) as part:
                yield part

    return opened
