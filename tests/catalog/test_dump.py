"""The catalog in one file and back: every row of every table, for both databases, and from each to the other."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select, text, update

from sdfo.catalog import Catalog, NewCopy, Query, bulk, journal, tables
from sdfo.catalog.dump import CONTENTS, Dump, write
from sdfo.catalog.migrations import upgrade
from sdfo.catalog.restoring import restore
from sdfo.errors import CatalogError, FormatError, LeaseHeld
from sdfo.model import Form, Tier
from sdfo.stores.local import LocalStore
from sdfo.testing.parts import entry, marked, record, write_part

STUDY = "1.2.840.1"
NAME = "dump.zip"


@pytest.fixture
def busy(catalog: Catalog) -> Catalog:
    """Two exams of a folder whose name is no UTF-8, copies, an entry set aside, a run, a lease."""
    folder_id = catalog.keep_listing(b"M\xfcller", "x", 1, ((b"", 1),), 3, datetime.now(UTC), "settled")
    lease = catalog.take_lease("archive", "r1", "h")
    catalog.start_run("r1", "local")
    catalog.note_step("r1", "scan", "done", {"ok": True, "name": "ä"})
    one = marked(entry(STUDY, *(record(STUDY, n) for n in range(3)), folder=b"M\xfcller"), folder_id)
    two = entry(f"{STUDY}.9", record(f"{STUDY}.9", 1), folder=b"b", patient_name="Ünal^Ö")
    catalog.publish(lease, "r1", [one, two])
    copy = NewCopy(STUDY, one.check, Tier.NEARLINE, one.path, 9, "ab" * 32, "j2k-roi", Form.CODESTREAM)
    catalog.add_copies(lease, [copy])
    return catalog


def dumped(catalog: Catalog, store: LocalStore, name: str = NAME) -> Dump:
    with catalog.database.moment() as (conn, at):
        buffer = io.BytesIO()
        write(conn, at, buffer)
    store.put(name, buffer.getvalue())
    return Dump(store.open(name))


def everything(catalog: Catalog) -> dict[str, list[Any]]:
    """Every row of every table as it is, surrogate ids too; leases and the gate's marks are not taken back."""
    with catalog.database.read() as conn:
        names = [table for table in tables.metadata.sorted_tables if table not in (tables.lease, tables.gate)]
        return {table.name: sorted(map(tuple, conn.execute(select(table))), key=repr) for table in names}


def test_the_dump_is_what_the_catalog_is(busy: Catalog, store: LocalStore) -> None:
    """Every table is in it, with its rows counted, and equal; any program that knows Parquet reads it."""
    dump = dumped(busy, store)
    with busy.database.read() as conn:
        dump.compare(conn)
    assert dump.contents.tables.keys() == tables.metadata.tables.keys()
    assert dump.contents.tables["instance"] == 4
    with zipfile.ZipFile(store.root / NAME) as archive:
        assert archive.testzip() is None
        table = pq.read_table(io.BytesIO(archive.read("san_folder.parquet")))
    assert b"M\xfcller" in table["path"].to_pylist()


@pytest.mark.parametrize("table", ["study", "instance", "copy", "outcome"])
def test_a_row_that_differs_is_noticed(busy: Catalog, store: LocalStore, table: str) -> None:
    """One row more, one less, one value: the comparison names the table."""
    dump = dumped(busy, store)
    changes = {
        "study": "sex = 'X'",
        "instance": "length = 1 + length",
        "copy": "verified_at = NULL",
        "outcome": "good = NOT good",
    }
    for statement in (f"UPDATE {table} SET {changes[table]}", f"DELETE FROM {table}"):
        with pytest.raises(CatalogError, match=f"table {table} is not"), busy.database.write() as conn:
            if statement.startswith("DELETE") and table == "study":
                statement = "INSERT INTO study (uid, noted) VALUES ('9', true)"
            conn.execute(text(statement))
            dump.compare(conn)


def test_it_is_one_moment(busy: Catalog, store: LocalStore) -> None:
    """What others commit while it is written is not in it, and stands in the journal after its moment."""
    with busy.database.moment() as (conn, at):
        busy.note_step("r1", "convert", "done", {})
        buffer = io.BytesIO()
        assert write(conn, at, buffer).tables["outcome"] == 1
    later = list(journal.read(store, at))
    assert [line["step"] for _, line in later] == ["convert"]
    assert len(list(journal.read(store))) > 1


def test_a_catalog_comes_back(busy: Catalog, store: LocalStore, new_url: Callable[[], str]) -> None:
    """All tables equal, also twice in one place; the next number of each table is free."""
    before = everything(busy)
    again = Catalog(new_url(), store)
    report = restore(again, dumped(busy, store), None)
    assert everything(again) == before
    assert report.rows == sum(map(len, before.values()))
    with pytest.raises(CatalogError, match="not empty"):
        restore(again, Dump(store.open(NAME)), None)
    restore(again, Dump(store.open(NAME)), None, replace=True)
    assert everything(again) == before
    lease = again.take_lease("archive", "r2", "h")
    assert [each.state for each in again.publish(lease, "r2", [entry("1.2.3", record("1.2.3", 1))])] == ["new"]
    assert lease.token >= busy.lease_holder("archive").token  # type: ignore[union-attr]
    with pytest.raises(LeaseHeld):
        restore(again, Dump(store.open(NAME)), None, replace=True)
    again.close()


def test_each_database_takes_the_others(
    busy: Catalog, store: LocalStore, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A site that moves from SQLite to PostgreSQL, or back; into a database without any table, too."""
    if busy.database.url.startswith("sqlite"):
        other = request.getfixturevalue("server").database()
    else:
        other = f"sqlite:///{tmp_path}/other.db"
    again = Catalog(other, store)
    restore(again, dumped(busy, store), None)
    assert everything(again) == everything(busy)
    assert list(again.find(Query())) == list(busy.find(Query()))
    again.close()


def test_the_journal_since_is_replayed(busy: Catalog, store: LocalStore, new_url: Callable[[], str]) -> None:
    """What was published, decided and noted after the backup is there as well; what went before is not done twice."""
    dump = dumped(busy, store)
    lease = busy.take_lease("archive", "r1", "h")
    path = write_part(store, "1.2.826.0.7", b"late", {b"note": b"x"})
    from sdfo.catalog import entry_of
    from sdfo.sdicom import Part

    with Part.open(store, path) as part:
        busy.publish(lease, "r1", [entry_of(part, path, part.size, "hdfs", "original")])
    busy.mark_copy(busy.parts(STUDY)[0].id, "nearline", "damaged", "missing")
    busy.note_step("r1", "report", "done", {"ok": True})
    again = Catalog(new_url(), store)
    report = restore(again, dump, store)
    assert (report.lines, report.missing, report.refused) == (3, (), ())
    assert everything(again) == everything(busy)
    again.close()


def test_a_dump_of_an_older_version_is_brought_forward(empty_url: str, busy: Catalog, store: LocalStore) -> None:
    """It comes back into tables of its own version, which are then upgraded; a catalog of another version refuses it."""
    old = Catalog(empty_url, store)
    upgrade(old.database, "0001")
    with old.database.write(checked=False) as conn:
        buffer = io.BytesIO()
        known = [name for name in tables.metadata.tables if name in _tables_of(conn)]
        _write_old(conn, buffer, known, "0001")
    store.put("old.zip", buffer.getvalue())
    with pytest.raises(CatalogError, match="restore it into a new one"):
        restore(busy, Dump(store.open("old.zip")), None, replace=True)
    new = Catalog(f"sqlite:///{store.root}/new.db", store)
    restore(new, Dump(store.open("old.zip")), None)
    assert new.runs() == []
    new.close()
    old.close()


def _tables_of(conn: Any) -> set[str]:
    from sqlalchemy import inspect

    return set(inspect(conn).get_table_names())


def _write_old(conn: Any, buffer: io.BytesIO, known: list[str], version: str) -> None:
    """What the program of that version would have written."""
    import json

    from sdfo.catalog.dump import write_table

    with zipfile.ZipFile(buffer, "w") as archive:
        for name in known:
            with archive.open(f"{name}.parquet", "w") as member:
                write_table(conn, name, member)
        contents = {"schema": version, "at": datetime.now(UTC).isoformat(), "tables": dict.fromkeys(known, 0), "v": 1}
        archive.writestr(CONTENTS, json.dumps(contents))


def test_what_is_no_dump_is_told(store: LocalStore, busy: Catalog) -> None:
    """Cut anywhere, or a table whose pages are no pages."""
    dumped(busy, store)
    whole = store.read_all(NAME)
    for number, length in enumerate((0, 100, len(whole) // 2, len(whole) - 1)):
        store.put(f"cut{number}.zip", whole[:length])
        with pytest.raises(FormatError, match="no whole dump"):
            Dump(store.open(f"cut{number}.zip"))
    at = whole.index(b"PAR1", whole.index(b"instance.parquet"))
    store.put("hurt.zip", whole[: at + 4] + bytes(40) + whole[at + 44 :])
    again = Dump(store.open("hurt.zip"))
    with pytest.raises((FormatError, CatalogError)), busy.database.read() as conn:
        again.compare(conn)


def test_batches_are_of_one_size(busy: Catalog, monkeypatch: pytest.MonkeyPatch, store: LocalStore) -> None:
    """Tables larger than a batch come back in the same order, batch by batch."""
    monkeypatch.setattr(bulk, "ROWS", 2)
    dump = dumped(busy, store)
    assert [batch.num_rows for batch in dump.batches("instance")] == [2, 2]
    with busy.database.read() as conn:
        dump.compare(conn)


def test_time_is_utc(busy: Catalog, store: LocalStore) -> None:
    """Moments come back to the microsecond, whichever database they were in."""
    with busy.database.write() as conn:
        at = datetime(2026, 7, 1, 12, 0, 0, 123456, UTC)
        conn.execute(update(tables.run).values(started=at))
    (batch,) = dumped(busy, store).batches("run")
    assert batch["started"].to_pylist() == [at]
    assert abs(Dump(store.open(NAME)).contents.moment - datetime.now(UTC)) < timedelta(minutes=5)
