"""The calls of the catalog for the care of copies: reading them again, holds, what the gate asks, and what went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from random import Random
from typing import Any

from sdfo.catalog import copies, freeing, holds, leases, proving
from sdfo.catalog.copies import CopyRow, PartRow
from sdfo.catalog.engine import clock
from sdfo.catalog.freeing import ExamFacts, Freed, InGrace, OldFolder
from sdfo.catalog.holds import Hold, HoldKind
from sdfo.catalog.leases import Lease
from sdfo.catalog.transactions import Transactions
from sdfo.model import FileStamp, Tier


class Removal(Transactions):
    """Part of `Catalog`."""

    # Holds: holds.py

    def hold(self, kind: HoldKind, subjects: Sequence[str], reason: str, who: str) -> int:
        """Keep every copy of these exams, or of all exams of these patients; the hold's number."""
        with self._recording() as (conn, lines):
            number, line = holds.place(conn, kind, subjects, reason, who, clock(conn))
            lines.append(line)
            return number

    def release_hold(self, number: int, who: str) -> None:
        """Releasing again changes nothing; `NotFound` if there is no such hold."""
        with self._recording() as (conn, lines):
            line = holds.release(conn, number, who, clock(conn))
            lines += [line] if line else []

    def holds(self, *, released: bool = False) -> list[Hold]:
        """Those in force, or all that ever were."""
        with self.database.read() as conn:
            return holds.holds(conn, released=released)

    def held(self, studies: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """By study: the holds that cover it now; one without is left out."""
        with self.database.read() as conn:
            return holds.on(conn, studies)

    # The gate, and what went from the SAN: freeing.py

    def now(self) -> datetime:
        """The database's clock."""
        with self.database.read() as conn:
            return clock(conn)

    def old_folders(self, before: datetime) -> list[OldFolder]:
        """Exam folders with archived files that were first seen before this moment, oldest first."""
        with self.database.read() as conn:
            return freeing.old_folders(conn, before)

    def on_san(self) -> tuple[int, int]:
        """Archived files that the SAN still has, and their bytes."""
        with self.database.read() as conn:
            return freeing.on_san(conn)

    def exam_facts(self, studies: Iterable[str], folder_id: int | None = None) -> dict[str, ExamFacts]:
        """What the gate asks about exams, all of one moment."""
        with self.database.read() as conn:
            return freeing.exams(conn, studies, folder_id)

    def may_go(self, lease: Lease, study: str, folder_id: int | None = None) -> bool:
        """Asked right before a removal: `Fenced` if a later step took over; False if somebody holds the exam meanwhile, or
        set something of it aside."""
        with self.database.read() as conn:
            leases.check(conn, lease)
            return not holds.on(conn, [study]) and not freeing.open_entries(conn, study, folder_id)

    def free(
        self, lease: Lease, run: str, files: Sequence[Freed], emptied: Iterable[bytes] = (), at: datetime | None = None
    ) -> None:
        """SAN files that were moved aside under the lease's token, at a moment by the gate's clock (now), and exam folders that
        are gone with them."""
        with self._recording(lease.token) as (conn, lines):
            leases.check(conn, lease)
            lines.append(freeing.free(conn, run, files, emptied, at or clock(conn)))

    def in_grace(self) -> list[InGrace]:
        """SAN files that lie aside, oldest first."""
        with self.database.read() as conn:
            return freeing.in_grace(conn)

    def known_file(self, folder: bytes, name: bytes) -> Freed | None:
        """What was archived, or freed, at this place of the SAN."""
        with self.database.read() as conn:
            return freeing.known(conn, folder, name)

    def forget_in_grace(self, lease: Lease, gone: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Files (run, folder, name) that lie aside no more."""
        with self._recording(lease.token) as (conn, lines):
            leases.check(conn, lease)
            lines.append(freeing.forget(conn, gone))

    def gate_marks(self) -> dict[str, tuple[datetime, dict[str, Any]]]:
        """What the gate remembers, by name: since when, and what."""
        with self.database.read() as conn:
            return freeing.marks(conn)

    def mark_gate(self, name: str, value: dict[str, Any] | None) -> None:
        """Remember it, or (None) no longer."""
        with self.database.write() as conn:
            if value is None:
                freeing.unmark(conn, name)
            else:
                freeing.mark(conn, name, value, clock(conn))

    # Reading copies again: proving.py

    def oldest_copies(self, tiers: Iterable[Tier], most: int, before: datetime) -> list[tuple[PartRow, CopyRow]]:
        """Copies on these tiers that are not known to be damaged and were not read since `before`: those first that were not
        read for the longest."""
        with self.database.read() as conn:
            return proving.oldest(conn, tiers, most, before)

    def forget_ahead(self, lease: Lease, tiers: Iterable[Tier]) -> None:
        """Copies that were read at a moment still to come, by a clock that was ahead, count as never read."""
        with self.database.write() as conn:
            leases.check(conn, lease)
            proving.forget_ahead(conn, tiers, clock(conn) + freeing.APART)

    def size_of_copies(self, tiers: Iterable[Tier]) -> int:
        """Bytes of the copies on these tiers that are not known to be damaged."""
        with self.database.read() as conn:
            return proving.size(conn, tiers)

    def some_copies(self, tier: Tier, most: int, random: Random) -> list[tuple[PartRow, CopyRow]]:
        """So many whole copies on a tier, drawn by lot."""
        with self.database.read() as conn:
            return proving.sample(conn, tier, most, random)

    def copy_at(self, tier: Tier, path: str) -> tuple[PartRow, CopyRow] | None:
        """The copy that lies, or lay, at this path."""
        with self.database.read() as conn:
            return proving.at(conn, tier, path)

    def originals(self, part_id: int) -> list[str]:
        """SHA-256 of each file that a part holds, as it was received; ascending."""
        with self.database.read() as conn:
            return proving.originals(conn, part_id)

    def made_of(self, part_id: int) -> tuple[int, tuple[FileStamp, ...]] | None:
        """The exam folder's id and the files in it that a part was made of; None if the SAN has not all of them any more."""
        with self.database.read() as conn:
            return proving.made_of(conn, part_id)

    def mark_copies(self, lease: Lease, marks: Iterable[tuple[int, str, str, str | None]]) -> None:
        """`mark_copy` of many (part, tier, state, why), in one transaction under the lease's token."""
        with self._recording(lease.token) as (conn, lines):
            leases.check(conn, lease)
            lines += [copies.mark(conn, part_id, tier, state, clock(conn), why) for part_id, tier, state, why in marks]
