"""publish dies between any two things that it makes durable: done again, it ends as if it had not died."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from sdfo.nightly.convert import convert
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.publish import publish
from sdfo.nightly.report import report
from sdfo.nightly.scan import scan
from sdfo.nightly.verify import verify
from sdfo.testing.archive import APART, Archive, new_archive
from sdfo.testing.dying import killed_at_fsync
from sdfo.testing.exams import Series, make_exam

pytestmark = [pytest.mark.night, pytest.mark.long]


def _verified(archive: Archive) -> None:
    """A first night's exam, and a second night up to verify: a large file, two studies, an alias, a damaged file, a link."""
    exam = archive.san / "a"
    first = make_exam(exam, slices=1, modality="CT", seed=1, size=16)
    archive.night("r0")
    (exam / "again").write_bytes(first[0].read_bytes())
    make_exam(archive.san / "b", slices=1, modality="CT", seed=2, size=1024)
    make_exam(archive.san / "b", slices=1, modality="MR", seed=3, size=16, series=2)
    (archive.san / "b" / "cut").write_bytes(next(Series("CT", 4, 16).images(1))[:-9])
    (archive.san / "b" / "link").symlink_to("/etc/hostname")
    place, engine = archive.place("r1", **APART), LocalEngine(0)
    place.catalog.start_run("r1", "local")
    scan(place)
    convert(place, engine)
    verify(place, engine)
    place.catalog.close()


def _publish(archive: Archive) -> None:
    publish(archive.place("r1", **APART))


def _end(archive: Archive) -> dict[str, object]:
    """What a night leaves, less what differs from one to the next."""
    found = report(archive.place("r1", **APART))
    catalog = archive.place().catalog
    return {
        "good": found.good,
        "ledger": found.ledger,
        "parts": archive.parts(),
        "catalogued": catalog.known_paths("hdfs"),
        "attempts": [stat.path for stat in archive.place().store.list("attempts")],
        "quarantine": sorted((row.folder_id, row.name, row.reason) for row in catalog.quarantine()),
        "files": [sorted((f.name, f.state, f.digest) for f in catalog.files(n).values()) for n in (1, 2)],
    }


def test_publish_killed_anywhere_is_made_good_by_the_next(tmp_path: Path):
    """At each of its fsyncs, renames and commits in between: same files, same catalog, same ledger, nothing set aside twice."""
    (tmp_path / "whole").mkdir()
    whole = new_archive(tmp_path / "whole")
    _verified(whole)
    pristine = whole.copy(tmp_path / "pristine")
    _publish(whole)
    expected = _end(whole)
    assert expected["good"]
    assert expected["catalogued"] == set(expected["parts"])
    at, ends = 0, list[dict[str, object]]()
    while True:
        at += 1
        dying = pristine.copy(tmp_path / str(at))
        if not killed_at_fsync(at, partial(_publish, dying)):
            break
        _publish(dying)
        ends.append(_end(dying))
        shutil.rmtree(dying.folder)
    assert len(ends) > 20
    wrong = [(n, key) for n, end in enumerate(ends, 1) for key in expected if end[key] != expected[key]]
    if wrong:
        pytest.fail(f"dead at fsync (n, what differs): {wrong}", pytrace=False)
