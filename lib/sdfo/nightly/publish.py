"""Step 4, publish: verified attempts get the names of their content, and the catalog learns of them.

In batches of 50 exams, each batch one transaction that checks the run's token. A rename that finds its target there, or
its source gone, reads the target's header: an equal check means that it was done before; anything else is an unknown
outcome, and nothing is cleaned up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sdfo import crashpoints
from sdfo.catalog import FileMark, PartEntry, Published, QuarantineNote
from sdfo.catalog.headers import entry_of
from sdfo.catalog.quarantine import PART
from sdfo.errors import Conflict, Exists, FormatError, Missing, OutOfRange, UsageError
from sdfo.model import ExamOutcome, Fate, Kind, PartOutcome, Tier
from sdfo.nightly.convert import VERDICTS, outcomes
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.job import Verdict
from sdfo.nightly.place import Place
from sdfo.nightly.scan import ENGINE, SEEN, Seen
from sdfo.nightly.turn import Turn, turn
from sdfo.sdicom import Part

BATCH = 50
"""Exams in one transaction: long enough to be fast, short enough that a lost one costs seconds."""
PUBLISHED = "published.parquet"


@dataclass(frozen=True, slots=True)
class PublishedPart:
    """What became of one study of one exam folder; `check` is None where only aliases were noted."""

    folder_id: int
    study: str
    state: str
    check: str | None = None
    path: str | None = None
    ordinal: int | None = None
    reason: str | None = None

    @property
    def committed(self) -> bool:
        return self.state in ("new", "already", "alias")


@dataclass(frozen=True, slots=True)
class PublishReport:
    parts: int = 0
    new: int = 0
    already: int = 0
    aliases: int = 0
    set_aside: int = 0
    quarantined: int = 0


def publish(place: Place, progress: Progress = silent) -> PublishReport:
    """Publish the run's verified parts. Repeating it after any interruption ends in the same catalog and files."""
    with turn(place, "publish", after="verify") as mine:
        step = _Publish(place, mine)
        step.note_links()
        exams = outcomes(place)
        for start in range(0, len(exams), BATCH):
            step.batch(exams[start : start + BATCH])
            progress(min(start + BATCH, len(exams)), len(exams), "exams published")
        mine.check()
        place.write(PUBLISHED, step.published, PublishedPart)
        mine.report = step.report()
    report: PublishReport = mine.report
    return report


class _Publish:
    def __init__(self, place: Place, mine: Turn) -> None:
        self.place, self.mine = place, mine
        self.verdicts = {v.attempt: v for v in place.read(VERDICTS, Verdict, "verify")}
        self.released = {(row.folder_id, row.name) for row in place.catalog.quarantine("released")}
        self.published: list[PublishedPart] = []

    def batch(self, exams: Sequence[ExamOutcome]) -> None:
        """Move, then tell the catalog, 50 exams at once; then note what was not archived."""
        self.mine.check()
        moved = [(outcome, part) for outcome in exams for part in outcome.parts if self._moved(outcome, part)]
        crashpoints.passing("publish.renamed")
        entries = [self._entry(outcome, part) for outcome, part in moved]
        answers = self.place.catalog.publish(self.mine.lease, self.place.run, entries)
        crashpoints.passing("publish.committed")
        self.published += [_answered(o, p, a) for (o, p), a in zip(moved, answers, strict=True)]
        for outcome in exams:
            self._alias_only(outcome)
            self._note_problems(outcome)

    def _moved(self, outcome: ExamOutcome, part: PartOutcome) -> bool:
        """Give a verified part its name. One that was refused is set aside with its files."""
        if part.attempt not in self.verdicts:
            raise UsageError("convert wrote parts since verify", next_command=f"sdfo verify --run {self.place.run}")
        why = self.verdicts[part.attempt].reason
        if why is None:
            try:
                self._rename(part)
                return True
            except Conflict as error:
                why = str(error)
        self._quarantine(outcome.folder_id, part.study, QuarantineNote(f"part refused: {why}", kind=PART))
        self.published.append(PublishedPart(outcome.folder_id, part.study, "refused", part.check, reason=why))
        return False

    def _rename(self, part: PartOutcome) -> None:
        for old, new in (*part.apart, (part.attempt, part.path)):
            try:
                self.place.store.rename(old, new)
            except (Exists, Missing):
                self._reconcile(part, new)

    def _reconcile(self, part: PartOutcome, at: str) -> None:
        """A name that is taken, or a source that is gone: done before if what lies there is equal. Else keep both."""
        try:
            equal = self._is(part, at)
        except (FormatError, Missing, OutOfRange) as error:
            raise Conflict("what lies at the part's name cannot be read", path=at) from error
        if not equal:
            raise Conflict("another file lies at the part's name", path=at, expected=part.check)

    def _is(self, part: PartOutcome, at: str) -> bool:
        """Of the part its header tells; a file beside it has the beginning of its digest in its name."""
        if at == part.path:
            with Part.open(self.place.store, at) as there:
                return there.check_digest == part.check
        with self.place.store.open(at) as file:
            digest = sha256()
            for piece in file.stream():
                digest.update(piece)
        return at.endswith(f"-{digest.hexdigest()[:16]}.dcm")

    def _entry(self, outcome: ExamOutcome, part: PartOutcome) -> PartEntry:
        with Part.open(self.place.store, part.path) as opened:
            entry = entry_of(opened, part.path, opened.size, Tier.HDFS, "original")
        return replace(entry, files=_marks(outcome, part.study))

    def _alias_only(self, outcome: ExamOutcome) -> None:
        """Studies of which tonight's files hold nothing new."""
        written = {part.study for part in outcome.parts}
        for study in sorted({f.study for f in outcome.files if f.alias and f.study} - written):
            marks = _marks(outcome, study)
            self.place.catalog.publish_aliases(self.mine.lease, self.place.run, study, marks)
            self.published.append(PublishedPart(outcome.folder_id, study, "alias"))

    def _note_problems(self, outcome: ExamOutcome) -> None:
        """Quarantine what was not archived and may need a person: unreadable, changed meanwhile, or a killer.

        And what a person released though it was not mended: its bytes are in the archive already, as damaged as before.
        """
        if any(f.fate is Fate.SET_ASIDE for f in outcome.files):
            self._quarantine(outcome.folder_id, None, QuarantineNote(outcome.reason or ENGINE, kind=ENGINE))
            return
        for file in outcome.files:
            if file.fate in (Fate.UNREADABLE, Fate.CHANGED):
                kind = file.fate.name.lower()
                note = QuarantineNote(file.reason or kind, file.stamp.name, file.ordinal, kind)
                self._quarantine(outcome.folder_id, None, note)
            elif file.alias and file.kind is Kind.DAMAGED and (outcome.folder_id, file.stamp.name) in self.released:
                note = QuarantineNote(file.reason or "damaged", file.stamp.name, file.ordinal, file.kind, file.stamp)
                self._quarantine(outcome.folder_id, file.study, note)

    def note_links(self) -> None:
        """Quarantine links that lead out of the SAN, and folders that cannot be listed."""
        for row in self.place.read(SEEN, Seen, "scan"):
            for name in row.links:
                self._quarantine(
                    row.folder_id or None, None, QuarantineNote("a link leads out of the SAN", name, kind="link")
                )
            for name in row.closed:
                self._quarantine(
                    row.folder_id or None, None, QuarantineNote("cannot be listed", name, kind="unreadable")
                )

    def _quarantine(self, folder_id: int | None, study: str | None, note: QuarantineNote) -> None:
        self.mine.check()
        self.place.catalog.open_quarantine(self.place.run, note, study=study, folder_id=folder_id)

    def report(self) -> PublishReport:
        states = [part.state for part in self.published]
        return PublishReport(
            parts=len(states),
            new=states.count("new"),
            already=states.count("already"),
            aliases=states.count("alias"),
            set_aside=sum(not part.committed for part in self.published),
            quarantined=sum(row.run == self.place.run for row in self.place.catalog.quarantine()),
        )


def _marks(outcome: ExamOutcome, study: str) -> tuple[FileMark, ...]:
    return tuple(
        FileMark(outcome.folder_id, f.stamp, f.sha256, "alias" if f.alias else "archived")
        for f in outcome.files
        if f.study == study and f.fate is Fate.ARCHIVED and f.sha256
    )


def _answered(outcome: ExamOutcome, part: PartOutcome, answer: Published) -> PublishedPart:
    return PublishedPart(
        outcome.folder_id, part.study, answer.state, part.check, part.path, answer.ordinal, answer.reason
    )
