"""The ledger of a night: every file that the scan saw, in exactly one line, per folder and in all.

    seen = archived tonight + already archived + settling + waiting for the first load
           + changed or vanished meanwhile + unreadable + not a regular file + in no exam + set aside with its exam

A file that stands in no line (a step did not finish) leaves the ledger out of balance, and the night is not a good one.
Damaged, apart, alias and quarantined are flags of files counted inside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sdfo.model import ExamOutcome, Fate, FileOutcome, Kind
from sdfo.nightly.publish import PublishedPart
from sdfo.nightly.scan import Seen


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts of files. Two ledgers add up line by line."""

    seen: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)
    damaged: int = 0
    alias: int = 0

    @property
    def missing(self) -> int:
        """Files that were seen and stand in no line."""
        return self.seen - sum(self.lines.values())

    @property
    def balanced(self) -> bool:
        return self.missing == 0

    def __add__(self, other: Ledger) -> Ledger:
        lines = Counter(self.lines)
        lines.update(other.lines)
        return Ledger(self.seen + other.seen, dict(lines), self.damaged + other.damaged, self.alias + other.alias)


Settled = Mapping[tuple[int, str], PublishedPart]
"""What publish answered, by folder id and study."""


def of_folder(seen: Seen, outcome: ExamOutcome | None, published: Settled | None) -> Ledger:
    """One folder's ledger. `outcome` is None where convert did not get to it, `published` where publish did not run."""
    lines = Counter(
        {
            Fate.ALREADY: seen.already,
            Fate.SETTLING: seen.settling,
            Fate.WAITING: seen.waiting,
            Fate.IRREGULAR: seen.irregular,
            Fate.UNREADABLE: seen.unreadable,
            Fate.NO_EXAM: seen.no_exam,
            Fate.SET_ASIDE: seen.set_aside,
        }
    )
    files = () if outcome is None else outcome.files
    judged = [f for f in (judge(f, seen.folder_id, published) for f in files) if f is not None]
    lines.update(f.fate for f in judged)
    return Ledger(
        seen.files,
        {str(fate): lines[fate] for fate in Fate},
        damaged=sum(f.kind is Kind.DAMAGED for f in judged),
        alias=sum(f.alias for f in judged),
    )


def judge(file: FileOutcome, folder_id: int, published: Settled | None) -> FileOutcome | None:
    """What finally became of a file that convert answered for; None if that is not known yet."""
    if file.fate is not Fate.ARCHIVED:
        return file
    answer = None if published is None or file.study is None else published.get((folder_id, file.study))
    if answer is None:
        return None
    return file if answer.committed else replace(file, fate=Fate.SET_ASIDE, reason=answer.reason)


def total(ledgers: Iterable[Ledger]) -> Ledger:
    return sum(ledgers, Ledger(0, {str(fate): 0 for fate in Fate}))
