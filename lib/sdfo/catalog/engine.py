"""The database behind the catalog: one engine per process, one writer at a time, nothing opened before it is needed.

SQLite and PostgreSQL are used alike. A writer waits until it is alone (BEGIN IMMEDIATE; an advisory lock), so what it
reads stays true until it commits; a reader sees one moment and waits for nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, func, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from sdfo.catalog.connecting import make_engine
from sdfo.catalog.tables import HEAD
from sdfo.errors import CatalogError, Conflict

_T = TypeVar("_T")

_WRITERS = 0x5DF0  # the advisory lock's number


class Database:
    """Connections to one catalog. Constructing opens nothing; it may be used after a fork and from any thread."""

    def __init__(self, url: str) -> None:
        self.url = url
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

    @contextmanager
    def moment(self) -> Iterator[tuple[Connection, datetime]]:
        """`read`, and its moment: what was committed before it is seen, what is written to the journal after it is not."""
        with ExitStack() as stack:
            with self.write() as alone:
                conn = stack.enter_context(self.read())
                conn.execute(text("SELECT version_num FROM alembic_version")).all()  # the moment is that of a question
                at = clock(alone)
            yield conn, at

    def close(self) -> None:
        """Give back this process's connections; the next call opens new ones."""
        engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()

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
            self._engines.setdefault(pid, make_engine(self.url))
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
