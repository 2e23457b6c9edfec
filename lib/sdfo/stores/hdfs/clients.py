"""One client per process, made when it is first needed.

A client holds threads and connections, which do not cross a fork: used in a child it hangs. So a child makes its own, and
never lets go of the one it inherited, for that would wait for threads which are not there.

One thing is shared by all clients of a process: connections to DataNodes, kept for three seconds after a read
(DATANODE_CACHE in hdfs-native). A child inherits these too, and would read its parent's answers. It waits until they have
expired before its first read.

Of two NameNodes the client asks one until that refuses, and waits for ever where it does not even refuse: a machine that
lost its power closes no connection. So after a call without an answer a new client begins with the next NameNode.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from dataclasses import dataclass

from hdfs_native import Client

from sdfo.stores.hdfs.site import HA_NAMENODES, site

_EXPIRED_SECONDS = 3.5


@dataclass(frozen=True, slots=True)
class Key:
    """What decides what a client does."""

    url: str
    deadline: float
    conf_dir: str | None
    user: str | None
    turn: int


class _Process:
    """This process's clients. `readable_at`: the monotonic time from which inherited connections are out of the way.

    `turns`: cluster → which of its NameNodes, in the order of the settings, is asked first.
    """

    def __init__(self, readable_at: float, turns: dict[str, int]) -> None:
        self.clients: dict[Key, Client] = {}
        self.lock = threading.Lock()
        self.readable_at = readable_at
        self.turns = turns


_here = _Process(0.0, {})


def _forked() -> None:
    global _here
    inherited, _here = _here, _Process(_here.readable_at, dict(_here.turns))
    if inherited.clients:
        _here.readable_at = time.monotonic() + _EXPIRED_SECONDS
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))  # never freed, not even when the process ends


os.register_at_fork(after_in_child=_forked)


def client(url: str, deadline: float) -> Client:
    """The client for the cluster at `url`. Nothing is contacted yet."""
    key = Key(url, deadline, os.environ.get("HADOOP_CONF_DIR"), os.environ.get("HADOOP_USER_NAME"), turn(url))
    with _here.lock:
        if key not in _here.clients:
            _here.clients[key] = Client(url or None, _options(key))
        return _here.clients[key]


def turn(url: str) -> int:
    """Which NameNode new clients ask first by now."""
    return _here.turns.get(url, 0)


def next_turn(url: str, seen: int) -> None:
    """A call got no answer. The next NameNode's turn, if it is still that of the one which was `seen` when it was made."""
    count = len(site().namenodes(url))
    with _here.lock:
        if count > 1 and turn(url) == seen:
            _here.turns[url] = (seen + 1) % count


def _options(key: Key) -> dict[str, str]:
    """The client's own patience, such that it gives up before we do: what goes on after our deadline, nobody awaits.

    A DataNode may be asked four times (two kept connections, a new one, and once more after it stalled); NameNodes that
    refuse, 15 times each.
    """
    milliseconds, where = key.deadline * 1000, site()
    nodes = where.namenodes(key.url)
    patience = {
        "dfs.client.socket-timeout": f"{milliseconds / 6:.0f}",
        "dfs.client.failover.max.attempts": f"{15 * max(1, len(nodes))}",
        "dfs.client.failover.sleep.base.millis": f"{milliseconds / 80:.0f}",
        "dfs.client.failover.sleep.max.millis": f"{milliseconds / 20:.0f}",
    }
    if not nodes:
        return patience
    service, order = where.name_service(key.url), [*nodes[key.turn :], *nodes[: key.turn]]
    return patience | {
        f"{HA_NAMENODES}.{service}": ",".join(order),
        f"dfs.client.failover.random.order.{service}": "false",
    }


def await_readable() -> None:
    """Before the first read in a forked process."""
    if _here.readable_at:
        time.sleep(max(0.0, _here.readable_at - time.monotonic()))
        _here.readable_at = 0.0
