"""Step 3, verify: another process opens each attempt by name and re-hashes every record."""

from __future__ import annotations

from dataclasses import dataclass

from sdfo import crashpoints
from sdfo.nightly.convert import VERDICTS, outcomes
from sdfo.nightly.engines import Engine, Progress, silent, verify_all
from sdfo.nightly.job import Verdict
from sdfo.nightly.place import Place
from sdfo.nightly.turn import turn


@dataclass(frozen=True, slots=True)
class VerifyReport:
    parts: int = 0
    whole: int = 0
    refused: int = 0
    ran_by: str = ""


def verify(place: Place, engine: Engine, progress: Progress = silent) -> VerifyReport:
    """Judge every attempt of the run. One that is not whole is not published; the others are."""
    with turn(place, "verify", after="convert") as mine:
        parts = [part for outcome in outcomes(place) for part in outcome.parts]
        verdicts = verify_all(engine, place.job, parts, progress) if parts else []
        mine.check()
        place.write(VERDICTS, verdicts, Verdict)
        crashpoints.passing("verify.outcomes")
        whole = sum(v.whole for v in verdicts)
        mine.report = VerifyReport(len(parts), whole, len(parts) - whole, engine.ran)
    report: VerifyReport = mine.report
    return report
