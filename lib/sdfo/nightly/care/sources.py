"""What a copy on HDFS is made of again before near-line and tape are asked: its own file, where that was only moved aside, and
the SAN, for an exam so young that it has no other copy."""

from __future__ import annotations

from functools import cached_property

from sdfo.catalog import PartRow
from sdfo.errors import SanError
from sdfo.model import ExamTask, PartOutcome
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.place import Place
from sdfo.stores import Store

FOLDER = "expired"
"""In a store: copies in their days of grace, as `expired/<run>/<path>` (retire.py)."""
NOT_THERE = "its files are not on the SAN any more"


class Grace:
    """Copies of a store that lie in their days of grace. Listed once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @cached_property
    def _there(self) -> dict[str, str]:
        stats = (stat.path for stat in self._store.list(FOLDER))
        return {path.split("/", 2)[2]: path for path in stats}

    def __contains__(self, path: str) -> bool:
        return path in self._there

    def at(self, path: str) -> str:
        return self._there[path]


def task_of(place: Place, part: PartRow) -> ExamTask | str:
    """What would make this part again, whatever the times of its files are now; or why they cannot."""
    made = place.catalog.made_of(part.id)
    if made is None:
        return NOT_THERE
    try:
        now = {stamp.name: stamp for stamp in place.san.list(part.folder).files}
    except SanError as error:
        return f"the SAN does not give its files: {error.what}"
    files = tuple(now[stamp.name] for stamp in made[1] if stamp.name in now)
    return ExamTask(made[0], part.folder, files, home=part.study) if len(files) == len(made[1]) else NOT_THERE


def from_san(place: Place, part: PartRow) -> PartOutcome | str:
    """The part as an attempt, for the same files make the same part; or why not."""
    task = task_of(place, part)
    if isinstance(task, str):
        return task
    try:
        (done,) = LocalEngine(place.settings.convert.workers).convert(place.job, [task])
    except SanError as error:
        return f"the SAN does not give its files: {error.what}"
    made = next((each for each in done.parts if (each.study, each.check) == (part.study, part.check)), None)
    if made is not None:
        return made
    return (
        f"its files on the SAN make another part: {done.reason or 'they changed, or the settings or the program did'}"
    )
