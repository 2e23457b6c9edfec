"""What the scan keeps of the SAN."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sdfo.catalog import Catalog, Query, SanFile, SeriesAttributes, StudyAttributes
from sdfo.catalog.san import FolderState
from sdfo.testing.parts import entry, marked, record

STUDY = "1.2.3"
AT = datetime(2024, 1, 2, 3, 4, 5, 678901, UTC)
ODD = b"M\xfcller^\xff\\\x01\xf0\x9f\x98\x80"


def listed(catalog: Catalog, path: bytes = b"exam", state: FolderState = "receiving") -> int:
    return catalog.keep_listing(path, "digest", 10**18 + 7, ((b"", 1), (ODD, 10**18 + 3)), 2, AT, state)


def new_file(name: bytes = b"a.dcm", **values: object) -> SanFile:
    made = SanFile(name, 100, 10**18, 10**18 + 1, STUDY, f"{STUDY}.1", f"{STUDY}.1.1", "1.2.840")
    return replace(made, **values)  # type: ignore[arg-type]


def test_a_listing_comes_back_as_it_was_kept(catalog: Catalog) -> None:
    """Names are bytes, times nanoseconds."""
    folder_id = listed(catalog, ODD)
    folder = catalog.folders()[ODD]
    assert (folder.id, folder.path, folder.state, folder.listing) == (folder_id, ODD, "receiving", "digest")
    assert (folder.newest_ns, folder.listed_at, folder.files) == (10**18 + 7, AT, 2)
    assert folder.dirs == ((b"", 1), (ODD, 10**18 + 3))


def test_a_new_listing_takes_the_place_of_the_last(catalog: Catalog) -> None:
    """The folder keeps its id."""
    folder_id = listed(catalog)
    again = catalog.keep_listing(b"exam", "other", 5, (), 0, AT + timedelta(hours=1), "settled")
    folder = catalog.folders()[b"exam"]
    assert again == folder_id == folder.id
    assert (folder.listing, folder.dirs, folder.state) == ("other", (), "settled")


def test_states_are_set_by_id(catalog: Catalog) -> None:
    """Only those named; a thousand at once."""
    ids = [listed(catalog, b"exam-%d" % number) for number in range(12)]
    catalog.set_folder_state(ids[:10], "archived")
    states = [catalog.folders()[b"exam-%d" % number].state for number in range(12)]
    assert states == ["archived"] * 10 + ["receiving"] * 2
    catalog.set_folder_state([], "freed")


def test_files_come_back_as_noted(catalog: Catalog) -> None:
    """With the time of their first being seen."""
    folder_id = listed(catalog)
    long = b"d/" * 1900 + ODD
    noted = [new_file(ODD), new_file(long, study=None, series=None, sop=None, sop_class=None)]
    before = datetime.now(UTC) - timedelta(seconds=5)
    catalog.note_files(folder_id, noted, [])
    found = catalog.files(folder_id)
    assert {name: replace(file, first_seen=None) for name, file in found.items()} == {f.name: f for f in noted}
    assert all(file.first_seen and before < file.first_seen for file in found.values())


def test_noting_again_keeps_the_first_time(catalog: Catalog) -> None:
    """Of a file that was moved or given to another owner; one that has another length or mtime is another file."""
    folder_id = listed(catalog)
    catalog.note_files(folder_id, [new_file()], [])
    seen = catalog.files(folder_id)[b"a.dcm"].first_seen
    catalog.note_files(folder_id, [new_file(ctime_ns=7)], [])
    assert catalog.files(folder_id)[b"a.dcm"].first_seen == seen
    catalog.note_files(folder_id, [new_file(size=101, sop="9.9")], [])
    found = catalog.files(folder_id)[b"a.dcm"]
    assert (found.size, found.sop, found.state) == (101, "9.9", "new")
    assert found.first_seen is not None
    assert seen is not None
    assert found.first_seen > seen


def published(catalog: Catalog) -> tuple[int, SanFile]:
    """An exam of one file, archived."""
    folder_id = listed(catalog)
    part = marked(entry(STUDY, record(STUDY, 1)), folder_id)
    stamp = part.files[0].stamp
    noted = new_file(stamp.name, size=stamp.size, mtime_ns=stamp.mtime_ns, ctime_ns=stamp.ctime_ns)
    catalog.note_files(folder_id, [noted], [])
    catalog.publish(catalog.take_lease("archive", "r", "h"), "r", [part])
    return folder_id, noted


def test_an_archived_file_stays_archived_when_noted_unchanged(catalog: Catalog) -> None:
    """A scan that reads more than it must changes nothing."""
    folder_id, noted = published(catalog)
    before = catalog.files(folder_id)
    assert before[noted.name].state == "archived"
    catalog.note_files(folder_id, [noted], [])
    assert catalog.files(folder_id) == before


@pytest.mark.parametrize("change", [{"size": 7}, {"mtime_ns": 7}, {"ctime_ns": 7}])
def test_an_archived_file_that_changed_is_new(catalog: Catalog, change: dict[str, int]) -> None:
    """Whichever of the three differs."""
    folder_id, noted = published(catalog)
    catalog.note_files(folder_id, [replace(noted, **change)], [])  # type: ignore[arg-type]
    found = catalog.files(folder_id)[noted.name]
    assert (found.state, found.digest) == ("new", None)


def test_files_gone_before_they_were_archived_leave_no_trace(catalog: Catalog) -> None:
    """Nor does their study: nothing answers to it any more."""
    folder_id = listed(catalog)
    catalog.note_files(folder_id, [new_file(), new_file(b"b.dcm", sop="1.2.3.1.2")], [])
    catalog.forget_files(folder_id, [b"a.dcm"])
    assert set(catalog.files(folder_id)) == {b"b.dcm"}
    assert len(list(catalog.find(Query()))) == 1
    catalog.forget_files(folder_id, [b"b.dcm", b"never-there"])
    assert catalog.files(folder_id) == {}
    assert list(catalog.find(Query())) == []
    assert catalog.locate(STUDY) == []


def test_archived_files_gone_from_the_san_are_freed(catalog: Catalog) -> None:
    """The archive knows what it holds of them; one that is back is new, for nobody has looked at it."""
    folder_id, noted = published(catalog)
    catalog.forget_files(folder_id, [noted.name])
    assert catalog.files(folder_id)[noted.name].state == "freed"
    catalog.note_files(folder_id, [noted], [])
    assert catalog.files(folder_id)[noted.name].state == "new"


def test_digests_are_those_of_the_parts(catalog: Catalog) -> None:
    """For every study asked for, also one that holds none."""
    published(catalog)
    part = entry(STUDY, record(STUDY, 1))
    assert catalog.digests([STUDY, "9.9"]) == {STUDY: {part.instances[0].sha256}, "9.9": set()}
    assert catalog.digests([]) == {}


def test_what_the_scan_noted_yields_to_the_archived_part(catalog: Catalog) -> None:
    """The part says it all the first time; later parts fill in, and correct, but blank nothing; the scan then says nothing."""
    folder_id = listed(catalog)
    noted = StudyAttributes(
        STUDY, patient_name="Noted", accession="A1", series=(SeriesAttributes(f"{STUDY}.1", "CT", description="noted"),)
    )
    catalog.note_files(folder_id, [new_file()], [noted])
    assert [(row.patient_name, row.accession) for row in catalog.find(Query())] == [("Noted", "A1")]
    lease = catalog.take_lease("archive", "r", "h")
    catalog.publish(lease, "r", [entry(STUDY, record(STUDY, 1), patient_name="First", description="d1")])
    assert _said(catalog) == ("First", "", "d1")
    catalog.publish(lease, "r", [entry(STUDY, record(STUDY, 2), patient_name="Second", accession="A2")])
    assert _said(catalog) == ("Second", "A2", "d1")
    catalog.note_files(folder_id, [new_file(b"late", sop="7.7")], [replace(noted, patient_name="Late")])
    assert _said(catalog) == ("Second", "A2", "d1")


def _said(catalog: Catalog) -> tuple[str, str, str]:
    row = next(catalog.find(Query()))
    return row.patient_name, row.accession, row.description
