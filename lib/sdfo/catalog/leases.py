"""Leases: one run at a time does a kind of work, and of that run only the step that started last.

A token is given once, and each is greater than all before it. Whoever changes anything shows its token inside its own
transaction; as writers of the catalog go one after the other, no newer token can be given between the look and the
commit. Time is the database's, so that hosts whose clocks differ agree on what has expired.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from sdfo.catalog import tables
from sdfo.catalog.engine import clock
from sdfo.errors import Fenced, LeaseHeld

_LEASE = tables.lease.c


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of `run` to do the work called `name`, until `expires` or until a newer token is given."""

    name: str
    token: int
    run: str
    expires: datetime
    holder: str = ""


def take(conn: Connection, name: str, run: str, holder: str, ttl: float) -> Lease:
    """The next token. The same run gets it at once, which fences the step that held the last; `LeaseHeld` for another."""
    now = clock(conn)
    row = _row(conn, name)
    if row is not None and row.run not in ("", run) and row.expires > now:
        raise LeaseHeld(
            f"the lease {name} is held by run {row.run} until {row.expires:%Y-%m-%d %H:%M:%S} UTC", found=row.run
        )
    expires = now + timedelta(seconds=ttl)
    values = {"run": run, "holder": holder, "expires": expires}
    if row is None:
        # counted from the clock's seconds, so that a catalog rebuilt from files gives no token a second time
        token = int(now.timestamp())
        conn.execute(insert(tables.lease).values(name=name, token=token, **values))
    else:
        token = row.token + 1
        conn.execute(update(tables.lease).where(_LEASE.name == name).values(token=token, **values))
    return Lease(name, token, run, expires, holder)


def renew(conn: Connection, lease: Lease, ttl: float) -> Lease:
    """The same lease, longer. One that expired and that nobody took is still ours."""
    check(conn, lease)
    expires = clock(conn) + timedelta(seconds=ttl)
    conn.execute(update(tables.lease).where(_LEASE.name == lease.name).values(expires=expires))
    return Lease(lease.name, lease.token, lease.run, expires, lease.holder)


def check(conn: Connection, lease: Lease) -> None:
    """`Fenced` unless this token is the newest and was not given back."""
    row = _row(conn, lease.name)
    if row is None or row.token != lease.token or row.run != lease.run:
        raise Fenced(
            f"a later step holds the lease {lease.name}",
            expected=f"token {lease.token}",
            found=None if row is None else f"token {row.token} of run {row.run or '(given back)'}",
        )


def release(conn: Connection, lease: Lease) -> None:
    """Give it back. A token that is no longer the newest gives back nothing: the lease is its successor's."""
    mine = (_LEASE.name == lease.name, _LEASE.token == lease.token)
    conn.execute(update(tables.lease).where(*mine).values(run="", holder="", expires=clock(conn)))


def holder(conn: Connection, name: str) -> Lease | None:
    """Who holds it now; None if nobody does, or not any longer."""
    row = _row(conn, name)
    if row is None or not row.run or row.expires <= clock(conn):
        return None
    return Lease(row.name, row.token, row.run, row.expires, row.holder)


def _row(conn: Connection, name: str) -> Row[Any] | None:
    return conn.execute(select(tables.lease).where(_LEASE.name == name)).one_or_none()
