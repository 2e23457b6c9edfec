"""What is set aside waits for a person, once, and is read again when released."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sdfo.catalog import Catalog, QuarantineNote, SanFile
from sdfo.errors import Conflict, NotFound
from sdfo.testing.parts import entry, marked, record, stamp

NAME = b"M\xfcller.dcm"
NOTE = QuarantineNote("unreadable", NAME, 3, "damaged", stamp(NAME, 10))


def folder(catalog: Catalog) -> int:
    return catalog.keep_listing(b"exam", "", 1, (), 1, datetime(2024, 1, 1, tzinfo=UTC), "archived")


def opened(catalog: Catalog, note: QuarantineNote = NOTE, study: str | None = "1.2.3") -> int:
    return catalog.open_quarantine("run-1", note, study=study, folder_id=folder(catalog))


def test_an_entry_comes_back_as_it_was_opened(catalog: Catalog) -> None:
    """With the folder, which the list shows, and without a folder too."""
    entry_id = opened(catalog)
    other = catalog.open_quarantine("run-1", QuarantineNote("engine"), study="9.9", folder_id=None)
    (row, bare) = catalog.quarantine()
    assert (row.id, row.run, row.study, row.folder, row.name) == (entry_id, "run-1", "1.2.3", b"exam", NAME)
    assert (row.ordinal, row.reason, row.kind, row.state, row.closed) == (3, "unreadable", "damaged", "open", None)
    assert (bare.id, bare.study, bare.folder_id, bare.folder, bare.name) == (other, "9.9", None, None, b"")


def test_the_same_is_opened_once(catalog: Catalog) -> None:
    """By later runs too; another reason, file, stamp or exam is another entry."""
    assert opened(catalog) == opened(catalog)
    others = {
        opened(catalog),
        opened(catalog, replace(NOTE, reason="changed")),
        opened(catalog, replace(NOTE, name=b"b")),
        opened(catalog, replace(NOTE, stamp=stamp(NAME, 11))),
        opened(catalog, replace(NOTE, stamp=None)),
        opened(catalog, QuarantineNote("unreadable")),
        opened(catalog, QuarantineNote("unreadable"), study="9.9"),
    }
    assert len(others) == len(catalog.quarantine()) == 7


def test_accepted_is_final(catalog: Catalog) -> None:
    """The gate opens, and the step that is repeated does not close it again."""
    entry_id = opened(catalog)
    catalog.resolve_quarantine(entry_id, "accepted")
    catalog.resolve_quarantine(entry_id, "accepted")
    assert catalog.quarantine() == []
    assert opened(catalog) == entry_id
    (row,) = catalog.quarantine("accepted")
    assert row.closed is not None
    with pytest.raises(Conflict, match="expected open, found accepted"):
        catalog.resolve_quarantine(entry_id, "released")


def test_a_released_file_is_read_again(catalog: Catalog) -> None:
    """Its row is new, its folder listed in full; what is wrong with it then opens a new entry."""
    part = marked(entry("1.2.3", record("1.2.3", 1)), folder(catalog))
    catalog.publish(catalog.take_lease("archive", "r", "h"), "r", [part])
    name = part.instances[0].name
    note = replace(NOTE, name=name, stamp=part.files[0].stamp)
    entry_id = opened(catalog, note)
    catalog.resolve_quarantine(entry_id, "released")
    file = catalog.files(catalog.folders()[b"exam"].id)[name]
    assert (file.state, file.digest) == ("new", None)
    assert catalog.folders()[b"exam"].state == "receiving"
    assert [row.state for row in catalog.quarantine(None)] == ["released"]
    assert opened(catalog, note) != entry_id


def test_releasing_a_file_that_was_never_archived(catalog: Catalog) -> None:
    """It is new already, and stays so; a whole exam is released as well."""
    catalog.note_files(folder(catalog), [SanFile(NAME, 10, 1, 1)], [])
    for note in (NOTE, QuarantineNote("engine")):
        catalog.resolve_quarantine(opened(catalog, note), "released")
    assert catalog.files(folder(catalog))[NAME].state == "new"


def test_an_id_that_is_not_there(catalog: Catalog) -> None:
    """Says where the ids are."""
    with pytest.raises(NotFound, match="next: sdfo quarantine"):
        catalog.resolve_quarantine(4711, "accepted")
