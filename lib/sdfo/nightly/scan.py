"""Step 1, scan: list the SAN, tell which exam folders are settled, and write down what convert is to do.

A folder is settled when its listing equals the one kept from an earlier look and its newest file has lain still for
`san.settle_minutes`. A folder never listed before gets its second look within the same scan.

An exam older than `backfill.days` of which nothing was ever archived is left to the first load: it is counted, not read.
A slice of the first load (backfill.py) looks at the newest of those alone.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sdfo import crashpoints, heads
from sdfo.catalog import SanFile, SanFolder
from sdfo.catalog.backlog import TAKEN, WAITING
from sdfo.errors import Vanished
from sdfo.model import ExamTask, FileStamp
from sdfo.nightly import fuses
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.place import LAST_SCAN, Place
from sdfo.nightly.turn import Turn, turn
from sdfo.tiers.san import Listing

TASKS, SEEN = "exams.parquet", "seen.parquet"
ENGINE = "engine"
"""The kind of quarantine entry that keeps an exam out of the night: it kills its worker."""
ARCHIVED = ("archived", "alias")
"""States of a SAN file whose bytes the archive holds."""
SLICE_EXAMS = 2000
"""Exam folders in a slice at most, however small they are: its page and its manifests stay readable."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scan counted in one exam folder: files = already + settling + waiting + irregular + unreadable
    + no_exam + aside + tasked.

    `links`: irregular ones that lead out of the SAN. `closed`: what cannot be listed. `strays`: what lies above exam
    depth (folder_id 0) and so in no exam.
    """

    folder_id: int
    folder: bytes
    files: int
    already: int = 0
    settling: int = 0
    waiting: int = 0
    irregular: int = 0
    unreadable: int = 0
    no_exam: int = 0
    set_aside: int = 0
    tasked: int = 0
    links: tuple[bytes, ...] = ()
    closed: tuple[bytes, ...] = ()
    strays: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanReport:
    folders: int = 0
    files: int = 0
    exams: int = 0
    tasked: int = 0
    already: int = 0
    settling: int = 0
    waiting: int = 0
    bytes: int = 0


def scan(place: Place, progress: Progress = silent, most: int | None = None) -> ScanReport:
    """Look at the whole SAN, or at a slice of the first load: its newest exams, up to the one with which they have `most` bytes.

    `WrongSan` if the SAN is not mounted, `Fuse` if it shows too few of the known folders.
    """
    with turn(place, "scan") as mine:
        looked = _Scan(place, mine, progress) if most is None else _Slice(place, mine, progress, most)
        looked.run()
        crashpoints.passing("scan.listed")
        mine.check()
        looked.keep_states()
        place.store.replace(LAST_SCAN, place.run.encode())
        place.write(TASKS, looked.tasks, ExamTask)
        place.write(SEEN, looked.seen, Seen)
        crashpoints.passing("scan.manifest")
        mine.report = looked.report()
    report: ScanReport = mine.report
    return report


class _Scan:
    def __init__(self, place: Place, mine: Turn, progress: Progress) -> None:
        self.place, self.mine, self.progress = place, mine, progress
        self.settle = place.settings.san.settle_minutes * 60
        self.known = self._known()
        self.listings = {path: row.listing for path, row in self.known.items() if row.listed_at is not None}
        entries = place.catalog.quarantine(None)
        self.aside = {row.folder_id for row in entries if row.kind == ENGINE and row.state in ("open", "accepted")}
        self.tried = {row.folder_id for row in entries}
        self.tasks: list[ExamTask] = []
        self.seen: list[Seen] = []
        self.states: dict[str, list[int]] = defaultdict(list)

    def _known(self) -> dict[bytes, SanFolder]:
        return {path: row for path, row in self.place.catalog.folders().items() if row.state != "freed"}

    def run(self) -> None:
        exams, strays, closed = self.place.san.exams()
        gone = self.known.keys() - set(exams)
        fuses.shrunk(len(self.known) - len(gone), len(self.known), self.place.settings.limits)
        self._above(strays, closed)
        for folder in sorted(gone):
            self._free(folder, closed)
        again = [folder for folder in self._counted(exams) if not self._look(folder, may_wait=self.settle > 0)]
        if again:
            self._wait()
        for folder in again:
            self._look(folder, may_wait=False)

    def _above(self, strays: tuple[bytes, ...], closed: tuple[bytes, ...]) -> None:
        row = Seen(0, b"", len(strays) + len(closed), closed=closed, strays=strays)
        self.seen.append(replace(row, no_exam=len(strays), unreadable=len(closed)))

    def _free(self, folder: bytes, closed: tuple[bytes, ...]) -> None:
        """Somebody took a folder away, else it would count against the fuse for ever; unless it cannot be seen tonight."""
        if not any(folder.startswith(above + b"/") for above in closed):
            self.mine.check()
            folder_id = self.known[folder].id
            self.place.catalog.forget_files(folder_id, self.place.catalog.files(folder_id))
            self.states["freed"].append(folder_id)

    def keep_states(self) -> None:
        for state, ids in self.states.items():
            self.place.catalog.set_folder_state(ids, state)

    def _counted(self, exams: Sequence[bytes]) -> Iterator[bytes]:
        for number, folder in enumerate(exams, 1):
            yield folder
            self.progress(number, len(exams), "folders listed")

    def _wait(self) -> None:
        """Until the folders seen for the first time have had their time to change."""
        until = time.monotonic() + self.settle
        while (left := until - time.monotonic()) > 0:
            self.progress(int(self.settle - left), int(self.settle), "seconds for new folders to settle")
            time.sleep(min(left, 10))

    def _look(self, folder: bytes, *, may_wait: bool) -> bool:
        """List a folder and count it. False if it was never listed before and shall be looked at once more."""
        row = self.known.get(folder)
        if row is not None and self._rests(row):
            self.seen.append(Seen(row.id, folder, row.files, already=row.files))
            return True
        if row is not None and self._still_waits(row):
            self.seen.append(Seen(row.id, folder, row.files, waiting=row.files))
            return True
        try:
            listing = self.place.san.list(folder)
        except Vanished:
            return True  # between the listing of the root and now: no file of it was seen
        self.mine.check()
        if self._waits(row, listing):
            folder_id = self._keep(folder, listing, listing.seen, WAITING)
            self.seen.append(Seen(folder_id, folder, listing.seen, waiting=listing.seen))
            return True
        return self._take(folder, listing, may_wait=may_wait)

    def _take(self, folder: bytes, listing: Listing, *, may_wait: bool, state: str = "receiving") -> bool:
        first, settled = folder not in self.listings, self._settled(folder, listing)
        self.listings[folder] = listing.digest()
        folder_id = self._keep(folder, listing, len(listing.files), state)
        if first and may_wait:
            return False
        self._count(folder_id, folder, listing, settled)
        return True

    def _keep(self, folder: bytes, listing: Listing, files: int, state: str) -> int:
        return self.place.catalog.keep_listing(
            folder, listing.digest(), listing.written_ns, listing.folders, files, datetime.now(UTC), state
        )

    def _waits(self, row: SanFolder | None, listing: Listing) -> bool:
        """Whether a folder is the first load's: old, and neither a slice, nor a night, nor a person has dealt with it."""
        if not listing.files or not self._is_old(listing.written_ns):
            return False
        if row is None:
            return True
        if row.state == TAKEN or row.id in self.tried:
            return False
        return not any(file.state in ARCHIVED for file in self.place.catalog.files(row.id).values())

    def _still_waits(self, row: SanFolder) -> bool:
        """The same of a folder known to wait, without a listing: no name came or went since."""
        return row.state == WAITING and self._is_old(row.newest_ns) and self.place.san.unchanged(row.path, row.dirs)

    def _is_old(self, written_ns: int) -> bool:
        days = self.place.settings.backfill.days
        return days > 0 and written_ns / 1e9 < time.time() - days * 86400

    def _rests(self, row: SanFolder) -> bool:
        """Whether an archived folder needs no listing tonight: no name came or went, and the last one is recent."""
        if row.listed_at is None:
            return False
        recent = datetime.now(UTC) - row.listed_at < timedelta(days=self.place.settings.san.relist_days)
        return row.state == "archived" and recent and self.place.san.unchanged(row.path, row.dirs)

    def _settled(self, folder: bytes, listing: Listing) -> bool:
        age = time.time() - listing.newest_ns / 1e9
        lain = age >= self.settle or age < -self.settle  # a clock far ahead of ours says nothing of age
        return self.settle == 0 or (self.listings.get(folder) == listing.digest() and lain)

    def _count(self, folder_id: int, folder: bytes, listing: Listing, settled: bool) -> None:
        noted = self.place.catalog.files(folder_id)
        new = [stamp for stamp in listing.files if not _is_archived(noted.get(stamp.name), stamp)]
        self._note(folder_id, folder, listing, new, noted)
        aside = settled and folder_id in self.aside
        line = "settling" if not settled else "set_aside" if aside else "tasked"
        row = Seen(
            folder_id,
            folder,
            listing.seen,
            already=len(listing.files) - len(new),
            irregular=len(listing.irregular),
            unreadable=len(listing.closed),
            links=tuple(name for name, leads_out in listing.irregular if leads_out),
            closed=listing.closed,
        )
        self.seen.append(replace(row, **{line: len(new)}))  # type: ignore[arg-type]  # a field of type int
        if settled and new and not aside:
            self.tasks.append(self._task(folder_id, folder, new, noted))
        rests = not new and listing.seen == len(listing.files)
        self.states["receiving" if not settled else "archived" if rests else self._undone(folder)].append(folder_id)

    def _undone(self, folder: bytes) -> str:
        """What a settled folder is of which something is not archived."""
        row = self.known.get(folder)
        return TAKEN if row is not None and row.state == TAKEN else "settled"

    def _note(
        self, folder_id: int, folder: bytes, listing: Listing, new: list[FileStamp], noted: dict[bytes, SanFile]
    ) -> None:
        """Tell the catalog what is new, and what is gone: not of a folder in which something cannot be looked at tonight."""
        unread = [stamp for stamp in new if not _shows(noted.get(stamp.name), stamp)]
        if unread:
            self.place.catalog.note_files(folder_id, *heads.look(self.place.san, folder, unread))
        here = {stamp.name for stamp in listing.files}
        gone = [name for name, file in noted.items() if name not in here and file.state != "freed"]
        if gone and not listing.closed:
            self.place.catalog.forget_files(folder_id, gone)

    def _task(self, folder_id: int, folder: bytes, new: list[FileStamp], noted: dict[bytes, SanFile]) -> ExamTask:
        earlier = Counter(f.study for f in noted.values() if f.study and f.state in ARCHIVED)
        home = min(earlier, key=lambda uid: (-earlier[uid], uid), default=None)
        now = self.place.catalog.files(folder_id)
        held = self.place.catalog.digests(sorted({f.study for f in (*noted.values(), *now.values()) if f.study}))
        known = tuple(sorted((study, digest) for study, digests in held.items() for digest in digests))
        return ExamTask(folder_id, folder, tuple(new), known, home)

    def report(self) -> ScanReport:
        def total(name: str) -> int:
            return sum(getattr(row, name) for row in self.seen)

        return ScanReport(
            folders=sum(row.folder_id > 0 for row in self.seen),
            files=total("files"),
            exams=len(self.tasks),
            tasked=total("tasked"),
            already=total("already"),
            settling=total("settling"),
            waiting=total("waiting"),
            bytes=sum(task.size for task in self.tasks),
        )


class _Slice(_Scan):
    """Of the first load: its newest exam folders alone, and no look at any other. They wait until all is published."""

    def __init__(self, place: Place, mine: Turn, progress: Progress, most: int) -> None:
        super().__init__(place, mine, progress)
        self.most = most

    def _known(self) -> dict[bytes, SanFolder]:
        return {row.path: row for row in self.place.catalog.waiting(SLICE_EXAMS)}

    def run(self) -> None:
        size, gone = 0, list[bytes]()
        for folder in self.known:
            try:
                listing = self.place.san.list(folder)
            except Vanished:
                gone.append(folder)
                continue
            self.mine.check()
            self._take(folder, listing, may_wait=False, state=WAITING)
            size += sum(stamp.size for stamp in listing.files)
            self.progress(min(size, self.most), self.most, "bytes chosen")
            if size >= self.most:
                break
        self._without(gone)

    def _without(self, gone: list[bytes]) -> None:
        """Folders that somebody took away; many of them are a SAN that is half mounted."""
        limits, looked = self.place.settings.limits, len(gone) + len(self.seen)
        if len(gone) >= limits.same_error_files:
            fuses.shrunk(looked - len(gone), looked, limits)
        for folder in gone:
            self._free(folder, ())

    def _undone(self, folder: bytes) -> str:
        return WAITING


def _is_archived(known: SanFile | None, stamp: FileStamp) -> bool:
    return known is not None and known.state in ARCHIVED and _shows(known, stamp)


def _shows(known: SanFile | None, stamp: FileStamp) -> bool:
    """Whether the catalog knows the file as it lies there now; not one that was gone and is back."""
    if known is None or known.state == "freed":
        return False
    return FileStamp(known.name, known.size, known.mtime_ns, known.ctime_ns) == stamp
