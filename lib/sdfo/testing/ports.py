"""Ports of 127.0.0.1 for servers of a test's own, which may be stopped and come back to the same."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path

HOST = "127.0.0.1"
_FIRST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free() -> int:
    """A port that nobody has now. Somebody may have taken it before its server starts."""
    with ExitStack() as held:
        return hold(held)


def hold(held: ExitStack, port: int | None = None) -> int:
    """A port, or this one, taken until `held` is left. OSError if this one is taken.

    Below those that Linux gives to connections (ip(7)): between a server's stop and its next start one of these goes
    to whoever connects anywhere.
    """
    for number in _some() if port is None else (port,):
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # Java's servers set it too
        try:
            found.bind((HOST, number))
        except OSError:
            found.close()
            continue
        held.enter_context(found)
        return number
    raise OSError(f"port {port or 'of any number'} is taken")


def _some() -> list[int]:
    below = int(_EPHEMERAL.read_text().split()[0])
    return random.sample(range(_FIRST, below), 200)
