"""What `doctor` and `status` say of one thing that they looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdfo.cli.show import Table
from sdfo.errors import SdfoError


@dataclass(frozen=True, slots=True)
class Finding:
    """One that is not `required` does not change the exit code."""

    what: str
    ok: bool
    found: str
    next: str = ""
    required: bool = True


def asked(what: str, ask: Callable[[], str], after: str) -> Finding:
    """What `ask` found; or its error, with the command that it names, else `after`."""
    try:
        return Finding(what, True, ask())
    except SdfoError as error:
        return Finding(what, False, error.what, error.next_command or after)


def table(findings: Sequence[Finding]) -> Table:
    return Table(("", "what", "found", "next"), [(_word(each), each.what, each.found, each.next) for each in findings])


def _word(finding: Finding) -> str:
    return "ok" if finding.ok else "NO" if finding.required else "–"
