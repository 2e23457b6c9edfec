"""Reduce: the descriptions of one exam folder become one S-DICOM file for each of its studies.

Every length and digest is known before the first byte is written, so the file is written front to back in one stream;
each SAN file is read a second time and compared with its description on the way.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from operator import attrgetter

from sdfo import crashpoints
from sdfo.ahead import ahead
from sdfo.converter import assign
from sdfo.converter.describe import Problem
from sdfo.converter.waiting_heads import WaitingHeads
from sdfo.errors import Changed, EngineError, OutOfRange, SanError
from sdfo.model import Description, ExamOutcome, ExamTask, Fate, FileOutcome, FileStamp, Form, PartOutcome
from sdfo.sdicom import Apart, Plan, Record, apart_name, escape_name, in_order, part_name, plan, write
from sdfo.spool import Spool
from sdfo.stores import CHUNK, Store, anew
from sdfo.tiers.san import San, SanFile


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a conversion works: the SAN it reads, the store it writes to, the folder of its attempts, its limit.

    `threads` read, hash and compress ahead of what is being written: more than one where a core would be idle else.
    """

    san: San
    store: Store
    site: str
    attempts: str
    max_record: int
    threads: int = 1


class _Moved(Changed):
    """A file is not what was described: the exam is unsettled."""

    def __init__(self, stamp: FileStamp, what: str) -> None:
        super().__init__(what)
        self.problem = Problem(stamp, Fate.CHANGED, what)


def merge(task: ExamTask, described: Iterable[Description | Problem], desk: Desk) -> ExamOutcome:
    """Write one attempt per study of an exam folder. `described`: one per file of the task, in any order.

    A file that changed or vanished unsettles the whole exam: nothing of it is archived tonight. One that cannot be
    read does not: the others are archived. `EngineError` if a description is missing or came twice.
    """
    began = time.monotonic()
    with Spool() as spool:
        heads = WaitingHeads(spool)
        kept = [d if isinstance(d, Problem) else heads.keep(d) for d in described]
        _complete(task, kept)
        crashpoints.passing("convert.described")
        problems = {d.stamp.name: d for d in kept if isinstance(d, Problem)}
        try:
            if any(problem.fate is Fate.CHANGED for problem in problems.values()):
                outcome = _unsettled(task, problems)
            else:
                outcome = _Merge(task, desk, heads).of(kept)
        except _Moved as error:
            outcome = _unsettled(task, problems | {error.problem.stamp.name: error.problem})
    return replace(outcome, seconds=time.monotonic() - began)


def _complete(task: ExamTask, kept: list[Description | Problem]) -> None:
    """A file that an engine lost on the way must not be lost in silence."""
    if sorted(d.stamp.name for d in kept) != sorted(stamp.name for stamp in task.files):
        raise EngineError("not one description per file came to be merged", expected=len(task.files), found=len(kept))


def _unsettled(task: ExamTask, problems: Mapping[bytes, Problem]) -> ExamOutcome:
    files = tuple(_unarchived(stamp, n, problems.get(stamp.name)) for n, stamp in enumerate(task.files))
    moved = sum(file.fate is Fate.CHANGED for file in files)
    reason = f"{moved} file(s) changed or vanished while the exam was read"
    return ExamOutcome(task.folder_id, task.folder, files, reason=reason)


def _unarchived(stamp: FileStamp, ordinal: int, problem: Problem | None) -> FileOutcome:
    if problem is None:
        return FileOutcome(stamp, ordinal, Fate.SETTLING)
    return FileOutcome(stamp, ordinal, problem.fate, reason=problem.reason)


class _Merge:
    def __init__(self, task: ExamTask, desk: Desk, heads: WaitingHeads) -> None:
        self.task, self.desk, self.heads = task, desk, heads
        self.known = frozenset(task.known)
        self.ordinals = {stamp.name: n for n, stamp in enumerate(task.files)}

    def of(self, kept: list[Description | Problem]) -> ExamOutcome:
        whole = sorted((d for d in kept if isinstance(d, Description)), key=lambda d: d.stamp.name)
        files = [_unarchived(p.stamp, self.ordinals[p.stamp.name], p) for p in kept if isinstance(p, Problem)]
        parts = list[PartOutcome]()
        studies = assign.by_study(whole, self.desk.site, self.task.folder, self.task.home)
        for study, members in sorted(studies.items()):
            files += [self._outcome(d, Fate.ARCHIVED, study) for d in members]
            fresh = [d for d in members if (study, d.sha256) not in self.known]
            if fresh:
                parts.append(self._part(study, fresh, len(parts)))
        if not studies:
            files += [self._outcome(d, Fate.NO_EXAM, None) for d in whole]
        files.sort(key=attrgetter("ordinal"))
        return ExamOutcome(self.task.folder_id, self.task.folder, tuple(files), tuple(parts))

    def _outcome(self, d: Description, fate: Fate, study: str | None) -> FileOutcome:
        alias = study is not None and (study, d.sha256) in self.known
        return FileOutcome(d.stamp, self.ordinals[d.stamp.name], fate, d.kind, d.reason, study, d.sha256, alias)

    def _part(self, study: str, members: list[Description], number: int) -> PartOutcome:
        inside = [d for d in members if d.stamp.size <= self.desk.max_record]
        beside = [d for d in members if d.stamp.size > self.desk.max_record]
        rows = in_order([_record(d) for d in inside])
        by_name = {escape_name(d.stamp.name): d for d in inside}
        ordered = [by_name[row.name] for row in rows]
        heads = (self._head(d) for d in ordered if d.head_length is not None)
        apart = [_apart(study, d) for d in beside]
        planned = plan(study, self.task.folder, rows, heads, apart, self.desk.threads)
        path = part_name(study, min((d.study_date for d in members if d.study_date), default=None), planned.check)
        size = planned.size + sum({d.sha256: d.stamp.size for d in beside}.values())
        flag = assign.flag(study, self.desk.site, self.task.folder)

        def write() -> PartOutcome:
            attempt = f"{self.desk.attempts}/{self.task.folder_id}-{number}-{secrets.token_hex(6)}/"
            moves = self._write_apart(study, beside, attempt, path.rpartition("/")[0])
            part = self._write(planned, ordered, f"{attempt}part.sdicom")
            return PartOutcome(study, part, path, planned.check, size, len(rows), moves, flag)

        return anew(self.desk.store.write_retry_seconds, write)

    def _head(self, d: Description) -> bytes:
        """Head and tail of a file; those too long for a description are read from the SAN once more.

        That these are the bytes of the file that was described is seen by the verifier, which compares the head block
        with the values.
        """
        head = self.heads.of(d)
        if head is not None:
            return head
        with self._reading(d) as file:
            length, tail = d.head_length or 0, d.tail_length or 0
            return file.read(0, length) + file.read(d.stamp.size - tail, tail)

    def _write(self, planned: Plan, ordered: list[Description], attempt: str) -> str:
        with self.desk.store.create(attempt) as sink, ahead(self._value, ordered, self.desk.threads) as values:
            crashpoints.passing("convert.attempt-open", planned.study)
            write(sink, planned, map(_passing, values))
        crashpoints.passing("convert.attempt-closed")
        return attempt

    def _write_apart(
        self, study: str, beside: list[Description], attempt: str, folder: str
    ) -> tuple[tuple[str, str], ...]:
        moves = list[tuple[str, str]]()
        for d in {d.sha256: d for d in beside}.values():
            name = apart_name(study, d.sha256)
            moves.append((f"{attempt}{name}", f"{folder}/{name}"))
            with self.desk.store.create(moves[-1][0]) as sink:
                for chunk in _passing(self._value(d)):
                    sink.write(chunk)
        return tuple(moves)

    def _value(self, d: Description) -> Iterable[bytes]:
        """A file's bytes. What is one piece has been read and compared when this returns; the rest, as it is taken."""
        pieces = self._pieces(d)
        return list(pieces) if d.stamp.size <= CHUNK else pieces

    def _pieces(self, d: Description) -> Iterator[bytes]:
        """A file's bytes; `_Moved` after the last one if they are not those that were described."""
        digest = sha256()
        with self._reading(d) as file:
            for chunk in file.stream():
                digest.update(chunk)
                yield chunk
            if digest.hexdigest() != d.sha256:
                raise Changed("a file's bytes changed between two readings")

    @contextmanager
    def _reading(self, d: Description) -> Iterator[SanFile]:
        """A described file, once more. `_Moved` if it cannot be read any more, or is another one before or after."""
        try:
            with self.desk.san.open(self.task.folder, d.stamp.name) as file:
                file.require(d.stamp)
                yield file
                file.require(d.stamp)
        except (SanError, OutOfRange) as error:
            raise _Moved(d.stamp, error.what) from error


def _passing(value: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in value:
        crashpoints.passing("convert.attempt-half")
        yield chunk


def _record(d: Description) -> Record:
    return Record(
        name=escape_name(d.stamp.name),
        kind=d.kind,
        reason=d.reason,
        sop=d.sop,
        series=d.series,
        sop_class=d.sop_class,
        transfer_syntax=d.transfer_syntax,
        length=d.stamp.size,
        form=Form.FILE,
        sha256=d.sha256,
        pixels=d.pixels,
        original=None,
        head=d.head_length,
        tail=d.tail_length,
        frames=d.frames,
    )


def _apart(study: str, d: Description) -> Apart:
    return Apart(
        name=escape_name(d.stamp.name),
        path=apart_name(study, d.sha256),
        length=d.stamp.size,
        sha256=d.sha256,
        kind=d.kind,
        reason=d.reason,
        sop=d.sop,
        series=d.series,
        sop_class=d.sop_class,
        transfer_syntax=d.transfer_syntax,
        pixels=d.pixels,
        head=d.head_length,
        tail=d.tail_length,
        frames=d.frames,
    )
