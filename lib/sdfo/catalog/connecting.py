"""How a catalog's URL becomes connections: SQLite in a file of its own on a local disk, or PostgreSQL."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from sdfo.errors import CatalogError

WAIT_SECONDS = 60
"""How long a writer waits for the one before it; a batch of 50 exams takes about one second."""

_IDLE_SECONDS = 300  # PostgreSQL frees the lock of a writer whose machine vanished
_NETWORK = frozenset(
    [
        "9p",
        "afs",
        "afpfs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    ]
)


def create_file(url: str) -> None:
    """The file of an SQLite catalog, readable by its owner alone; SQLite gives its companions the same mode."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        path = _sqlite_path(parsed)
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_network(path)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def make_engine(url: str) -> Engine:
    """Parameters never enter an error's text: they are patients' data."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "postgresql":
        limits = f"-c lock_timeout={WAIT_SECONDS * 1000} -c idle_in_transaction_session_timeout={_IDLE_SECONDS * 1000}"
        arguments = {"options": limits, "connect_timeout": 10, "application_name": "sdfo"}
        return create_engine(parsed, hide_parameters=True, pool_pre_ping=True, connect_args=arguments)
    path = _sqlite_path(parsed)
    if not path.is_file():
        raise CatalogError("there is no catalog yet", path=str(path), next_command="sdfo catalog upgrade")
    refuse_network(path)
    engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": WAIT_SECONDS})
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """SQLite's write-ahead log needs memory shared between all who open it: on a network disk it loses data in silence."""
    table = Path("/proc/mounts").read_text(errors="surrogateescape") if mounts is None else mounts
    kind = filesystem(path, table)
    if kind in _NETWORK:
        raise CatalogError(
            "SQLite on a network file system loses data: put the catalog on a local disk, or use PostgreSQL",
            path=str(path),
            expected="a local file system",
            found=kind,
        )


def filesystem(path: Path, mounts: str) -> str:
    """The type of the file system `path` lies on, by the lines of /proc/mounts (proc(5)): the longest mount point wins,
    and of equals the last, which was mounted over the others."""
    real, best, kind = os.path.realpath(path), "", "unknown"
    for line in mounts.splitlines():
        _, escaped, found, *_ = line.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped)
        if len(point) >= len(best) and f"{real}/".startswith(f"{point.rstrip('/')}/"):
            best, kind = point, found
    return kind


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise CatalogError("this is no catalog URL", expected="sqlite:///… | postgresql+psycopg://…") from error
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise CatalogError(
        "no such catalog", expected="sqlite:///… | postgresql+psycopg://…", found=f"{parsed.drivername}://…"
    )


def _sqlite_path(url: URL) -> Path:
    return Path(str(url.database)).absolute()


def _set_pragmas(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the module begins no transaction of its own: `_begin` does
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(conn: Connection) -> None:
    """A writer takes the lock at once: one that reads first and then fails to get it could not simply wait."""
    writes = conn.get_execution_options().get("sdfo_writes")
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
