"""What goes wrong: copies that rot or vanish, never more of one exam at once than the policy survives; stores that are away or
full; files that change in the very moment in which they are freed."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdfo.testing.year.truth import HDFS, NEARLINE, TAPE, Truth
from sdfo.tiers.aside import Aside, AsideFile


@dataclass(frozen=True)
class Damage:
    """`silent`: nobody sees it without reading."""

    tier: str
    part: str
    silent: bool


@dataclass
class Faults:
    truth: Truth
    lot: random.Random
    open: list[Damage] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # ---- copies

    def settle(self) -> None:
        """Damage that was mended is none any more."""
        self.open = [each for each in self.open if each.tier not in self.truth.whole(each.part)]

    def hidden(self) -> set[tuple[str, str]]:
        return {(each.tier, each.part) for each in self.open if each.silent}

    def strike(self) -> None:
        """One copy of one part, or one volume, is lost or gets another bit."""
        tier = self.lot.choice((HDFS, NEARLINE, TAPE))
        if tier == TAPE:
            self._strike_volume()
        else:
            self._strike_part(tier)

    def _strike_part(self, tier: str) -> None:
        part = self._chosen(tier)
        if part is not None:
            silent = self._broken(self.truth.folder / tier / part, tier, 0, None)
            self.open.append(Damage(tier, part, silent))

    def _chosen(self, tier: str) -> str | None:
        """A part with a whole copy there and another one elsewhere, of an exam of which nothing is broken."""
        names = sorted(self.truth.studies)
        for part in self.lot.sample(names, min(5, len(names))):
            if tier in self.truth.whole(part) and self._may_break(part):
                return part
        return None

    def _may_break(self, part: str) -> bool:
        broken = {self.truth.studies.get(each.part) for each in self.open}
        return self.truth.studies.get(part) not in broken and len(self.truth.whole(part)) >= 2

    def _strike_volume(self) -> None:
        for name in self.lot.sample(list(self.truth.volumes), min(3, len(self.truth.volumes))):
            at = self.truth.folder / "library" / f"{name}.tar"
            members = self.truth.volumes[name].members
            if at.exists() and members and all(map(self._may_break, members)):
                part = self.lot.choice(sorted(members))
                _, offset, size = members[part]
                self._broken(at, TAPE, offset, size)
                self.open += [Damage(TAPE, each, True) for each in members if TAPE not in self.truth.whole(each)]
                return

    def _broken(self, at: Path, tier: str, offset: int, size: int | None) -> bool:
        """Whether it still lies there, with another bit."""
        if self.lot.random() < 0.5:
            at.unlink()
            self.count(f"{tier}: lost")
            return False
        data = bytearray(at.read_bytes())
        data[offset + self.lot.randrange(size or len(data))] ^= 1 << self.lot.randrange(8)
        at.write_bytes(data)
        self.count(f"{tier}: bit flipped")
        return True


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """A store that is not mounted."""
    elsewhere = folder.with_name(folder.name + ".away")
    folder.rename(elsewhere)
    try:
        yield
    finally:
        if folder.exists():  # what was written to the empty mount point
            _emptied(folder)
        elsewhere.rename(folder)


def _emptied(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


@contextmanager
def full(folder: Path, after: int) -> Iterator[None]:
    """A disk that takes no more bytes after so many writes (ENOSPC, writev(2))."""
    real, left = os.writev, after

    def writev(fd: int, buffers: Any) -> int:
        nonlocal left
        if os.readlink(f"/proc/self/fd/{fd}").startswith(f"{folder}/"):
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, buffers)

    os.writev = writev
    try:
        yield
    finally:
        os.writev = real


@contextmanager
def racing(changes: Callable[[str], None]) -> Iterator[None]:
    """Somebody writes to a file between its last reading and its move."""
    real = Aside.take

    def take(self: Aside, run: str, path: bytes) -> AsideFile:
        changes(os.fsdecode(path))
        return real(self, run, path)

    Aside.take = take  # type: ignore[method-assign]
    try:
        yield
    finally:
        Aside.take = real  # type: ignore[method-assign]
