"""A catalog that was lost is built again from the S-DICOM files and the journal: all tables, equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select

from sdfo.catalog import (
    Catalog,
    FileMark,
    Freed,
    HoldKind,
    Lease,
    NewCopy,
    PartEntry,
    QuarantineNote,
    Query,
    SanFile,
    VolumeRow,
    dump,
    entry_of,
    journal,
    rebuild,
    study_attributes,
    tables,
)
from sdfo.catalog.restoring import restore
from sdfo.catalog.waiting import BACKUP
from sdfo.errors import CatalogError, Exists, LeaseHeld, WrongStore
from sdfo.model import FileStamp, Form, Tier
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import Series
from sdfo.testing.parts import digest, write_part

AT = datetime(2024, 1, 2, tzinfo=UTC)

NOT_REBUILT = {
    # surrogate ids, given in the order of insertion; what refers to them is compared by what it means (`meaning`)
    "series": {"id"},
    "part": {"id"},
    "quarantine": {"id"},
    # the last listing: the next scan lists every folder anew, and a rebuilt one begins as never listed
    "san_folder": {"id", "state", "listing", "newest_ns", "listed_at", "dirs", "files"},
}
"""Columns that a rebuilt catalog need not share with the lost one, and why. Of tables, `lease`: nobody is at work, and `gate`, which is about the catalog itself; of
rows, SAN files in state `new`, which the next scan reads, and steps that never ended."""


def contents(catalog: Catalog) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every table's rows, in no order, with surrogate ids replaced by what they stand for."""
    with catalog.database.read() as conn:
        found = {
            table.name: [row._asdict() for row in conn.execute(select(table))]
            for table in tables.metadata.sorted_tables
        }
    meaning = {
        "part_id": {row["id"]: (row["study"], row["check"]) for row in found["part"]},
        "series_id": {row["id"]: (row["study"], row["uid"]) for row in found["series"]},
        "folder_id": {row["id"]: row["path"] for row in found["san_folder"]},
    }
    del found["lease"], found["gate"]
    for name, left_out in NOT_REBUILT.items():
        found[name] = [{key: value for key, value in row.items() if key not in left_out} for row in found[name]]
    return {
        name: Counter(
            tuple((key, meaning.get(key, {}).get(value, value)) for key, value in row.items()) for row in rows
        )
        for name, rows in found.items()
    }


class Archive:
    """A catalog and the store its parts lie in, with the few steps of a night that fill it."""

    def __init__(self, catalog: Catalog, store: LocalStore) -> None:
        self.catalog, self.store = catalog, store
        self.lease: Lease = catalog.take_lease("archive", "run-1", "host")
        self.nearline = LocalStore(store.root.parent / "nearline")

    def scan(self, folder: bytes, files: dict[bytes, bytes], study: str, time: int = 1) -> int:
        """List and note, as a scan does before anything is archived."""
        folder_id = self.catalog.keep_listing(folder, f"{len(files)}", time, ((b"", time),), len(files), AT, "settled")
        noted = [SanFile(name, len(data), time, time + 1, study) for name, data in files.items()]
        heads = [(None, data, None) for data in files.values()]
        self.catalog.note_files(folder_id, noted, [study_attributes(study, heads)])
        return folder_id

    def part(self, folder: bytes, files: dict[bytes, bytes], study: str, time: int = 1, **fields: Any) -> PartEntry:
        """An S-DICOM file, and its entry with the stamps of the files."""
        folder_id = self.scan(folder, files, study, time)
        path = write_part(self.store, study, folder, files, largest=4096)
        with Part.open(self.store, path) as part:
            made = entry_of(part, path, part.size, "hdfs", "original")
        marks = [
            FileMark(folder_id, FileStamp(each.name, each.length, time, time + 1), each.sha256)
            for each in made.instances
        ]
        return replace(made, files=tuple(marks), **fields)

    def copy(self, part: PartEntry) -> NewCopy:
        """The part's file on near-line, too, and what the catalog is to be told of it."""
        with suppress(Exists):
            self.nearline.put(part.path, self.store.read_all(part.path))
        return NewCopy(part.study, part.check, Tier.NEARLINE, part.path, part.size, part.check, "original", Form.FILE)

    def publish(self, *parts: PartEntry) -> list[str]:
        return [result.state for result in self.catalog.publish(self.lease, "run-1", parts)]


@pytest.fixture
def archive(catalog: Catalog, store: LocalStore) -> Archive:
    return Archive(catalog, store)


def rebuilt(archive: Archive, new_url: Callable[[], str]) -> tuple[Catalog, Any]:
    again = Catalog(new_url())
    return again, rebuild(again, archive.store, lambda: archive.nearline)


CT, MR, LATE = Series("CT", 1, 16), Series("MR", 2, 16), Series("CT", 1, 16, number=2)


def a_busy_archive(archive: Archive) -> None:
    """Every kind of row and of decision."""
    catalog = archive.catalog
    for step in ("scan", "convert"):
        catalog.start_run("run-1", "local")
        catalog.note_step("run-1", step, "started")
        catalog.note_step("run-1", step, "failed" if step == "convert" else "done", {"seen": 3, "name": "ä"})
    one, two, three = CT.images(3)
    first = archive.part(b"M\xfcller", {b"1": one, b"2\xff": two, b"note": b"x", b"cut": three[:-100]}, CT.study_uid)
    other = archive.part(b"mr", {b"big": next(MR.images(1)) + b"\0" * 8000}, MR.study_uid)
    archive.publish(first, other)
    archive.publish(first)
    corrected, clash = Series("CT", 1, 16, date="20300101"), bytearray(one)
    clash[-1] ^= 1
    late = {b"1-corrected": next(corrected.images(1)), b"1-clash": bytes(clash), b"3": next(LATE.images(1))}
    added = archive.part(b"late", late, CT.study_uid, quarantines=(QuarantineNote("derived UID"),))
    archive.publish(added)
    _aliases(archive, first, two)
    _decisions(archive)
    catalog.mark_copy(catalog.parts(MR.study_uid)[0].id, "hdfs", "damaged")
    catalog.mark_copy(catalog.parts(CT.study_uid)[0].id, "hdfs", "verified")
    _backup(archive, first, other, added)
    _tape(archive, first, other, added)
    _holds(archive)
    _freed(archive, one)
    catalog.note_step("run-1", "convert", "done", {"ok": True})
    catalog.note_step("run-1", "report", "done", {"ok": True})


def _backup(archive: Archive, first: PartEntry, other: PartEntry, added: PartEntry) -> None:
    """A copy; one that went damaged and waits again; one made after it was set aside; one that failed and is set aside."""
    catalog = archive.catalog
    lease = catalog.take_lease("backup", "run-2", "host")
    parts = {each.check: each for study in (CT.study_uid, MR.study_uid) for each in catalog.parts(study)}
    for check in (added.check, added.check, *(parts.keys() - {first.check, other.check, added.check})):
        (tries,) = catalog.note_failed_backups(lease, [parts[check].id], "a worker process died")
        note = QuarantineNote(f"backup: {check[:16]}", b"", parts[check].ordinal, BACKUP)
        catalog.open_quarantine("run-2", note, study=parts[check].study, folder_id=None)
    assert tries == 1
    catalog.add_copies(lease, [archive.copy(each) for each in (first, other, added)])
    catalog.mark_copy(parts[other.check].id, "nearline", "damaged", "missing")
    assert [(row.check, row.reason) for row in catalog.queued(9)] == [(other.check, "missing")]
    assert (catalog.queue().parts, catalog.queue().aside) == (1, 1)


def _tape(archive: Archive, first: PartEntry, other: PartEntry, added: PartEntry) -> None:
    """A volume of two parts that was read back, one of which went damaged since; one without a receipt; one that was lost.

    A recall that was done and one that waits. A part that could not be staged.
    """
    catalog = archive.catalog
    lease = catalog.take_lease("stage", "run-3", "host")

    def volume(name: str, *parts: PartEntry) -> VolumeRow:
        row = VolumeRow(name, "sealed", 10240, digest(name), len(parts), AT)
        own = {"tier": Tier.TAPE, "size": 7, "codec": "original", "form": Form.FILE, "state": "staged"}
        copies = [NewCopy(p.study, p.check, path=f"{name}/{p.path}", copy_check=p.check, **own) for p in parts]
        catalog.add_volume(lease, row, copies)
        return row

    (fourth,) = (p for p in catalog.parts(CT.study_uid) if p.check not in (first.check, other.check, added.check))
    catalog.note_failed_backups(lease, [fourth.id], "it changed", "tape")
    written = replace(volume("v1", first, other), state="written", barcode="A00001", position="2", written=AT)
    catalog.keep_volume(written)
    catalog.keep_volume(replace(written, state="verified"))
    catalog.mark_copy(catalog.parts(other.study)[0].id, "tape", "damaged", "on volume v1: cut")
    catalog.keep_volume(replace(volume("v2", other), state="ready"))
    catalog.keep_volume(replace(volume("v3", added), state="damaged"), "it was given up")
    for name in ("v1", "v2"):
        catalog.ask_recall(first.study, [name], 10240)
    catalog.end_recall(1, "done", 72)
    assert {row.check: row.reason for row in catalog.queued(9, "tape")} == {
        fourth.check: "it changed",
        added.check: "it was given up",
    }
    states = {copy.path.partition("/")[0]: copy.state for _, copy in catalog.page_of_copies(Tier.TAPE)}
    assert states == {"v1": "verified", "v2": "staged", "v3": "damaged"}


def _aliases(archive: Archive, first: PartEntry, two: bytes) -> None:
    """A copy of a folder, and a file that was touched."""
    folder_id = archive.scan(b"copied", {b"2-again": two}, CT.study_uid, 9)
    held = next(each for each in first.instances if each.name == b"2\xff")
    alias = FileMark(folder_id, FileStamp(b"2-again", len(two), 9, 10), held.sha256, "alias")
    archive.catalog.publish_aliases(archive.lease, "run-1", CT.study_uid, [alias])
    folder_id = archive.scan(b"M\xfcller", {b"2\xff": two}, CT.study_uid, 20)
    touched = FileMark(folder_id, FileStamp(b"2\xff", len(two), 20, 21), held.sha256, "alias")
    archive.catalog.publish_aliases(archive.lease, "run-1", CT.study_uid, [touched])


def _freed(archive: Archive, one: bytes) -> None:
    """An exam folder that went from the SAN: one file lies in its days of grace, another's are over."""
    archive.publish(archive.part(b"old", {b"1": one, b"b\xff": b"note"}, "9.8"))
    lease = archive.catalog.take_lease("expire", "run-3", "host")
    files = [
        Freed(b"old", name, len(data), sha256(data).hexdigest(), "9.8", AT)
        for name, data in ((b"1", one), (b"b\xff", b"note"))
    ]
    archive.catalog.free(lease, "run-3", files, [b"old"])
    archive.catalog.forget_in_grace(lease, [("run-3", b"old", b"1")])
    archive.catalog.release(lease)


def _holds(archive: Archive) -> None:
    """One released, one in force on a list of two; a line of one of them whose transaction died has its number too."""
    catalog = archive.catalog
    catalog.hold(HoldKind.PATIENT, ["Ä 4711"], "court order", "ann")
    catalog.release_hold(1, "bob")
    dead = {"what": "hold", "id": 2, "kind": "study", "subjects": [CT.study_uid], "reason": "", "who": "x"}
    journal.append(archive.store, AT.replace(year=2026), 0, [dead | {"at": AT.isoformat()}])
    catalog.hold(HoldKind.STUDY, [CT.study_uid, MR.study_uid], "", "ann")


def _decisions(archive: Archive) -> None:
    """One accepted, one released, one left open; one of a file that was never archived; one of no folder."""
    catalog = archive.catalog
    by_name = {row.name: row.id for row in catalog.quarantine()}
    catalog.resolve_quarantine(by_name[b"cut"], "accepted")
    catalog.resolve_quarantine(by_name[b"1-clash"], "released")
    folder_id = catalog.folders()[b"late"].id
    note = QuarantineNote("unreadable", b"\xfe", 7, None, FileStamp(b"\xfe", 1, 2, 3))
    catalog.open_quarantine("run-1", note, study=None, folder_id=folder_id)
    catalog.open_quarantine("run-1", QuarantineNote("engine"), study="9.9", folder_id=None)
    unreadable = QuarantineNote("permission denied", b"4", kind="unreadable")
    catalog.open_quarantine("run-1", unreadable, study=None, folder_id=folder_id)
    archive.publish(archive.part(b"late", {b"4": next(CT.images(1, 9))}, CT.study_uid))
    assert [row.name for row in catalog.quarantine("archived")] == [b"4"]


def test_all_tables_are_equal(archive: Archive, new_url: Callable[[], str]) -> None:
    """All rows of all tables but what `NOT_REBUILT` says; and rebuilding again, in place, changes nothing."""
    a_busy_archive(archive)
    before = contents(archive.catalog)
    assert all(before.values()), "a table without a row proves nothing"
    again, report = rebuilt(archive, new_url)
    assert (report.parts, report.unknown, report.missing, report.refused) == (5, (), (), ())
    assert report.lines == len(list(journal.read(archive.store)))
    after = contents(again)
    for name, expected in before.items():
        assert after[name] == expected, name
    assert (report.nearline, report.waiting) == (2, ())
    assert rebuild(again, archive.store, lambda: archive.nearline, replace=True) == report
    assert contents(again) == before
    again.close()


@pytest.mark.parametrize("moment", range(4))
def test_a_backup_of_any_moment_ends_in_the_same(archive: Archive, new_url: Callable[[], str], moment: int) -> None:
    """The backup and the journal since give all tables, equal, whenever between two transactions it was made."""
    publish, made = archive.publish, list[bytes]()

    def and_back_up(*parts: PartEntry) -> list[str]:
        done = publish(*parts)
        with archive.catalog.database.moment() as (conn, at):
            dump.write(conn, at, buffer := BytesIO())
        made.append(buffer.getvalue())
        return done

    archive.publish = and_back_up  # type: ignore[method-assign]
    a_busy_archive(archive)
    archive.store.put("dump.zip", made[moment])
    again = Catalog(new_url(), archive.store)
    with archive.store.open("dump.zip") as source:
        report = restore(again, dump.Dump(source), archive.store)
    assert (report.missing, report.refused) == ((), ())
    after = contents(again)
    for name, expected in contents(archive.catalog).items():
        assert after[name] == expected, name
    again.close()


def test_answers_are_equal(archive: Archive, new_url: Callable[[], str]) -> None:
    """A reader does not notice."""
    a_busy_archive(archive)
    again, _ = rebuilt(archive, new_url)
    assert list(again.find(Query())) == list(archive.catalog.find(Query()))
    for uid in (CT.study_uid, MR.study_uid, CT.sop_uid(1)):
        assert again.locate(uid) == archive.catalog.locate(uid)
    assert again.last_good_night() == archive.catalog.last_good_night()
    assert again.known_paths("hdfs") == archive.catalog.known_paths("hdfs")
    assert not [path for path in again.known_paths("hdfs") if not archive.store.stat(path)]
    again.close()


def test_no_token_is_given_twice(archive: Archive, new_url: Callable[[], str]) -> None:
    """A zombie of the lost catalog finds a greater one."""
    again, _ = rebuilt(archive, new_url)
    assert again.take_lease("archive", "run-1", "host").token >= archive.lease.token
    again.close()


def test_a_catalog_with_rows_is_refused(archive: Archive) -> None:
    """Unless told; and never while a run is at work."""
    a_busy_archive(archive)
    with pytest.raises(LeaseHeld, match="run-1 is at work"):
        rebuild(archive.catalog, archive.store, replace=True)
    archive.catalog.release(archive.lease)
    archive.catalog.release(archive.catalog.take_lease("backup", "run-2", "host"))
    archive.catalog.release(archive.catalog.take_lease("stage", "run-3", "host"))
    before = contents(archive.catalog)
    with pytest.raises(CatalogError, match="not empty"):
        rebuild(archive.catalog, archive.store)
    assert contents(archive.catalog) == before
    rebuild(archive.catalog, archive.store, lambda: archive.nearline, replace=True)
    assert contents(archive.catalog) == before
    assert archive.catalog.take_lease("archive", "run-1", "host").token == archive.lease.token + 1


def test_parts_without_a_journal_are_found(archive: Archive, new_url: Callable[[], str]) -> None:
    """Renamed and then killed: published as the newest of their study, not verified, and what is damaged set aside."""
    one, two = CT.images(2)
    archive.publish(archive.part(b"a", {b"1": one}, CT.study_uid))
    orphan = archive.part(b"b", {b"2": two, b"cut": two[:-9]}, CT.study_uid)
    again, report = rebuilt(archive, new_url)
    assert (report.parts, report.unknown) == (2, (orphan.path,))
    assert [(part.ordinal, part.check) for part in again.parts(CT.study_uid)][1] == (2, orphan.check)
    states = [again.copies(part.id)[0].state for part in again.parts(CT.study_uid)]
    assert states == ["verified", "written"]
    assert [row.name for row in again.quarantine()] == [b"cut"]
    again.close()


def test_files_of_a_lost_part_are_not_archived(archive: Archive, new_url: Callable[[], str]) -> None:
    """A part whose file is gone, or is not whole, is told; its SAN files are nobody's, so the next night reads them."""
    one, two = CT.images(2)
    gone, broken = archive.part(b"a", {b"1": one}, CT.study_uid), archive.part(b"b", {b"2": two}, CT.study_uid)
    archive.publish(gone, broken)
    archive.store.delete(gone.path)
    whole = archive.store.read_all(broken.path)
    archive.store.delete(broken.path)
    archive.store.put(broken.path, whole[:-1])
    again, report = rebuilt(archive, new_url)
    assert (report.parts, report.missing) == (0, (gone.path,))
    assert [text.split(":")[0] for text in report.refused] == [broken.path]
    assert list(again.find(Query())) == []
    assert again.digests([CT.study_uid]) == {CT.study_uid: set()}
    again.close()


def test_lines_of_a_transaction_that_died_do_no_harm(archive: Archive, new_url: Callable[[], str]) -> None:
    """Killed between journal and commit, then repeated in another order: the ordinals are those that were committed."""
    one, two = CT.images(2)
    first = archive.part(b"a", {b"1": one}, CT.study_uid)
    second = archive.part(b"b", {b"2": two}, CT.study_uid)
    with pytest.raises(ZeroDivisionError), archive.catalog.database.write() as conn:
        _publish_and_die(conn, archive.store, [first, second])
    archive.publish(second)
    archive.publish(first)
    before = contents(archive.catalog)
    assert [part.check for part in archive.catalog.parts(CT.study_uid)] == [second.check, first.check]
    again, report = rebuilt(archive, new_url)
    assert report.unknown == ()
    assert contents(again) == before
    again.close()


def test_a_dead_transaction_that_was_not_repeated_yields(archive: Archive, new_url: Callable[[], str]) -> None:
    """Its part is there all the same, after the one that was committed under its ordinal."""
    one, two = CT.images(2)
    first = archive.part(b"a", {b"1": one}, CT.study_uid)
    with pytest.raises(ZeroDivisionError), archive.catalog.database.write() as conn:
        _publish_and_die(conn, archive.store, [first])
    second = archive.part(b"b", {b"2": two}, CT.study_uid)
    archive.publish(second)
    again, report = rebuilt(archive, new_url)
    assert report.unknown == (first.path,)
    assert [part.check for part in again.parts(CT.study_uid)] == [second.check, first.check]
    again.close()


def test_a_decision_that_was_written_twice_is_one(archive: Archive, new_url: Callable[[], str]) -> None:
    """The command died between journal and commit, and was given again."""
    a_busy_archive(archive)
    before = contents(archive.catalog)
    decisions = [line for _, line in journal.read(archive.store) if line["what"] == "decision"]
    assert {line["decision"] for line in decisions} == {"accepted", "released", "archived"}
    journal.append(archive.store, datetime.now(UTC), 0, decisions)
    again, _ = rebuilt(archive, new_url)
    assert contents(again)["quarantine"] == before["quarantine"]
    again.close()


def _publish_and_die(conn: Any, store: LocalStore, parts: list[PartEntry]) -> None:
    from sdfo.catalog import publish

    _, lines = publish.publish(conn, "run-1", parts, AT)
    journal.append(store, AT, 1, lines)
    raise ZeroDivisionError


def _near(archive: Archive, *numbers: int) -> list[PartEntry]:
    """Parts with a copy on near-line."""
    parts = [archive.part(b"%d" % n, {b"1": next(CT.images(1, n))}, CT.study_uid) for n in numbers]
    archive.publish(*parts)
    lease = archive.catalog.take_lease("backup", "run-2", "host")
    archive.catalog.add_copies(lease, [archive.copy(part) for part in parts])
    return parts


def test_near_line_copies_are_proven(archive: Archive, new_url: Callable[[], str]) -> None:
    """One that is gone, one that is cut and one that is another file come back as damaged, and their parts wait again."""
    whole, gone, cut, swapped = _near(archive, 1, 2, 3, 4)
    for part in (gone, cut, swapped):
        archive.nearline.delete(part.path)
    archive.nearline.put(cut.path, archive.store.read_all(cut.path)[:-1])
    archive.nearline.put(swapped.path, archive.store.read_all(whole.path))
    again, report = rebuilt(archive, new_url)
    assert report.nearline == 1
    assert set(report.waiting) == {gone.path, cut.path, swapped.path}
    found = {row.check: row.reason for row in again.queued(9)}
    assert found.keys() == {gone.check, cut.check, swapped.check}
    assert found[gone.check] == "missing"
    assert found[swapped.check] == "another file lies at its name"
    again.close()


def test_without_near_line_all_wait(archive: Archive, new_url: Callable[[], str]) -> None:
    """The store was lost with the catalog: every part is to be backed up anew."""
    parts = _near(archive, 1, 2)
    again = Catalog(new_url())
    report = rebuild(again, archive.store)
    assert set(report.waiting) == {part.path for part in parts}
    assert again.queue().parts == 2
    again.close()


def test_a_near_line_store_that_goes_away_is_not_lost(archive: Archive, new_url: Callable[[], str]) -> None:
    """While its copies are looked at: the rebuild ends with that, and calls none of them lost."""
    parts, asked = _near(archive, 1, 2), 0
    for part in parts:
        archive.nearline.delete(part.path)

    def mounted() -> LocalStore:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise WrongStore("is it mounted?")
        return archive.nearline

    again = Catalog(new_url())
    with pytest.raises(WrongStore):
        rebuild(again, archive.store, mounted)
    assert {copy.state for _, copy in again.page_of_copies(Tier.NEARLINE)} == {"verified"}
    again.close()
