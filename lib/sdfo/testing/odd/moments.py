"""Odd inputs that are a matter of the moment: a file that grows, changes or kills, a folder that cannot be read or is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self


class Growing:
    """`with Growing(path):` a modality that is still sending: the file gets another 64 KiB every `seconds`."""

    def __init__(self, path: str | bytes | os.PathLike[str], seconds: float = 0.01) -> None:
        self._path, self._seconds, self._enough = path, seconds, threading.Event()
        self._sender = threading.Thread(target=self._send, daemon=True)

    def _send(self) -> None:
        with open(self._path, "ab", buffering=0) as file:
            while not self._enough.is_set():
                file.write(b"\0" * 65536)
                self._enough.wait(self._seconds)

    def __enter__(self) -> Self:
        self._sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._sender.join()


def change_in_place(path: str | bytes | os.PathLike[str]) -> None:
    """Flip the last bit of a file and put its mtime back: only the ctime and the bytes tell."""
    stat = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@contextmanager
def unreadable(path: str | bytes | os.PathLike[str]) -> Iterator[None]:
    """A file or folder that permits nothing, for a while. Root needs `sdfo.testing.unprivileged` to notice."""
    mode = os.stat(path).st_mode & 0o7777
    os.chmod(path, 0)
    try:
        yield
    finally:
        os.chmod(path, mode)


@contextmanager
def unmounted(root: Path) -> Iterator[None]:
    """The SAN is not mounted: an empty folder stands where it was."""
    aside = root.with_name(f"{root.name}-unmounted")
    root.rename(aside)
    root.mkdir()
    try:
        yield
    finally:
        root.rmdir()
        aside.rename(root)


@contextmanager
def killing_readers(path: str | bytes | os.PathLike[str]) -> Iterator[list[int]]:
    """Kill (SIGKILL) every other process that is seen to hold `path` open; yields their ids as they come.

    Sees a process that holds the file for some ten milliseconds: make it a large one (50 MiB and more).
    """
    wanted, killed, enough = os.stat(path), list[int](), threading.Event()

    def watch() -> None:
        while not enough.is_set():
            for pid in _holders(wanted):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            time.sleep(0.001)

    hunter = threading.Thread(target=watch, daemon=True)
    hunter.start()
    try:
        yield killed
    finally:
        enough.set()
        hunter.join()


def _holders(wanted: os.stat_result) -> Iterator[int]:
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()):
        with suppress(OSError):
            folder = f"/proc/{pid}/fd"
            if any(_is(f"{folder}/{fd}", wanted) for fd in os.listdir(folder)):
                yield pid


def _is(link: str, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(link), wanted)
    except OSError:
        return False
