"""A lost catalog, out of its last backup and the journal since: minutes, where `rebuild` opens every S-DICOM file.

What the backup cannot know, the journal does, as for a rebuild; so both ways end in the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from sdfo.catalog import bulk, freeing, tables
from sdfo.catalog.catalog import Catalog
from sdfo.catalog.connecting import create_file
from sdfo.catalog.dump import Dump
from sdfo.catalog.engine import clock
from sdfo.catalog.migrations import upgrade
from sdfo.catalog.rebuild import empty, replay
from sdfo.errors import CatalogError
from sdfo.stores import Store


@dataclass(frozen=True, slots=True)
class RestoredCatalog:
    """`rows` from the backup of the moment `at`, then `lines` of the journal. `missing`, `refused`: parts published since whose
    S-DICOM files are gone or cannot be read; a person looks at them."""

    backup: str
    at: str
    rows: int
    lines: int = 0
    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def restore(catalog: Catalog, dump: Dump, journal: Store | None, *, replace: bool = False) -> RestoredCatalog:
    """Fill the catalog. One that holds anything is refused, or emptied by `replace`; interrupted, begin again with that.

    `journal`: the store at `hdfs.root`; None where it is lost too. Leases are not taken back: nobody is at work, and a later
    token is then greater than any that was given. Nor are the marks of the delete gate, which is shut from now on.
    """
    contents = dump.contents
    new, rows = _prepared(catalog, contents.schema), 0
    with catalog.database.write(checked=False) as conn:
        if not new:
            empty(conn, replace)
        for name in contents.tables:
            if name not in (tables.lease.name, tables.gate.name):
                rows += _load(conn, dump, name)
        conn.execute(text("ANALYZE"))
        if contents.schema == tables.HEAD:
            freeing.shut(conn, clock(conn))
    catalog.upgrade()
    with catalog.database.write() as conn:
        freeing.shut(conn, clock(conn))
    if journal is None:
        return RestoredCatalog(dump.source.path, contents.at, rows)
    again = replay(catalog, journal, contents.moment)
    return RestoredCatalog(dump.source.path, contents.at, rows, again.lines, again.missing, again.refused)


def _prepared(catalog: Catalog, version: str) -> bool:
    """See to tables of the backup's own version, for the rest of their history comes once they are full; whether they are new."""
    create_file(catalog.database.url)
    with catalog.database.write(checked=False) as conn:
        known = inspect(conn).has_table("alembic_version")
        found = conn.execute(text("SELECT version_num FROM alembic_version")).scalar() if known else None
    if found is None:
        upgrade(catalog.database, version)
    elif found != version:
        raise CatalogError(
            "the backup is of another version than this catalog: restore it into a new one",
            expected=version,
            found=found,
        )
    return found is None


def _load(conn: Connection, dump: Dump, name: str) -> int:
    schema = dump.schema(name)
    rows = bulk.load(conn, name, schema, dump.batches(name))
    if rows != dump.contents.tables[name]:
        raise CatalogError("the backup has not the rows that it tells of", path=dump.source.path, found=name)
    bulk.continue_keys(conn, name, schema)
    return rows
