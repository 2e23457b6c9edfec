"""What the tape system leaves for us: receipts of volumes that it wrote, and volumes that it brought back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sdfo import crashpoints
from sdfo.catalog import RecallRow, VolumeRow
from sdfo.catalog.recalls import DONE, FAILED, WAITING
from sdfo.catalog.volumes import DAMAGED, READY, SEALED, VERIFIED, WRITTEN
from sdfo.errors import Exists, Missing, VolumeError
from sdfo.model import Tier
from sdfo.nightly.place import Place
from sdfo.stores import Store
from sdfo.tiers import tape
from sdfo.tiers.tape import exchange, proving
from sdfo.tiers.tape.reading import manifest_of, whereabouts

ARRIVING_SECONDS = 900
"""For so long after its last change a volume that is too short, or a receipt that is no JSON, may still be being written."""


@dataclass(frozen=True, slots=True)
class Received:
    """`refused`: receipts that say something else than we know."""

    receipts: int = 0
    refused: int = 0


def take_receipts(place: Place) -> Received:
    """Bring volumes to the state that their receipts tell of. A receipt stays where it is; what is wrong goes to failed/."""
    known = {row.name: row for row in place.catalog.volumes()}
    answers = list[str | None]()
    for volume, modified in list(exchange.receipts(place.tape)):
        why = _answer(place, known.get(volume), volume, modified)
        if why:
            _refuse(place.tape, volume, why)
        answers.append(why)
    return Received(answers.count(None), sum(map(bool, answers)))


def _answer(place: Place, row: VolumeRow | None, volume: str, modified: float) -> str | None:
    """Why a receipt is refused; None if it was taken, "" if it says nothing new, or nothing yet.

    That of an unknown volume stays where there is a manifest: a catalog that was lost may have come back without the volume,
    and a rebuild that finds it needs the receipt.
    """
    if row is None:
        return "" if place.tape.has(tape.manifest(volume)) else "no volume of this archive"
    if not _is_old(row, modified):
        return _take(place, row, modified)
    if place.tape.has(tape.tar(tape.READY, volume)):
        _retire(place.tape, row)
    return ""


def _is_old(row: VolumeRow, modified: float) -> bool:
    """Whether a receipt was taken before. A later one may tell that the tape was copied to another, or went bad."""
    taken = row.state == VERIFIED and row.written is not None and modified <= row.written.timestamp()
    return taken or row.state == DAMAGED


def _refuse(store: Store, volume: str, why: str) -> None:
    path = exchange.note_failure(store, volume, f"its receipt: {why}")
    with suppress(Missing):
        store.rename(tape.receipt(volume), path.removesuffix(".json") + ".receipt")


def _take(place: Place, row: VolumeRow, modified: float) -> str | None:
    """As `_answer`."""
    try:
        receipt = exchange.read_receipt(place.tape, row.name)
    except Missing:
        return ""
    except VolumeError as error:
        arriving = isinstance(error, exchange.NotJson) and time.time() - modified < ARRIVING_SECONDS
        return "" if arriving else error.what
    if receipt.sha256 not in (None, row.sha256):
        if not place.tape.has(tape.tar(tape.READY, row.name)):  # else the tape system finds it there again
            place.catalog.keep_volume(replace(row, state=DAMAGED), "the tape gave back other bytes")
        return "the tape gave back other bytes"
    state = WRITTEN if receipt.sha256 is None and row.state != VERIFIED else VERIFIED
    told = replace(row, state=state, barcode=receipt.barcode, position=receipt.position)
    if told != row:
        place.catalog.keep_volume(replace(told, written=datetime.now(UTC)))
        crashpoints.passing("stage.receipt")
    _retire(place.tape, row)  # a step that was killed before may have left it
    return "" if told == row else None


def _retire(store: Store, row: VolumeRow) -> None:
    """A volume that is on tape, and that the tape system left here, goes when room is needed."""
    with suppress(Missing, Exists):
        store.rename(tape.tar(tape.READY, row.name), tape.tar(tape.RETIRED, row.name))
    for path in (tape.ready(row.name), tape.digest(tape.READY, row.name)):
        with suppress(Missing):
            store.delete(path)


@dataclass(frozen=True, slots=True)
class Attended:
    """`volumes` that came back and were proven; recalls that are `done` by that, or `failed`."""

    volumes: int = 0
    done: int = 0
    failed: int = 0


def attend(place: Place) -> Attended:
    """Prove what came back, and complete the recalls that waited for it. Anybody may call it, at any time."""
    waiting = place.catalog.recalls(WAITING)
    wanted = {volume for row in waiting for volume in row.volumes} | set(_arrived(place.tape))
    came = [volume for volume in sorted(wanted) if _proven(place, volume)]
    states = [_complete(place, row) for row in waiting]
    _withdraw(place.tape, place.catalog.recalls(WAITING))
    return Attended(len(came), states.count(DONE), states.count(FAILED))


def _arrived(store: Store) -> Iterable[str]:
    """Volumes in in/ that nobody has proven yet."""
    paths = {stat.path for stat in store.list(tape.IN)}
    tars = {volume for path in paths if (volume := tape.volume_of(path, tape.IN, ".tar")) is not None}
    return sorted(volume for volume in tars if tape.proven(volume) not in paths)


def _proven(place: Place, volume: str) -> bool:
    """Whether a volume came back since, and is to be read from now on."""
    store, at = place.tape, tape.tar(tape.IN, volume)
    if store.has(tape.proven(volume)) or not store.has(at):
        return False
    row = next((row for row in place.catalog.volumes() if row.name == volume), None)
    if row is None:
        return False
    stat = store.stat(at)
    if stat.size < row.size and time.time() - stat.modified < ARRIVING_SECONDS:
        return False
    if proving.digest_of(store, at) == row.sha256:
        if row.state == WRITTEN:  # nobody had read it back: now somebody has
            place.catalog.keep_volume(replace(row, state=VERIFIED))
    elif not _salvaged(place, row, at):
        return False
    with suppress(Exists):
        store.put(tape.proven(volume), b"")
    return True


def _salvaged(place: Place, row: VolumeRow, at: str) -> bool:
    """Of a volume that came back damaged: name what is, and whether anything else can be read from it."""
    manifest = manifest_of(place.tape, row.name)
    bad, files = proving.unreadable(place.tape, at, manifest), proving.faults(place.tape, at, manifest)
    exchange.note_failure(place.tape, row.name, "it came back damaged", damaged=sorted(files) or [proving.AROUND])
    for part, copy in place.catalog.on_volume(row.name):
        why = bad.get(copy.path.partition("/")[2])
        if why is not None and copy.state != "damaged":
            place.catalog.mark_copy(part.id, Tier.TAPE, "damaged", f"on volume {row.name}: {why}")
    if len(bad) < len(manifest.parts):
        return True
    with suppress(Missing):  # another process came to the same
        place.tape.rename(at, f"{tape.FAILED}/{row.name}.{int(time.time())}.tar")
    place.catalog.keep_volume(replace(row, state=DAMAGED), "it came back damaged")
    return False


def _complete(place: Place, row: RecallRow) -> str:
    """End a recall whose volumes are all here, or one of which will never be; its state."""
    missing = [volume for volume in row.volumes if whereabouts(place.tape, volume) is None]
    reasons = [why for volume in missing if (why := _lost(place, volume)) is not None]
    if reasons:
        place.catalog.end_recall(row.id, FAILED, reason="; ".join(reasons))
        return FAILED
    if missing:
        return WAITING
    place.catalog.end_recall(row.id, DONE, place.settings.tape.pin_hours)
    return DONE


def _lost(place: Place, volume: str) -> str | None:
    """Why a volume that is not here will not come."""
    told = exchange.failure(place.tape, volume)
    if told is not None:
        return f"volume {volume}: {told}"
    known = [row for row in place.catalog.volumes((DAMAGED,)) if row.name == volume]
    return f"volume {volume} is damaged" if known else None


def _withdraw(store: Store, waiting: Iterable[RecallRow]) -> None:
    """Requests that nobody waits for any more."""
    wanted = {volume for row in waiting for volume in row.volumes}
    for volume, _ in list(exchange.requests(store)):
        if volume not in wanted or whereabouts(store, volume) is not None:
            exchange.withdraw(store, volume)


def offer(place: Place, row: VolumeRow) -> None:
    """Move a sealed volume to ready/, the sign that it is complete last; and tell the catalog. May be repeated."""
    store = place.tape
    for file in (tape.digest, tape.tar):
        with suppress(Missing, Exists):  # done before; the tape system may even have taken it
            store.rename(file(tape.SEALED, row.name), file(tape.READY, row.name))
    crashpoints.passing("stage.moved")
    if store.has(tape.tar(tape.READY, row.name)):
        with suppress(Exists):
            store.put(tape.ready(row.name), b"")
    place.catalog.keep_volume(replace(row, state=READY))
    crashpoints.passing("stage.ready")


def offer_all(place: Place) -> None:
    """What an interrupted step sealed and did not offer."""
    for row in place.catalog.volumes((SEALED,)):
        offer(place, row)
