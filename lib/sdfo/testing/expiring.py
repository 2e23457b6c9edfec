"""An archive whose SAN files may all go tonight, and what makes one line of the gate false."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from sdfo.catalog import QuarantineNote, Query
from sdfo.catalog.holds import HoldKind
from sdfo.catalog.rebuild import rebuild
from sdfo.nightly.freeing.expire import ExpireReport, expire
from sdfo.testing.archive import Archive

FREE: dict[str, Any] = {"expire": {"copies": ["hdfs", "nearline"], "away": ["nearline"]}}
"""Settings of a site without tapes whose near-line store is in another building."""


def sql(archive: Archive, statement: str, **values: Any) -> None:
    """What no call of the catalog does: make it say that time has gone by."""
    with archive.place().catalog.database.write() as conn:
        conn.execute(text(statement), values)


def moment(days: float) -> str:
    """So many days ago, as SQLite keeps it."""
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S.%f}"


def all_may_go(archive: Archive) -> None:
    """Everything archived is backed up and 91 days old, its catalog backed up, a drill green, and the clock known."""
    archive.backup()
    catalog = archive.place().catalog
    catalog.start_run("before", "local")
    catalog.note_step("before", "catalog-backup", "done", {})
    catalog.note_step("before", "drill", "done", {"green": True})
    expire(archive.place("look", **FREE), dry_run=True)
    age(archive, 91)


def age(archive: Archive, days: float) -> None:
    sql(archive, "UPDATE san_file SET first_seen = :at", at=moment(days))


def end_grace(archive: Archive) -> None:
    sql(archive, "UPDATE expired SET at = :at", at=moment(8))


def freed(archive: Archive, run: str = "e1", **flags: Any) -> ExpireReport:
    return expire(archive.place(run, **FREE | flags))


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder of the SAN, but for the archive's own."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if not path.name.startswith(".sdfo")
    }


def studies(archive: Archive) -> list[str]:
    return [row.study for row in archive.place().catalog.find(Query())]


def _set_aside(archive: Archive) -> None:
    for study in studies(archive):
        archive.place().catalog.open_quarantine("r1", QuarantineNote("conflict"), study=study, folder_id=None)


def _hold(archive: Archive) -> None:
    archive.place().catalog.hold(HoldKind.STUDY, studies(archive), "court", "ann")


def _red_drill(archive: Archive) -> None:
    archive.place().catalog.note_step("before", "drill", "failed", {"green": False})


def _rebuilt(archive: Archive) -> None:
    place = archive.place()
    rebuild(place.catalog, place.store, place.mounted_nearline, replace=True)
    age(archive, 91)


def _other_bytes(archive: Archive) -> None:
    """The same lengths and times, as a disk that rots."""
    import os

    for path in archive.san.rglob("*.dcm"):
        stat, data = path.stat(), path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _gone_from_nearline(archive: Archive) -> None:
    for path in archive.near():
        (archive.folder / "nearline" / path).unlink()


def _statement(statement: str, **values: Any) -> Callable[[Archive], None]:
    return lambda archive: sql(archive, statement, **values)


Spoilt = tuple[Callable[[Archive], None], dict[str, Any]]


def _set(**own: Any) -> Spoilt:
    return (lambda archive: None), {"expire": FREE["expire"] | own}


SPOILT: dict[str, Spoilt] = {
    "first seen long ago": (lambda archive: age(archive, 89), {}),
    "study long ago": (_statement("UPDATE study SET date = :day", day=moment(3)[:10].replace("-", "")), {}),
    "part published": (_statement("UPDATE instance SET sha256 = :other", other=b"\0" * 32), {}),
    "nearest copy re-read lately": (
        _statement("UPDATE copy SET verified_at = :at WHERE tier = 'hdfs'", at=moment(101)),
        {},
    ),
    "second copy re-read": (
        _statement("UPDATE copy SET state = 'written' WHERE tier = 'nearline'"),
        {"expire": {"copies": ["hdfs"], "away": []}},
    ),
    "copies wanted": _set(copies=["hdfs", "nearline", "tape"]),
    "a copy off-line or off-site": _set(away=["tape"]),
    "nothing set aside": (_set_aside, {}),
    "no hold": (_hold, {}),
    "catalog backed up tonight": (
        _statement("UPDATE outcome SET ended = :at WHERE step = 'catalog-backup'", at=moment(1.1)),
        {},
    ),
    "last drill green": (_red_drill, {}),
    "clock to be believed": (
        _statement("UPDATE gate SET value = json_set(value, '$.since_boot', 0) WHERE name = 'clock'"),
        {},
    ),
    "open since the last rebuild": (_rebuilt, {}),
    "copies in place": (_gone_from_nearline, {}),
    "unchanged since archived": (_other_bytes, {}),
}
"""By the gate's line: what makes it false, alone, for every file; and the settings for it. HDFS's replication is the HDFS
store's own to tell."""
