"""Publishing: whole exams or none of them, once however often it is repeated, and never by a zombie."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event, select

from sdfo.catalog import Alias, Catalog, FileMark, Lease, QuarantineNote, Query, SanFile, tables
from sdfo.errors import CatalogError, Fenced, SdfoError
from sdfo.model import FileStamp, Kind
from sdfo.stores.local import LocalStore
from sdfo.testing.parts import digest, entry, marked, record, stamp

A, B, C = "1.2.1", "1.2.2", "1.2.3"


@pytest.fixture
def lease(catalog: Catalog) -> Lease:
    return catalog.take_lease("archive", "run-1", "host:1")


def rows(catalog: Catalog) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but leases."""
    with catalog.database.read() as conn:
        return {
            table.name: sorted((tuple(row) for row in conn.execute(select(table))), key=repr)
            for table in tables.metadata.sorted_tables
            if table is not tables.lease
        }


def folder(catalog: Catalog, path: bytes = b"exam") -> int:
    return catalog.folders()[path].id if path in catalog.folders() else listed(catalog, path)


def listed(catalog: Catalog, path: bytes) -> int:
    return catalog.keep_listing(path, "x", 1, (), 1, datetime.now(UTC), "settled")


def test_a_part_is_in_the_catalog(catalog: Catalog, lease: Lease) -> None:
    """Part, records, copy and SAN files, all of it at once."""
    part = marked(entry(A, record(A, 1), record(A, 2)), folder(catalog))
    (result,) = catalog.publish(lease, "run-1", [part])
    assert (result.state, result.ordinal, result.study, result.check) == ("new", 1, A, part.check)
    (kept,) = catalog.parts(A)
    assert (kept.ordinal, kept.check, kept.first_record, kept.folder) == (1, part.check, 4096, b"exam")
    (copy,) = catalog.copies(kept.id)
    assert (copy.path, copy.size, copy.state, copy.codec) == (part.path, part.size, "verified", "original")
    assert copy.verified_at is not None
    files = catalog.files(folder(catalog))
    assert {file.state for file in files.values()} == {"archived"}
    assert [(file.sop, file.digest) for file in files.values()] == [(r.sop, r.sha256) for r in part.instances]


def test_publishing_again_is_already_and_changes_nothing(catalog: Catalog, lease: Lease) -> None:
    """A repeated step, of the same run or the next."""
    part = marked(entry(A, record(A, 1), record(A, 2, kind=Kind.DAMAGED)), folder(catalog))
    catalog.publish(lease, "run-1", [part])
    before = rows(catalog)
    assert [result.state for result in catalog.publish(lease, "run-2", [part, part])] == ["already", "already"]
    assert rows(catalog) == before


def test_already_completes_what_is_missing(catalog: Catalog, lease: Lease) -> None:
    """A part that a rebuild found without its SAN files gets them; a damaged copy is not healed by saying so again."""
    part = entry(A, record(A, 1))
    catalog.publish(lease, "run-1", [part])
    catalog.mark_copy(catalog.parts(A)[0].id, "hdfs", "damaged")
    (result,) = catalog.publish(lease, "run-1", [marked(part, folder(catalog))])
    assert (result.state, result.ordinal) == ("already", 1)
    assert [file.state for file in catalog.files(folder(catalog)).values()] == ["archived"]
    assert [copy.state for copy in catalog.copies(catalog.parts(A)[0].id)] == ["damaged"]


def test_parts_of_a_study_are_counted_in_order(catalog: Catalog, lease: Lease) -> None:
    """In one batch and over several; each study by itself."""
    first = [entry(A, record(A, 1)), entry(B, record(B, 1)), entry(A, record(A, 2))]
    assert [result.ordinal for result in catalog.publish(lease, "r", first)] == [1, 1, 2]
    later = [entry(A, record(A, 3)), first[0], entry(B, record(B, 1), folder=b"other")]
    assert [result.ordinal for result in catalog.publish(lease, "r", later)] == [3, 1, 2]


def test_an_exam_that_conflicts_is_set_aside_and_the_others_commit(catalog: Catalog, lease: Lease) -> None:
    """Two parts that claim one path."""
    good, other = entry(A, record(A, 1)), entry(C, record(C, 1))
    thief = replace(marked(entry(B, record(B, 1), folder=b"b"), folder(catalog, b"b")), path=good.path)
    results = catalog.publish(lease, "run-1", [good, thief, other])
    assert [result.state for result in results] == ["new", "conflict", "new"]
    assert "refused a row" in (results[1].reason or "")
    assert {row.study for row in catalog.find(Query())} == {A, C}
    assert catalog.files(folder(catalog, b"b")) == {}
    (row,) = catalog.quarantine()
    assert (row.study, row.folder, row.name, row.reason, row.run) == (B, b"b", b"", "conflict", "run-1")
    catalog.publish(lease, "run-1", [thief])
    assert len(catalog.quarantine()) == 1


def test_a_zombie_publishes_nothing(catalog: Catalog, lease: Lease, store: LocalStore) -> None:
    """An old token changes no row, and leaves no line in the journal."""
    catalog.publish(lease, "run-1", [entry(A, record(A, 1))])
    catalog.take_lease("archive", "run-1", "host:2")
    before, journal = rows(catalog), list(store.list())
    with pytest.raises(Fenced):
        catalog.publish(lease, "run-1", [entry(B, record(B, 1))])
    with pytest.raises(Fenced):
        catalog.publish_aliases(lease, "run-1", A, [])
    assert rows(catalog) == before
    assert list(store.list()) == journal


def test_without_a_journal_nothing_is_published(url: str) -> None:
    """What it would keep could not be rebuilt."""
    asked = Catalog(url)
    lease = asked.take_lease("archive", "r", "h")
    with pytest.raises(CatalogError, match="journal"):
        asked.publish(lease, "r", [entry(A, record(A, 1))])
    assert list(asked.find(Query())) == []
    asked.close()


def test_a_journal_that_cannot_be_written_stops_the_commit(url: str, tmp_path: Any) -> None:
    """The catalog never shows what its journal does not know."""
    (tmp_path / "file").write_text("")
    broken = Catalog(url, LocalStore(tmp_path / "file"))
    lease = broken.take_lease("archive", "r", "h")
    with pytest.raises(SdfoError):
        broken.publish(lease, "r", [entry(A, record(A, 1))])
    assert list(broken.find(Query())) == []
    broken.close()


def test_a_file_that_changed_since_is_not_marked(catalog: Catalog, lease: Lease) -> None:
    """What lies on the SAN now was not archived."""
    part = marked(entry(A, record(A, 1)), folder(catalog))
    old = part.files[0].stamp
    catalog.note_files(folder(catalog), [SanFile(old.name, old.size, old.mtime_ns + 5, old.ctime_ns)], [])
    catalog.publish(lease, "r", [part])
    found = catalog.files(folder(catalog))[old.name]
    assert (found.state, found.mtime_ns, found.digest) == ("new", old.mtime_ns + 5, None)


def test_marks_may_be_plain_tuples(catalog: Catalog, lease: Lease) -> None:
    """(folder id, stamp, SHA-256, state)."""
    part, own = entry(A, record(A, 1)), stamp(b"f", 5)
    catalog.publish(lease, "r", [replace(part, files=((folder(catalog), own, part.instances[0].sha256, "archived"),))])
    assert catalog.files(folder(catalog))[b"f"].state == "archived"


def test_an_alias_is_kept_with_its_name(catalog: Catalog, lease: Lease) -> None:
    """In the part's batch or by itself, and once."""
    part = marked(entry(A, record(A, 1)), folder(catalog))
    same, other = part.instances[0].sha256, folder(catalog, b"again")
    alias = FileMark(other, stamp(b"copy\xff.dcm", 9), same, "alias")
    catalog.publish(lease, "r", [replace(part, files=(*part.files, alias))])
    late = FileMark(other, stamp(b"late.dcm", 9), same, "alias")
    for _ in range(2):
        catalog.publish_aliases(lease, "r", A, [late])
    assert catalog.aliases(A) == [Alias(b"again", b"copy\xff.dcm", same), Alias(b"again", b"late.dcm", same)]
    states = {name: (file.state, file.digest, file.study) for name, file in catalog.files(other).items()}
    assert states == dict.fromkeys((b"copy\xff.dcm", b"late.dcm"), ("alias", same, A))


def test_a_touched_file_is_no_alias_of_itself(catalog: Catalog, lease: Lease) -> None:
    """Its bytes are held by its own record."""
    part = marked(entry(A, record(A, 1)), folder(catalog))
    catalog.publish(lease, "r", [part])
    name, touched = part.instances[0].name, FileStamp(part.instances[0].name, 524_288, 9, 9)
    catalog.note_files(folder(catalog), [SanFile(*(name, 524_288, 9, 9))], [])
    catalog.publish_aliases(lease, "r", A, [FileMark(folder(catalog), touched, part.instances[0].sha256, "alias")])
    assert catalog.files(folder(catalog))[name].state == "archived"
    assert catalog.aliases(A) == []


def versions(catalog: Catalog, sop: str) -> dict[bytes, int]:
    return {location.name: location.version for location in catalog.locate(sop)}


def named(name: bytes, **fields: Any) -> Any:
    return replace(record(A, 1, **fields), name=name)


def test_a_correction_supersedes(catalog: Catalog, lease: Lease) -> None:
    """Same UID and pixels, another head, in a later part: it is served, the older ones by version; nobody is asked."""
    sop = record(A, 1).sop or ""
    for name, head in ((b"one", "a"), (b"two", "b"), (b"three", "c")):
        catalog.publish(lease, "r", [entry(A, named(name, head=head), record(A, 5))])
    assert versions(catalog, sop) == {b"three": 0, b"two": 1, b"one": 2}
    assert catalog.quarantine() == []
    assert next(catalog.find(Query())).instances == 2


def test_other_pixels_under_one_uid_are_kept_and_told(catalog: Catalog, lease: Lease) -> None:
    """The first is served, the other kept, and one entry opened for a person."""
    sop = record(A, 1).sop or ""
    catalog.publish(lease, "run-1", [entry(A, named(b"one"))])
    part = marked(entry(A, named(b"two", pixels="other"), named(b"two-again", pixels="third")), folder(catalog))
    catalog.publish(lease, "run-2", [part])
    assert versions(catalog, sop) == {b"one": 0, b"two": 1, b"two-again": 2}
    told = [(row.run, row.name, row.reason, row.ordinal, row.folder) for row in catalog.quarantine()]
    assert told == [("run-2", b"two", "conflict", 0, b"exam"), ("run-2", b"two-again", "conflict", 1, b"exam")]


def test_a_uid_repeated_in_one_folder_keeps_both(catalog: Catalog, lease: Lease) -> None:
    """Names differ; the first in record order is served."""
    sop = record(A, 1).sop or ""
    catalog.publish(lease, "r", [entry(A, named(b"a", head="x"), named(b"b", head="y"))])
    assert versions(catalog, sop) == {b"a": 0, b"b": 1}


def test_a_damaged_record_opens_quarantine(catalog: Catalog, lease: Lease) -> None:
    """Without being named by the caller; other notes are opened besides, with the file's stamp."""
    part = marked(entry(A, record(A, 1), record(A, 2, kind=Kind.DAMAGED, reason="cut at 7")), folder(catalog))
    flagged = replace(part, quarantines=(QuarantineNote("derived UID"),))
    catalog.publish(lease, "r", [flagged])
    told = {(row.name, row.reason, row.kind, row.ordinal, row.study) for row in catalog.quarantine()}
    assert told == {
        (b"", "derived UID", None, None, A),
        (part.instances[1].name, "cut at 7", "damaged", 1, A),
    }


def test_texts_no_database_keeps_are_published_all_the_same(catalog: Catalog, lease: Lease) -> None:
    """NUL, half a surrogate pair, a UID of 5,000 characters, a name of 3,900 bytes: from damaged headers, and found again."""
    noise = "".join(digest(number) for number in range(80))  # of which no index makes less
    nasty = "1.2\0\ud800../../etc/x" + noise
    odd = replace(record(A, 1), sop=nasty, series=nasty, name=bytes.fromhex(noise) + b"\xff/" * 600)
    twin = replace(odd, name=b"twin", sha256=digest("twin"))
    part = marked(entry(A, odd, twin, patient_name="A\0B\udfff", description="é" * 500), folder(catalog))
    (result,) = catalog.publish(lease, "r", [part])
    assert result.state == "new"
    assert versions(catalog, nasty) == {odd.name: 0, b"twin": 1}
    assert {location.name for location in catalog.locate(A)} == {odd.name, b"twin"}


def test_an_exam_of_three_thousand_images(catalog: Catalog, lease: Lease) -> None:
    """More rows than one statement has parameters; every record has its place."""
    part = marked(entry(A, *(record(A, number) for number in range(3000))), folder(catalog))
    assert catalog.publish(lease, "r", [part])[0].state == "new"
    extents = [location.extent for location in catalog.locate(A) if location.tier == "hdfs"]
    assert [extent.offset for extent in extents if extent] == [4096 + number * 600_000 for number in range(3000)]


def _killed(url: str, store: LocalStore, statement: int) -> int:
    """Publish three exams in a process that is killed right after its n-th statement; how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    own = Catalog(url, store)
    folder_id, lease, passed = own.folders()[b"exam"].id, own.take_lease("archive", "run-1", "child"), count(1)

    def stop(*_: object) -> None:
        if next(passed) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(own.database._engine(), "after_cursor_execute", stop)
    event.listen(own.database._engine(), "commit", stop)
    parts = [marked(entry(study, *(record(study, n) for n in range(50))), folder_id) for study in (A, B, C)]
    own.publish(lease, "run-1", parts)
    os._exit(next(passed))


def test_a_kill_leaves_no_half_exam(catalog: Catalog, store: LocalStore, new_url: Callable[[], str]) -> None:
    """SIGKILL after the n-th statement, from the first to the commit: no row of any exam; then the step is repeated."""
    url = catalog.database.url
    listed(catalog, b"exam")
    before, other = rows(catalog), Catalog(new_url(), store)
    listed(other, b"exam")
    last = _killed(other.database.url, store, 0) - 1
    assert last > 30
    for statement in sorted({*range(1, last, 5), last - 1, last}):
        assert _killed(url, store, statement) == -signal.SIGKILL
        assert rows(catalog) == before
    assert _killed(url, store, 0) == last + 1
    assert {row.study: row.instances for row in catalog.find(Query())} == dict.fromkeys((A, B, C), 50)
    other.close()
