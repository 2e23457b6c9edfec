"""A lost catalog, built again from the S-DICOM files and the state journal beside them.

The journal is replayed in the order in which it was written; a part's line stands for publishing what its file says now.
A near-line copy comes back as its line says; then its file is opened, and one that is not what the line says is damaged:
its part waits for another.
What neither knows: SAN files not yet archived and the folders' last listings, which the next scan reads anyway, and
leases, because nobody is at work. Nothing is written to the store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, delete, select, text
from sqlalchemy.exc import IntegrityError

from sdfo.catalog import (
    copies,
    freeing,
    holds,
    journal,
    marks,
    proving,
    publish,
    quarantine,
    recalls,
    runs,
    san,
    tables,
    waiting,
)
from sdfo.catalog import volumes as tapes
from sdfo.catalog.catalog import Catalog
from sdfo.catalog.copies import CopyRow, NewCopy
from sdfo.catalog.engine import batched, clock, kind_of
from sdfo.catalog.entries import FileMark, PartEntry
from sdfo.catalog.headers import entry_of
from sdfo.catalog.journal import Line, as_name, moment
from sdfo.catalog.publish import Origin
from sdfo.catalog.quarantine import CLOSED, note_of
from sdfo.catalog.runs import StepRow
from sdfo.catalog.volumes import VolumeRow
from sdfo.errors import CatalogError, FormatError, LeaseHeld, Missing, NotFound, SdfoError
from sdfo.model import FileStamp, Form, Tier
from sdfo.sdicom import Part
from sdfo.stores import Store

PARTS = "exams"
"""The folder of the store with all S-DICOM files (architecture: a part is named by its content)."""

_BATCH = 50  # parts in one transaction

RUN = "rebuild"
"""The run in whose name a part is published that the journal does not know."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """`unknown`: parts without a line in the journal, published as the newest of their study. `missing`: parts with a line
    and without a file. `refused`: files that cannot be read, and why. A person looks at the last two.

    `nearline`: copies there. `waiting`: paths of those that are gone or not what they were, for which their parts wait again.
    `volumes`: tape volumes that the journal did not know, found by their manifests.
    """

    parts: int
    lines: int
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[str, ...]
    nearline: int = 0
    waiting: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


Mounted = Callable[[], Store]
"""Gives the near-line store; raises where it is not there, or not there any more: what is missing then is not lost."""

MadeAgain = Callable[[str, str], AbstractContextManager[Part]]
"""Of a study and a check: the part as it was published, made again out of a copy on a slower tier. `SdfoError` if none is."""

Volumes = Iterable[tuple[VolumeRow, Sequence[NewCopy]]]
"""Tape volumes and the copies on each, as their manifests tell of them."""


def rebuild(
    catalog: Catalog,
    store: Store,
    nearline: Mounted | None = None,
    volumes: Volumes = (),
    *,
    elsewhere: MadeAgain | None = None,
    replace: bool = False,
) -> RebuildReport:
    """Fill the catalog from `store`, the one at `hdfs.root`. One that holds anything is refused, or emptied by `replace`.

    `nearline`: the store of that tier; without it all copies there count as lost. `volumes`: those of which there is a
    manifest; the journal knows most, and all of them where it is whole. `elsewhere`: asked for parts that the journal knows and
    `store` has not, for they went from there or are lost. Interrupted, it leaves a part of the catalog: begin again with `replace`.
    """
    catalog.upgrade()
    with catalog.database.write() as conn:
        empty(conn, replace)
    found = {stat.path: stat for stat in store.list(PARTS) if stat.path.endswith(".sdicom")}
    planned = _planned(store)
    replay = _Replay(store, found.keys(), planned, elsewhere)
    for batch in batched(enumerate(journal.read(store)), _BATCH):
        with catalog.database.write() as conn:
            for number, (_, line) in batch:
                replay.line(conn, number, line)
    rest = sorted(found.keys() - replay.done - replay.refused.keys(), key=lambda path: (found[path].modified, path))
    for paths in batched(rest, _BATCH):
        with catalog.database.write() as conn:
            for path in paths:
                replay.unknown(conn, path)
    _lost(catalog, replay.done - found.keys())
    adopted = tuple(row.name for row, new in volumes if _adopted(catalog, row, new))
    proven, waiting_again = _prove(catalog, nearline)
    with catalog.database.write() as conn:
        conn.execute(text("ANALYZE"))  # so many rows at once are no news to the planner for a while otherwise
    report = replay.report(planned.keys() - found.keys() - replay.done, rest)
    return replace_fields(report, nearline=proven, waiting=waiting_again, volumes=adopted)


def _lost(catalog: Catalog, paths: Iterable[str]) -> None:
    """These copies on HDFS are not there: those that did not go on purpose are to be made again."""
    for path in sorted(paths):
        with catalog.database.write() as conn:
            found = proving.at(conn, Tier.HDFS, path)
            if found is not None and found[1].state != "retired":
                copies.mark(conn, found[0].id, Tier.HDFS, "damaged", clock(conn), "missing")


def _adopted(catalog: Catalog, row: VolumeRow, new: Sequence[NewCopy]) -> bool:
    """Enter a volume that the journal did not know. Of its parts those that are known, and have no copy on tape."""
    with catalog.database.write() as conn:
        if row.name in {each.name for each in tapes.volumes(conn, None)}:
            return False
        tapes.put(conn, row, clock(conn))
        for each in new:
            parts = [part for part in copies.parts(conn, each.study) if part.check == each.check]
            states = [copy.state for part in parts for copy in copies.copies(conn, part.id) if copy.tier is Tier.TAPE]
            if parts and states in ([], ["damaged"]):
                copies.add(conn, each, clock(conn))
    return True


def replay(catalog: Catalog, store: Store, since: datetime) -> RebuildReport:
    """Catch up with what the journal tells of since that moment: for a catalog that holds all that was before it."""
    planned = _planned(store, since)
    found = {path for path in planned if store.has(path)}
    again = _Replay(store, found, planned)
    for batch in batched(enumerate(journal.read(store, since)), _BATCH):
        with catalog.database.write() as conn:
            for number, (_, line) in batch:
                again.line(conn, number, line)
    return again.report(planned.keys() - found, ())


def _prove(catalog: Catalog, nearline: Mounted | None) -> tuple[int, tuple[str, ...]]:
    """Open each near-line copy that should be whole: how many are, and the paths of those that are not."""
    proven, lost, after = 0, list[str](), 0
    while found := catalog.page_of_copies(Tier.NEARLINE, after, _BATCH):
        after = found[-1][0].id
        wrong = [(part, copy, why) for part, copy in found if (why := _fault(nearline, copy)) is not None]
        with catalog.database.write() as conn:
            for part, _, why in wrong:
                copies.mark(conn, part.id, Tier.NEARLINE, "damaged", clock(conn), why)
        lost += [copy.path for _, copy, _ in wrong]
        proven += sum(copy.state not in ("damaged", "retired") for _, copy in found) - len(wrong)
    return proven, tuple(lost)


def _fault(nearline: Mounted | None, copy: CopyRow) -> str | None:
    """Why a copy is not what the journal says; None if it is, or was known to be damaged, or was removed."""
    if copy.state in ("damaged", "retired"):
        return None
    if nearline is None:
        return "there is no near-line store any more"
    try:
        with Part.open(nearline(), copy.path) as part:
            if (part.check_digest, part.size) != (copy.check, copy.size):
                return "another file lies at its name"
            for apart in part.aparts:
                part.store.stat(f"{copy.path.rpartition('/')[0]}/{apart.path}")
            return None
    except Missing as error:
        nearline()
        return "missing" if error.path == copy.path else "a file that belongs beside it is missing"
    except FormatError as error:
        return f"damaged: {error.what}"


class _Replay:
    """Lines and files into rows. `planned`: by path, the line that published the part, and its ordinal."""

    def __init__(
        self,
        store: Store,
        found: Collection[str],
        planned: Mapping[str, _Planned],
        elsewhere: MadeAgain | None = None,
    ) -> None:
        self._store, self._found, self._planned, self._elsewhere = store, found, planned, elsewhere
        self.done: set[str] = set()
        self.refused: dict[str, str] = {}
        self._lines = 0

    def line(self, conn: Connection, number: int, line: Line) -> None:
        self._lines += 1
        if line["what"] == "part":
            self._part(conn, number, line)
        else:
            _REPLAYED[line["what"]](conn, line)

    def _part(self, conn: Connection, number: int, line: Line) -> None:
        """The part is published by its own line; any other only says more about its SAN files."""
        path, plan = line["path"], self._planned.get(line["path"])
        if plan is None or (number != plan.line and path not in self.done):
            return
        if path in self._found:
            entry = self._entry(lambda: Part.open(self._store, path), path, line["tier"], line["codec"])
        elif self._elsewhere is not None:
            entry = self._entry(
                partial(self._elsewhere, line["study"], line["check"]), path, line["tier"], line["codec"]
            )
        else:
            return
        if entry is not None:
            own = {each.name: each.sha256 for each in entry.instances}
            entry = replace_fields(entry, files=_marks(conn, line, own))
            self._publish(conn, line["run"], entry, Origin(_at(line), plan.ordinal))

    def unknown(self, conn: Connection, path: str) -> None:
        entry = self._entry(lambda: Part.open(self._store, path), path, Tier.HDFS, "original")
        if entry is not None:
            self._publish(conn, RUN, entry, Origin(clock(conn), verified=False))

    def _entry(
        self, opened: Callable[[], AbstractContextManager[Part]], path: str, tier: str, codec: str
    ) -> PartEntry | None:
        try:
            with opened() as part:
                return entry_of(part, path, part.size, tier, codec)
        except SdfoError as error:
            self.refused[path] = str(error)
            return None

    def _publish(self, conn: Connection, run: str, entry: PartEntry, origin: Origin) -> None:
        try:
            with conn.begin_nested():
                publish.one(conn, run, entry, origin)
        except IntegrityError as error:
            self.refused[entry.path] = f"the catalog refused a row ({kind_of(error)})"
        else:
            self.done.add(entry.path)

    def report(self, missing: Iterable[str], unknown: Iterable[str]) -> RebuildReport:
        return RebuildReport(
            parts=len(self.done),
            lines=self._lines,
            unknown=tuple(path for path in unknown if path in self.done),
            missing=tuple(sorted(missing)),
            refused=tuple(sorted(self.refused.values())),
        )


@dataclass(frozen=True, slots=True)
class _Planned:
    line: int
    ordinal: int


def _planned(store: Store, since: datetime | None = None) -> dict[str, _Planned]:
    """Which line publishes each part: its last as `new`, for one before it died with its transaction. So did the first of
    two parts that were given one ordinal, and was not published again: to the catalog it was not known."""
    planned: dict[str, _Planned] = {}
    owners: dict[tuple[str, int], str] = {}
    for number, (_, line) in enumerate(journal.read(store, since)):
        if line["what"] == "part" and (line["state"] == "new" or line["path"] not in planned):
            planned[line["path"]] = _Planned(number, line["ordinal"])
            owners[line["study"], line["ordinal"]] = line["path"]
    owned = set(owners.values())
    return {path: plan for path, plan in planned.items() if path in owned}


def empty(conn: Connection, replace: bool) -> None:
    """Make room: a catalog that holds anything is refused unless `replace`. Leases stay: no token is given twice. So do the
    gate's marks, and from now on it is shut."""
    held = conn.execute(
        select(tables.lease).where(tables.lease.c.run != "", tables.lease.c.expires > clock(conn))
    ).first()
    if held is not None:
        raise LeaseHeld(f"run {held.run} is at work: it holds the lease {held.name}", found=held.run)
    filled = [table for table in reversed(tables.metadata.sorted_tables) if table not in (tables.lease, tables.gate)]
    if not replace and any(conn.execute(select(table).limit(1)).first() is not None for table in filled):
        raise CatalogError(
            "the catalog is not empty: rebuild into a new one, or ask for it to be replaced",
            next_command="sdfo catalog rebuild --replace",
        )
    freeing.shut(conn, clock(conn))
    for table in filled:
        conn.execute(delete(table))


def _marks(conn: Connection, line: Line, own: Mapping[bytes, str]) -> tuple[FileMark, ...]:
    """The SAN files of a line. `own`: SHA-256 by name of the part's records, which the journal does not repeat."""
    found = []
    for folder, rows in line["files"].items():
        folder_id = san.ensure_folder(conn, as_name(folder))
        for name, size, mtime_ns, ctime_ns, first_seen, *more in rows:
            stamp = FileStamp(as_name(name), size, mtime_ns, ctime_ns)
            state, sha256, *known = more or ["archived", own[stamp.name]]
            found.append(FileMark(folder_id, stamp, sha256, state, moment(first_seen), *known))
    return tuple(found)


def _alias(conn: Connection, line: Line) -> None:
    marks.mark_files(conn, line["study"], _marks(conn, line, {}), {}, _at(line))


def _quarantine(conn: Connection, line: Line) -> None:
    quarantine.open_entry(conn, line["run"], line["study"], _folder_id(conn, line), note_of(line), _at(line))


def _decision(conn: Connection, line: Line) -> None:
    """Close the entry, unless this very line was replayed before. One opened by a rebuild has no line of its own."""
    about = (line["study"], _folder_id(conn, line), note_of(line))
    if quarantine.find(conn, *about, CLOSED, opened=_at(line)) is None:
        _quarantine(conn, line)
        entry_id = quarantine.find(conn, *about, ("open",))
        if entry_id is not None:
            quarantine.resolve(conn, entry_id, line["decision"], datetime.fromisoformat(line["decided"]))


def _folder_id(conn: Connection, line: Line) -> int | None:
    return None if line["folder"] is None else san.ensure_folder(conn, as_name(line["folder"]))


def _copy(conn: Connection, line: Line) -> None:
    part = tables.part.c
    this = select(part.id).where(part.study == line["study"], part.check == line["check"])
    part_id = conn.execute(this).scalar()
    if part_id is None:
        return
    if "path" in line:
        own = (line["path"], line["size"], line["copy_check"], line["codec"], Form(line["form"]))
        new = NewCopy(line["study"], line["check"], Tier(line["tier"]), *own, line["state"])
        copies.add(conn, new, _at(line))
    else:
        with suppress(NotFound):  # the transaction that made the copy died with the line
            copies.mark(conn, part_id, line["tier"], line["state"], _at(line), line.get("why"))


def _queue(conn: Connection, line: Line) -> None:
    part = tables.part.c
    part_id = conn.execute(select(part.id).where(part.study == line["study"], part.check == line["check"])).scalar()
    if part_id is not None:
        waiting.tried(conn, part_id, line["tries"], line["reason"], line["work"])


def _volume(conn: Connection, line: Line) -> None:
    tapes.put(conn, tapes.of(line), _at(line), line["why"])


def _recall(conn: Connection, line: Line) -> None:
    recalls.put(conn, recalls.of(line), _at(line))
    tapes.look_again(conn, recalls.of(line).volumes)


def _outcome(conn: Connection, line: Line) -> None:
    runs.start(conn, line["run"], line["engine"], datetime.fromisoformat(line["run_started"]))
    started, ended = datetime.fromisoformat(line["started"]), datetime.fromisoformat(line["ended"])
    runs.put(conn, line["run"], StepRow(line["step"], line["state"], started, ended, line["report"]))


def _at(line: Line) -> datetime:
    return datetime.fromisoformat(line["at"])


_REPLAYED: dict[str, Callable[[Connection, Line], None]] = {
    "alias": _alias,
    "quarantine": _quarantine,
    "decision": _decision,
    "copy": _copy,
    "queue": _queue,
    "hold": holds.keep,
    "release": holds.let_go,
    "freed": freeing.keep,
    "gone": freeing.drop,
    "volume": _volume,
    "recall": _recall,
    "outcome": _outcome,
}
