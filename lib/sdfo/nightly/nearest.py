"""What a copy on HDFS is made of again before near-line and tape are asked: its own file, where that was only moved aside, and
the SAN, for an exam so young that it has no other copy."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from sdfo.errors import SanError
from sdfo.model import ExamTask, PartOutcome
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.place import Place
from sdfo.stores import Store

FOLDER = "expired"
"""In a store: copies in their days of grace, as `expired/<run>/<path>` (retire.py)."""


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


def task_of(place: Place, part_id: int, study: str, folder: bytes) -> ExamTask | None:
    """What would make this part again, if the SAN still has all of its files as they were."""
    made = place.catalog.made_of(part_id)
    return None if made is None else ExamTask(made[0], folder, made[1], home=study)


def from_san(place: Place, task: ExamTask, study: str, check: str) -> PartOutcome | str:
    """The part as an attempt, for the same files make the same part, whatever their times are now; or why not."""
    try:
        now = {stamp.name: stamp for stamp in place.san.list(task.folder).files}
        files = tuple(now[stamp.name] for stamp in task.files if stamp.name in now)
        task = replace(task, files=files)
        (done,) = LocalEngine(place.settings.convert.workers).convert(place.job, [task])
    except SanError as error:
        return f"the SAN does not give its files: {error.what}"
    made = next((part for part in done.parts if (part.study, part.check) == (study, check)), None)
    if made is not None:
        return made
    return (
        f"its files on the SAN make another part: {done.reason or 'they changed, or the settings or the program did'}"
    )
