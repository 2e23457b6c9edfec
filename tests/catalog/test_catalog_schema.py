"""The schema: made by migrations alone, equal to the tables the code uses, and never guessed at."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from sdfo.catalog import Catalog
from sdfo.catalog.migrations import configuration
from sdfo.catalog.tables import HEAD, metadata
from sdfo.errors import CatalogError


def test_migrations_make_the_tables_of_the_code(catalog: Catalog) -> None:
    """Alembic finds nothing to add, drop or alter after the last migration."""
    with catalog.database.read() as conn:
        context = MigrationContext.configure(conn)
        assert compare_metadata(context, metadata) == []


def test_migrations_write_the_same_sqlite_as_the_tables(sqlite_template: Path, tmp_path: Path) -> None:
    """Nothing that Alembic does not compare differs either: collations, rowids, names of constraints."""
    engine = create_engine(f"sqlite:///{tmp_path}/direct.db")
    metadata.create_all(engine)
    engine.dispose()
    assert _statements(tmp_path / "direct.db") == _statements(sqlite_template)


def _statements(path: Path) -> dict[str, set[str]]:
    """By name, the clauses of each statement, in whatever order they were written."""
    with sqlite3.connect(path) as conn:
        rows = conn.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'")
        return {name: {line.strip().strip(",") for line in sql.splitlines()} for name, sql in rows}


def test_head_is_the_newest_migration() -> None:
    """What a catalog is checked against is what `upgrade` makes."""
    assert ScriptDirectory.from_config(configuration()).get_current_head() == HEAD


def test_every_table_is_used(sqlite_template: Path) -> None:
    """No table stands there for a later issue."""
    engine = create_engine(f"sqlite:///{sqlite_template}")
    found = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    assert found == set(metadata.tables)


def test_another_version_is_refused(catalog: Catalog) -> None:
    """Code and catalog of different versions never meet, and the error says what to type."""
    with catalog.database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    again = Catalog(catalog.database.url)
    with pytest.raises(CatalogError, match=r"another version.*next: sdfo catalog upgrade"):
        again.runs()
    with pytest.raises(CatalogError, match="later version"):
        again.upgrade()
    again.close()


def test_a_database_without_tables_is_refused(empty_url: str) -> None:
    """A query makes no tables and no file."""
    asked = Catalog(empty_url)
    with pytest.raises(CatalogError, match="next: sdfo catalog upgrade"):
        asked.runs()
    path = Path(empty_url.removeprefix("sqlite:///"))
    assert not (empty_url.startswith("sqlite") and path.exists())
    asked.close()


def test_upgrade_may_be_repeated(empty_url: str) -> None:
    """An upgraded catalog is left as it is."""
    made = Catalog(empty_url)
    made.upgrade()
    made.start_run("r", "local")
    made.upgrade()
    assert [run.run for run in made.runs()] == ["r"]
    made.close()


def _upgrade(url: str) -> None:
    Catalog(url).upgrade()


def test_two_processes_may_upgrade_at_once(empty_url: str) -> None:
    """One makes the tables, the other finds them made."""
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_upgrade, args=(empty_url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]


def test_only_the_owner_reads_a_sqlite_catalog(tmp_path: Path) -> None:
    """Patients' names stand in it and in its companions, whatever the umask."""
    made = Catalog(f"sqlite:///{tmp_path}/new/catalog.db")
    made.upgrade()
    made.start_run("r", "local")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert modes == dict.fromkeys(("catalog.db", "catalog.db-wal", "catalog.db-shm"), 0o600)
    made.close()


def test_sqlite_is_set_for_safety(sqlite_template: Path) -> None:
    """Write-ahead log, a commit survives a power cut, foreign keys bind, and a writer waits a minute."""
    opened = Catalog(f"sqlite:///{sqlite_template}")
    with opened.database.read() as conn:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [conn.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas]
    opened.close()
    assert found == ["wal", 2, 1, 60_000]
