"""Expire: files go from the SAN when every line of the gate is true (gate.py), in two steps, each of which may be repeated.

First a file is moved aside on its own file system, read again there, and put back if it is not what was archived. When its
days of grace are over the gate is asked once more, the file is read once more, and only then it is removed. Before each move
and each removal the lease's token is checked, and that nobody holds the exam meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sdfo import crashpoints
from sdfo.catalog import Freed, InGrace, OldFolder, SanFile
from sdfo.catalog.freeing import HELD
from sdfo.conf import GIB
from sdfo.errors import SanError, WrongSan
from sdfo.model import Tier
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.freeing import gate
from sdfo.nightly.freeing.clock import OURS, Clock
from sdfo.nightly.freeing.facts import Asked, Asking, Candidate, tonight
from sdfo.nightly.freeing.gate import Night
from sdfo.nightly.freeing.tally import Tally
from sdfo.nightly.place import Place
from sdfo.nightly.turn import Turn, turn
from sdfo.tiers.aside import Aside, AsideFile

EXPIRE = "expire"
BATCH = 50
"""Exam folders whose files the catalog is told of at once."""
UNCHANGED = "unchanged since archived"
YOUNG = "first seen long ago"
MEANWHILE = "held or set aside meanwhile"


@dataclass(frozen=True, slots=True)
class Gone:
    """Files of one exam in one folder that went, or would go. The folder's number, never its name."""

    study: str
    folder_id: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ExpireReport:
    """`files` and `bytes` went, or would. `stopped`: files by the lines that stop them, `alone`: of these the ones that one line
    stops alone. `back`: moved and put back, for they had changed. `removed`: for good, once their grace was over; `grace`: files
    that lie in theirs, `kept`: of these the ones whose grace is over, by the lines that keep them. `failed`: by reason. `left`:
    files of exam folders that this run did not come to.
    """

    tier: str
    dry_run: bool
    files: int = 0
    bytes: int = 0
    emptied: int = 0
    stopped: dict[str, int] = field(default_factory=dict)
    alone: dict[str, int] = field(default_factory=dict)
    back: int = 0
    removed: int = 0
    removed_bytes: int = 0
    grace: int = 0
    grace_bytes: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    left: int = 0
    exams: tuple[Gone, ...] = ()


@dataclass(frozen=True, slots=True)
class Logged:
    """What was done with one file: a line of `runs/<run>/expire/`. `ordinal` counts the folder's files by name, from 0."""

    folder_id: int
    ordinal: int
    study: str
    size: int
    what: str


def expire(place: Place, progress: Progress = silent, *, dry_run: bool = False, clock: Clock = OURS) -> ExpireReport:
    """Free the SAN of what may go. `dry_run`: say what would. `WrongSan` if it is not mounted, or swapped meanwhile."""
    night = tonight(place, clock)
    with Aside(place.san, place.san_id) as aside:
        if dry_run:
            return _Expire(place, aside, night, progress, None).run()
        place.catalog.start_run(place.run, "local")
        with turn(place, EXPIRE, lease=EXPIRE) as mine:
            found = _Expire(place, aside, night, progress, mine).run()
            mine.report = replace(found, exams=())
    place.catalog.release(mine.lease)
    return found


class _Expire:
    def __init__(self, place: Place, aside: Aside, night: Night, progress: Progress, mine: Turn | None) -> None:
        self.place, self.aside, self.night, self.progress, self.mine = place, aside, night, progress, mine
        self.tally = Tally()
        self.gone: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.freed: list[Freed] = []
        self.emptied: list[bytes] = []
        self.log: list[Logged] = []
        self.folders = self.size = self.back = self.left = self.batches = self.none_left = 0
        self.removed: list[int] = []
        days = gate.least_days(place.settings.expire, Tier.SAN)
        self.before = night.now - timedelta(days=days or 0)
        self._last: tuple[tuple[str, int], Asking] | None = None

    def run(self) -> ExpireReport:
        if self.mine is not None:
            self._adopt()
        self._take_all()
        if self.mine is not None:
            self._remove_due()
            self.aside.tidy()
        return self._report()

    # ---- first: move aside

    def _take_all(self) -> None:
        folders = self.place.catalog.old_folders(self.before)
        young = self.place.catalog.on_san()[0] - sum(folder.files for folder in folders)
        self.tally.stops((YOUNG,), young)
        most = self.place.settings.expire.gib_per_run * GIB
        for number, folder in enumerate(folders, 1):
            if self.size >= most:
                self.left = sum(each.files for each in folders[number - 1 :])
                break
            self._folder(folder)
            self.progress(number, len(folders), "exam folders")
        self._commit()

    def _folder(self, folder: OldFolder) -> None:
        files = sorted(self.place.catalog.files(folder.id).items())
        held = [(n, file) for n, (_, file) in enumerate(files) if file.state in HELD and self._is_old(file)]
        facts = self.place.catalog.exam_facts({file.study or "" for _, file in held}, folder.id)
        asking = {study: Asking(self.place, self.night, exam) for study, exam in facts.items()}
        before = len(self.freed)
        for ordinal, file in held:
            asked = asking[file.study or ""].closed(Candidate(Tier.SAN, file.first_seen, file.digest))
            if self.tally.stops(asked.lines):
                continue
            try:
                self._file(folder, ordinal, file, asking[file.study or ""], asked)
            except WrongSan:
                raise
            except SanError as error:
                self.tally.failed[error.what] += 1
        if len(self.freed) > before:
            self._after(folder)

    def _is_old(self, file: SanFile) -> bool:
        return file.first_seen is not None and file.first_seen < self.before

    def _file(self, folder: OldFolder, ordinal: int, file: SanFile, asking: Asking, asked: Asked) -> None:
        """One file whose cheap lines are true: the copies are looked at, then it is read, then it goes."""
        path, study = folder.path + b"/" + file.name, file.study or ""
        if not (asked := asking.looked(asked)).lines:
            look = self.aside.look(path)
            differs = None if look.sha256 == file.digest else "it is not what was archived"
            asked = asking.looked(asked, differs)
        if self.tally.stops(asked.lines):
            return
        if self.mine is None or self._moved(folder, file, path):
            self.gone[study, folder.id].append(file.size)
            self.size += file.size
            self.log.append(Logged(folder.id, ordinal, study, file.size, "moved aside"))

    def _moved(self, folder: OldFolder, file: SanFile, path: bytes) -> bool:
        """Whether it lies aside now, and is what was archived: what came to its name since it was read is put back."""
        crashpoints.passing("expire.decided")
        if not self._may_go(file.study or "", folder.id):
            return False
        taken = self.aside.take(self.place.run, path)
        crashpoints.passing("expire.renamed")
        if not self._is(taken, file.digest or ""):
            self._put_back(taken)
            return False
        crashpoints.passing("expire.looked")
        self.freed.append(
            Freed(folder.path, file.name, file.size, file.digest or "", file.study or "", file.first_seen)
        )
        return True

    def _may_go(self, study: str, folder_id: int | None) -> bool:
        """Asked last: the token, the mount, and whether anybody holds the exam meanwhile."""
        if self.mine is None:
            return False
        self.aside.require()
        if self.place.catalog.may_go(self.mine.lease, study, folder_id):
            return True
        return not self.tally.stops((MEANWHILE,))

    def _is(self, taken: AsideFile, sha256: str) -> bool:
        """Not what changes, cannot be read, or is a link or a folder that came to its name."""
        try:
            return self.aside.look_aside(taken).sha256 == sha256
        except WrongSan:
            raise
        except SanError:
            return False

    def _put_back(self, taken: AsideFile) -> None:
        self.aside.put_back(taken)
        self.aside.sync()
        self.back += 1
        crashpoints.passing("expire.put-back")

    def _after(self, folder: OldFolder) -> None:
        """The folder's files lie aside: make that durable, take away what is empty, and now and then tell the catalog."""
        self.aside.sync()
        if self.aside.empty(folder.path, [freed.name for freed in self.freed if freed.folder == folder.path]):
            self.emptied.append(folder.path)
        crashpoints.passing("expire.emptied")
        self.folders += 1
        if self.folders % BATCH == 0:
            self._commit()

    def _commit(self) -> None:
        if self.mine is None or not (self.freed or self.log):
            return
        self.batches += 1
        self.place.write(f"{EXPIRE}/{Tier.SAN}-{self.mine.lease.token}-{self.batches}.parquet", self.log, Logged)
        if self.freed:
            self.place.catalog.free(self.mine.lease, self.place.run, self.freed, self.emptied, self.night.now)
            self.none_left += len(self.emptied)
        crashpoints.passing("expire.committed")
        self.freed, self.emptied, self.log = [], [], []

    # ---- in between: what a kill left aside

    def _adopt(self) -> None:
        """Files aside that the catalog does not know there: those it archived are in their grace from now on, others go back."""
        known = {(each.run, _path(each)) for each in self.place.catalog.in_grace()}
        for taken in [file for file in self.aside.files() if (file.run, file.path) not in known]:
            freed = self._archived(taken)
            try:
                if freed is None or not self._is(taken, freed.sha256):
                    self._put_back(taken)
                    continue
            except WrongSan:
                raise
            except SanError as error:
                self.tally.failed[error.what] += 1
                continue
            emptied = [freed.folder] if self.aside.empty(freed.folder, [freed.name]) else []
            if self.mine is not None:
                self.place.catalog.free(self.mine.lease, taken.run, [freed], emptied, self.night.now)

    def _archived(self, taken: AsideFile) -> Freed | None:
        parts = taken.path.split(b"/")
        depth = self.place.settings.san.exam_depth
        if len(parts) <= depth:
            return None
        return self.place.catalog.known_file(b"/".join(parts[:depth]), b"/".join(parts[depth:]))

    # ---- last: remove what has had its days of grace

    def _remove_due(self) -> None:
        due = self.night.now - timedelta(days=self.place.settings.expire.grace_days)
        here, gone = set(self.aside.files()), list[InGrace]()
        for each in self.place.catalog.in_grace():
            taken = AsideFile(each.run, _path(each))
            if taken not in here:
                gone.append(each)  # by a person, or by a run that was killed then
            elif each.since <= due:
                try:
                    gone += [each] if self._done_with(each, taken) else []
                except WrongSan:
                    raise
                except SanError as error:
                    self.tally.failed[error.what] += 1
            if len(gone) >= BATCH:
                self._forget(gone)
        self._forget(gone)

    def _done_with(self, each: InGrace, taken: AsideFile) -> bool:
        """Whether it lies aside no more: removed, for the gate is open still; or put back, for it is not what was archived."""
        asking = self._asking(each.file.study, each.folder_id)
        asked = asking.closed(Candidate(Tier.SAN, each.file.first_seen, each.file.sha256))
        asked = asked if asked.lines else asking.looked(asked)
        self.tally.kept.update(asked.lines.keys())
        if asked.lines:
            return False
        look = self.aside.look_aside(taken)
        if look.sha256 != each.file.sha256:
            self._put_back(taken)
            return True
        if not self._may_go(each.file.study, each.folder_id):
            return False
        self.aside.unlink(taken, look)
        crashpoints.passing("expire.unlinked")
        self.removed.append(each.file.size)
        return True

    def _asking(self, study: str, folder_id: int) -> Asking:
        """The same for the files of one exam, which come one after the other."""
        if self._last is None or self._last[0] != (study, folder_id):
            exam = self.place.catalog.exam_facts([study], folder_id)[study]
            self._last = (study, folder_id), Asking(self.place, self.night, exam)
        return self._last[1]

    def _forget(self, gone: list[InGrace]) -> None:
        if gone and self.mine is not None:
            files = [(each.run, each.file.folder, each.file.name) for each in gone]
            self.place.catalog.forget_in_grace(self.mine.lease, files)
            crashpoints.passing("expire.forgotten")
            gone.clear()

    def _report(self) -> ExpireReport:
        grace = self.place.catalog.in_grace()
        return ExpireReport(
            tier=Tier.SAN,
            dry_run=self.mine is None,
            files=sum(map(len, self.gone.values())),
            bytes=self.size,
            emptied=self.none_left,
            back=self.back,
            removed=len(self.removed),
            removed_bytes=sum(self.removed),
            grace=len(grace),
            grace_bytes=sum(each.file.size for each in grace),
            left=self.left,
            exams=tuple(Gone(*whose, len(sizes), sum(sizes)) for whose, sizes in self.gone.items()),
            **self.tally.told(),
        )


def _path(each: InGrace) -> bytes:
    return each.file.folder + b"/" + each.file.name
