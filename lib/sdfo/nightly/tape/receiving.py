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
from sdfo.errors import Exists, Full, Missing, StoreError, VolumeError
from sdfo.model import Tier
from sdfo.nightly.place import Place
from sdfo.stores import Store
from sdfo.tiers import tape
from sdfo.tiers.tape import exchange, proving
from sdfo.tiers.tape.reading import keep_manifest, manifest_of, own_manifest, whereabouts

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
    came = [volume for volume in sorted(wanted) if _came(place, volume)]
    states = [_complete(place, row) for row in waiting]
    _withdraw(place)
    return Attended(len(came), states.count(DONE), states.count(FAILED))


def _arrived(store: Store) -> Iterable[str]:
    """Volumes in in/ that nobody has proven yet. A proof whose volume is gone goes too: it would be taken for the next one's."""
    paths = {stat.path for stat in store.list(tape.IN)}
    for path in paths:
        gone = tape.volume_of(path, tape.IN, ".proven")
        if gone is not None and not store.has(tape.tar(tape.IN, gone)):
            with suppress(Missing):
                store.delete(path)
    tars = {volume for path in paths if (volume := tape.volume_of(path, tape.IN, ".tar")) is not None}
    return sorted(volume for volume in tars if tape.proven(volume) not in paths)


def _came(place: Place, volume: str) -> bool:
    """Whether a volume came back since, and is to be read from now on. One that cannot be opened costs only itself: a link
    in a circle, another user's file."""
    try:
        return _proven(place, volume)
    except Full:
        raise
    except StoreError as error:
        place.mounted_tape()
        exchange.note_unreadable(place.tape, volume, f"it came back, and cannot be read: {error.what}")
        return False


def _proven(place: Place, volume: str) -> bool:
    store, at = place.tape, tape.tar(tape.IN, volume)
    if store.has(tape.proven(volume)) or not store.has(at):
        return False
    row = next((row for row in place.catalog.volumes() if row.name == volume), None)
    if row is None:
        return False
    stat = store.stat(at)
    if stat.size < row.size and time.time() - stat.modified < ARRIVING_SECONDS:
        return False
    whole = proving.digest_of(store, at) == row.sha256
    if not whole and store.stat(at) != stat:
        return False  # it is being written, at its full size from the beginning
    if whole:
        _whole(place, volume)
    elif not _salvaged(place, row, at):
        return False
    with suppress(Exists):
        store.put(tape.proven(volume), b"")
    return True


def _whole(place: Place, volume: str) -> None:
    """Every byte is what was sealed, whatever was thought of it: that nobody had read it back, that it was damaged, or lost.

    So is the manifest on it, and the one that is kept has to be the same.
    """
    keep_manifest(place.tape, volume, tape.tar(tape.IN, volume))
    row = place.catalog.volume(volume)  # as it is now: the reading took its time
    if row.state in (WRITTEN, DAMAGED):
        place.catalog.keep_volume(replace(row, state=VERIFIED))
    for part, copy in place.catalog.on_volume(volume):
        if copy.state == "damaged":
            place.catalog.mark_copy(part.id, Tier.TAPE, "verified")


def _salvaged(place: Place, row: VolumeRow, at: str) -> bool:
    """Of a volume that came back damaged: name what is, and whether anything else can be read from it."""
    manifest = manifest_of(place.tape, row.name)
    bad = proving.unreadable(place.tape, at, manifest)
    if len(bad) == len(manifest.parts) and (other := _other(place.tape, row.name, at)) is not None:
        _brought_wrong(place.tape, row.name, at, other)
        return False
    files = proving.faults(place.tape, at, manifest)
    exchange.note_failure(place.tape, row.name, "it came back damaged", damaged=sorted(files) or [proving.AROUND])
    for part, copy in place.catalog.on_volume(row.name):
        why = bad.get(copy.path.partition("/")[2])
        if why is not None and copy.state != "damaged":
            place.catalog.mark_copy(part.id, Tier.TAPE, "damaged", f"on volume {row.name}: {why}")
    if len(bad) < len(manifest.parts):
        return True
    _set_aside(place.tape, row.name, at)
    place.catalog.keep_volume(replace(row, state=DAMAGED), "it came back damaged")
    return False


def _other(store: Store, volume: str, at: str) -> str | None:
    """The name of another volume that came under this one's name."""
    with suppress(VolumeError):
        found = own_manifest(store, at).label.volume
        return found if found != volume else None
    return None


def _brought_wrong(store: Store, volume: str, at: str, other: str) -> None:
    """Nothing is known of the volume itself by that: the recall ends, and whoever asks again asks the tape system again."""
    _set_aside(store, volume, at)
    exchange.refuse(store, volume, f"another volume was brought under its name: {other}")


def _set_aside(store: Store, volume: str, at: str) -> None:
    with suppress(Missing):  # another process came to the same
        store.rename(at, f"{tape.FAILED}/{volume}.{int(time.time())}.tar")


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


def _withdraw(place: Place) -> None:
    """Requests that nobody waits for any more. They are listed first: who asks meanwhile is in the catalog before his request
    is here."""
    there = list(exchange.requests(place.tape))
    wanted = {volume for row in place.catalog.recalls(WAITING) for volume in row.volumes}
    for volume, _ in there:
        if volume not in wanted or whereabouts(place.tape, volume) is not None:
            exchange.withdraw(place.tape, volume)


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
