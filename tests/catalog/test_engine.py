"""Connections: local disks only, one engine per process, and no row in an error's text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import insert

from sdfo.catalog import Catalog, Query, connecting, tables
from sdfo.errors import CatalogError, Conflict

MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
nas:/export /mnt/nas nfs4 rw 0 0
//pc/share /mnt/my\\040share cifs rw 0 0
auto /home autofs rw 0 0
me@host: /mnt/remote fuse.sshfs rw 0 0
/dev/sdb1 /mnt/nas/local xfs rw 0 0
nas:/over /data nfs rw 0 0
/dev/sdc1 /data ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/catalog.db", "ext4"),
        ("/mnt/nas/catalog.db", "nfs4"),
        ("/mnt/nas2/catalog.db", "ext4"),
        ("/mnt/my share/a/catalog.db", "cifs"),
        ("/mnt/remote/catalog.db", "fuse.sshfs"),
        ("/mnt/nas/local/catalog.db", "xfs"),
        ("/data/catalog.db", "ext4"),
    ],
)
def test_the_file_system_is_the_deepest_mount(path: str, kind: str) -> None:
    """The longest mount point that holds the path says its type, and of two on one point the later."""
    assert connecting.filesystem(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("path", ["/mnt/nas/c.db", "/mnt/my share/c.db", "/mnt/remote/c.db"])
def test_sqlite_is_refused_on_a_network_disk(path: str) -> None:
    """NFS, CIFS and sshfs hold no write-ahead log; the error names the type found."""
    with pytest.raises(CatalogError, match=r"network file system.*found (nfs4|cifs|fuse.sshfs)"):
        connecting.refuse_network(Path(path), MOUNTS)
    connecting.refuse_network(Path("/var/c.db"), MOUNTS)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "nonsense", "file:///c.db"])
def test_other_urls_are_refused(url: str) -> None:
    """Constructing asks nothing; the first call says what a URL may be, and never shows a password."""
    with pytest.raises(CatalogError, match="postgresql") as caught:
        Catalog(url).runs()
    assert "secret" not in str(caught.value)


def test_errors_hold_no_row(catalog: Catalog) -> None:
    """A refused row may be a patient's: the error has the database's code for what happened, and no value."""
    row = {"uid": "1.2.3", "noted": True, "patient_name": "Doe^Jane"}
    with pytest.raises(Conflict) as caught, catalog.database.write() as conn:
        conn.execute(insert(tables.study), [row])
        conn.execute(insert(tables.study), [row])
    assert "Doe" not in str(caught.value)
    assert "1.2.3" not in str(caught.value)
    assert any(code in str(caught.value) for code in ("23505", "SQLITE_CONSTRAINT"))


def test_an_unreachable_server_is_a_catalog_error() -> None:
    """A port nobody listens on."""
    with pytest.raises(CatalogError, match="OperationalError"):
        Catalog("postgresql+psycopg://postgres@127.0.0.1:9/none").runs()


def test_nothing_of_a_failed_block_stays(catalog: Catalog) -> None:
    """A block that raises leaves the catalog as it was."""
    with pytest.raises(ZeroDivisionError), catalog.database.write() as conn:
        conn.execute(insert(tables.study), [{"uid": "1.2.3", "noted": True}])
        raise ZeroDivisionError
    assert list(catalog.find(Query())) == []


def test_a_fork_uses_connections_of_its_own(catalog: Catalog) -> None:
    """Parent and children, one catalog object: each writes and reads, before, between and after the others."""
    catalog.start_run("parent-1", "local")
    children = [_forked(catalog, number) for number in range(4)]
    catalog.start_run("parent-2", "local")
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    catalog.start_run("parent-3", "local")
    expected = {"parent-1", "parent-2", "parent-3", *(f"child-{n}-{i}" for n in range(4) for i in range(5))}
    assert {run.run for run in catalog.runs(100)} == expected


def _forked(catalog: Catalog, number: int) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            inherited = set(catalog.database._engines)
            for turn in range(5):
                catalog.start_run(f"child-{number}-{turn}", "local")
            assert set(catalog.database._engines) == inherited | {os.getpid()}
            catalog.close()
            status = 0
        finally:
            os._exit(status)
    return child
