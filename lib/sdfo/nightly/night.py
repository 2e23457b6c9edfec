"""A whole night: the steps in order, the report at the end whatever happened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from sdfo.errors import Fenced, Postponed, SdfoError
from sdfo.nightly.convert import convert
from sdfo.nightly.engines import Engine, Progress, open_engine, silent
from sdfo.nightly.place import Place
from sdfo.nightly.publish import publish
from sdfo.nightly.report import report
from sdfo.nightly.scan import scan
from sdfo.nightly.summary import NightReport
from sdfo.nightly.verify import verify


def night(
    place: Place,
    engine: str,
    progress: Progress = silent,
    most: int | None = None,
    paced: Callable[[Engine], Engine] = lambda engine: engine,
) -> NightReport:
    """Scan, convert, verify, publish, report. A step's error ends the others and stands in the report.

    `most`, `paced`: of a slice of the first load (backfill.py), how many bytes it takes, and what slows its reading.
    `Postponed` where another run is at work, `Fenced` where this one was started once more: the report is theirs.
    """
    place.catalog.start_run(place.run, engine)
    try:
        scan(place, progress, most)
        with closing(open_engine(engine, place.settings)) as converting:
            convert(place, paced(converting), progress)
        with closing(open_engine(engine, place.settings)) as verifying:
            verify(place, verifying, progress)
        publish(place, progress)
    except (Postponed, Fenced):
        raise
    except SdfoError:
        pass  # the step's turn has noted it, and the report tells
    except Exception:
        report(place)
        raise
    return report(place)
