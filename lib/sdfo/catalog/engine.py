"""The database behind the catalog: one engine per process, one writer at a time, nothing opened before it is needed.

SQLite and PostgreSQL are used alike. A writer waits until it is alone (BEGIN IMMEDIATE; an advisory lock), so what it
reads stays true until it commits; a reader sees one moment and waits for nobody.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from sdfo.catalog.tables import HEAD
from sdfo.errors import CatalogError, Conflict

_T = TypeVar("_T")

WAIT_SECONDS = 60
"""How long a writer waits for the one before it; a batch of 50 exams takes about one second."""

_IDLE_SECONDS = 300  # PostgreSQL frees the lock of a writer whose machine vanished
_WRITERS = 0x5DF0  # the advisory lock's number
_NETWORK = frozenset(
    "9p afs afpfs beegfs ceph cifs fuse.ceph fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs gfs2 glusterfs gpfs "
    "lustre ncpfs nfs nfs4 ocfs2 smb3 smbfs".split()
)


class Database:
    """Connections to one catalog. Constructing opens nothing; it may be used after a fork and from any thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engines: dict[int, Engine] = {}
        self._checked = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment of the catalog, as it was when the first question was asked."""
        with self._connected() as conn:
            self._check(conn)
            yield conn

    @contextmanager
    def write(self, *, checked: bool = True) -> Iterator[Connection]:
        """One transaction, alone: committed when the block ends well, else nothing of it happened."""
        with self._connected(writes=True) as conn:
            if conn.dialect.name == "postgresql":
                conn.execute(select(func.pg_advisory_xact_lock(_WRITERS)))
            if checked:
                self._check(conn)
            yield conn

    def close(self) -> None:
        """Give back this process's connections; the next call opens new ones."""
        engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()

    def create(self) -> None:
        """The file of an SQLite catalog, readable by its owner alone; SQLite gives its companions the same mode."""
        url = _parsed(self._url)
        if url.get_backend_name() == "sqlite":
            path = _sqlite_path(url)
            path.parent.mkdir(parents=True, exist_ok=True)
            refuse_network(path)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))

    @contextmanager
    def _connected(self, *, writes: bool = False) -> Iterator[Connection]:
        try:
            with self._engine().connect() as conn:
                options: dict[str, Any] = {"sdfo_writes": writes}
                if conn.dialect.name == "postgresql" and not writes:
                    options["isolation_level"] = "REPEATABLE READ"
                with conn.execution_options(**options).begin():
                    yield conn
        except SQLAlchemyError as error:
            raise _translated(error) from error

    def _engine(self) -> Engine:
        """Ours by process id. One inherited over a fork stays untouched and referenced: closing it would end its parent's
        conversation with the server, or drop its parent's locks (sqlite.org/howtocorrupt, section 2.6)."""
        pid = os.getpid()
        if pid not in self._engines:
            self._engines.setdefault(pid, _make_engine(_parsed(self._url)))
        return self._engines[pid]

    def _check(self, conn: Connection) -> None:
        if self._checked:
            return
        found = "none"
        if inspect(conn).has_table("alembic_version"):
            found = str(conn.execute(text("SELECT version_num FROM alembic_version")).scalar())
        if found != HEAD:
            raise CatalogError(
                "the catalog is of another version", expected=HEAD, found=found, next_command="sdfo catalog upgrade"
            )
        self._checked = True


def clock(conn: Connection) -> datetime:
    """The database's time, UTC. SQLite lies on this machine and has its clock."""
    if conn.dialect.name == "postgresql":
        now: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)
    return datetime.now(UTC)


def upsert(conn: Connection, table: Table) -> Any:
    """INSERT … ON CONFLICT, which both databases have and spell alike."""
    return (postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert)(table)


def batched(items: Iterable[_T], size: int = 500) -> Iterator[list[_T]]:
    """Pieces small enough to be the parameters of one statement."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece


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


def _make_engine(url: URL) -> Engine:
    """Parameters never enter an error's text: they are patients' data."""
    if url.get_backend_name() == "postgresql":
        limits = f"-c lock_timeout={WAIT_SECONDS * 1000} -c idle_in_transaction_session_timeout={_IDLE_SECONDS * 1000}"
        arguments = {"options": limits, "connect_timeout": 10, "application_name": "sdfo"}
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments)
    path = _sqlite_path(url)
    if not path.is_file():
        raise CatalogError("there is no catalog yet", path=str(path), next_command="sdfo catalog upgrade")
    refuse_network(path)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": WAIT_SECONDS})
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the module begins no transaction of its own: `_begin` does
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(conn: Connection) -> None:
    """A writer takes the lock at once: one that reads first and then fails to get it could not simply wait."""
    writes = conn.get_execution_options().get("sdfo_writes")
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _translated(error: SQLAlchemyError) -> CatalogError | Conflict:
    """Ours. The database's own text may quote a row, so only its kind and code are told."""
    if isinstance(error, IntegrityError):
        return Conflict(f"the catalog refused a row ({kind_of(error)})")
    if isinstance(error, DBAPIError):
        return CatalogError(f"the catalog did not do what was asked ({kind_of(error)})")
    return CatalogError(f"the catalog did not do what was asked ({type(error).__name__})")


def kind_of(error: DBAPIError) -> str:
    """The driver's error class and the database's code, without its text."""
    cause = error.orig
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return " ".join(filter(None, (type(cause).__name__, code)))
