"""What a night's report says: values alone, for the page, the JSON file and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdfo.nightly.ledger import Ledger

STEPS = ("scan", "convert", "verify", "publish")


Steps = Mapping[str, Mapping[str, Any]]
"""By name: state, started, ended, report."""


def undone(steps: Steps) -> str | None:
    """The first step that is not done."""
    return next((step for step in STEPS if steps.get(step, {}).get("state") != "done"), None)


def waits_for(steps: Steps) -> str | None:
    """The cause for which the first step that is not done was postponed; None if it was not."""
    row = steps.get(undone(steps) or "", {})
    return str(row["report"].get("error", "")) if row.get("state") == "postponed" else None


@dataclass(frozen=True, slots=True)
class ExamRow:
    """One study of one exam folder, as this run left it."""

    folder_id: int
    study: str
    state: str
    records: int
    bytes: int
    seconds: float
    path: str | None = None
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that a person may have to look at. `name` is for this page alone."""

    folder_id: int
    folder: str
    name: str
    fate: str
    kind: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Todo:
    """What a person must do next, and the command to type."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class TierRow:
    """Room on a tier, bytes; `days` until it is full at the pace of the last nights, None if nothing grows."""

    tier: str
    free: int
    total: int
    days: float | None


@dataclass(frozen=True, slots=True)
class BackupRow:
    """What waits for its near-line copy, `oldest` since when (ISO, UTC), and how much was set aside."""

    parts: int
    bytes: int
    oldest: str | None
    aside: int


@dataclass(frozen=True, slots=True)
class CareRow:
    """How a scrub, drill or expiry ended last; `ended` in UTC."""

    step: str
    state: str
    ended: str
    said: str
    bad: bool


@dataclass(frozen=True, slots=True)
class Damage:
    """A copy that is not whole. `done`: what became of it, or why nothing could; `recall`: not before that one is done."""

    study: str
    ordinal: int
    tier: str
    path: str
    why: str
    done: str
    good: bool
    recall: int | None = None


@dataclass(frozen=True, slots=True)
class NightReport:
    """Everything the page shows. `good`: all steps done and the ledger in balance. `tape`: what waits for the tape system."""

    run: str
    written: str
    good: bool
    steps: Steps
    ledger: Ledger
    balanced: bool
    missing: int
    bytes: int
    rate: float | None
    exams: tuple[ExamRow, ...] = ()
    slowest: tuple[ExamRow, ...] = ()
    files: tuple[FileRow, ...] = ()
    tiers: tuple[TierRow, ...] = ()
    backup: BackupRow | None = None
    tape: str | None = None
    care: tuple[CareRow, ...] = ()
    damage: tuple[Damage, ...] = ()
    todo: tuple[Todo, ...] = field(default=())

    @property
    def published(self) -> bool:
        """Whether the steps came to their end: the catalog is then as this night leaves it."""
        return undone(self.steps) is None

    @property
    def attention(self) -> bool:
        """Whether a person must look though the night ended."""
        return bool(self.todo)


@dataclass(frozen=True, slots=True)
class Done:
    """What the catalog keeps of a report: no name. `ok`: it was a good night."""

    ok: bool
    seen: int
    missing: int
    todo: int
