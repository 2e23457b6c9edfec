"""Making one tape volume of parts that wait: gathered, written, read again, sealed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from sdfo import crashpoints
from sdfo.catalog import NewCopy, VolumeRow, Waiting
from sdfo.catalog.volumes import READY, SEALED
from sdfo.errors import Full, Missing, SdicomError, StoreError, VolumeError
from sdfo.model import Form, Tier
from sdfo.nightly.place import Place
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.tiers import tape
from sdfo.tiers.tape import proving
from sdfo.tiers.tape.contents import Entry, Label, Manifest
from sdfo.tiers.tape.reading import manifest_of, own_manifest, whereabouts
from sdfo.tiers.tape.volume import Planned, plan, size_of, write
from sdfo.transcoder import Recipe, Transcoded, transcode
from sdfo.transcoder import restore as transcode_back
from sdfo.transcoder.copying import proven

ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Gathered:
    """A part that goes onto a volume: its entries, and of each the store and path where its bytes lie until then."""

    row: Waiting
    entries: tuple[Entry, ...]
    sources: tuple[tuple[Store, str], ...]


class NotWhole(VolumeError):
    """What was written and read again is not whole: `faults`, by path."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(f"{len(faults)} parts of a volume, read again, are not whole")
        self.faults = faults


def gather(place: Place, row: Waiting, nearline: str | None = None) -> Gathered:
    """Read a part and the files beside it: proven against their own digests, and hashed.

    With another codec than `original` it is written with that first, as an attempt in the staging area; so it is out of its
    copy at the path `nearline`, if that is given.
    """
    if nearline is not None:
        with Part.open(place.nearline, nearline) as part:
            return _of_attempt(place, row, transcode_back(part, place.tape, _attempts(place), row.check))
    with Part.open(place.store, row.path) as part:
        if part.check_digest != row.check:
            raise SdicomError("another file lies at its name", path=row.path)
        if place.settings.tape.codec != ORIGINAL:
            settings = place.settings
            recipe = Recipe(settings.tape.codec, Form.FILE, settings.nearline.judged, settings.region)
            return _of_attempt(place, row, transcode(part, place.tape, _attempts(place), recipe))
        return _as_it_is(place, row, part)


def _as_it_is(place: Place, row: Waiting, part: Part) -> Gathered:
    part.check()
    form = next((each.form for each in part.records if each.form is Form.CODESTREAM), Form.FILE)
    digest, folder = _hashed(proven(part)), row.path.rpartition("/")[0]
    own = Entry(row.path, part.size, digest, 0, row.study, part.check_digest, row.check, form)
    beside = {each.path: each for each in part.aparts}.values()
    apart = [Entry(f"{folder}/{each.path}", each.length, each.sha256, 0, row.study) for each in beside]
    for each in apart:
        _compared(place.store, each)
    entries = (own, *apart)
    return Gathered(row, entries, tuple((place.store, entry.path) for entry in entries))


def _of_attempt(place: Place, row: Waiting, done: Transcoded) -> Gathered:
    places = [(done.path, done.attempt), *((new, old) for old, new in done.apart)]
    entries = list[Entry]()
    for path, attempt in places:
        size, digest = place.tape.stat(attempt).size, proving.digest_of(place.tape, attempt)
        named = (done.check, row.check, done.form) if path == done.path else (None, None, Form.FILE)
        entries.append(Entry(path, size, digest, 0, row.study, *named))
    return Gathered(row, tuple(entries), tuple((place.tape, attempt) for _, attempt in places))


def _attempts(place: Place) -> str:
    return f"{tape.ATTEMPTS}/{place.run}"


def _compared(store: Store, entry: Entry) -> None:
    try:
        found = proving.digest_of(store, entry.path)
    except Missing as error:
        raise SdicomError("a file that belongs beside the part is not there", path=entry.path) from error
    if found != entry.sha256:
        raise SdicomError("a file beside the part has another SHA-256", path=entry.path)


def _hashed(pieces: Iterable[bytes]) -> str:
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def seal(place: Place, parts: Sequence[Gathered], check: Callable[[], None]) -> tuple[VolumeRow, list[NewCopy]]:
    """Write these parts as a volume, read it again, and give it its name in sealed/. `check`: `Fenced` if it is too late.

    `NotWhole` if a part came out otherwise than it went in; nothing is sealed then.
    """
    created = datetime.now(UTC).replace(microsecond=0)
    name = _new_name(place, created)
    label = Label(name, place.settings.site, place.tape_id, created.isoformat(), place.settings.tape.codec)
    entries = {entry.path: entry for part in parts for entry in part.entries}  # two parts may share a file beside them
    planned = plan(label, list(entries.values()))
    attempt = f"{tape.ATTEMPTS}/{place.run}/{name}.tar"
    try:
        digest = _written(place.tape, attempt, planned, parts)
        crashpoints.passing("stage.written")
        _read_again(place.tape, attempt, planned.manifest, digest)
    except (StoreError, VolumeError) as error:
        with suppress(StoreError):
            place.tape.delete(attempt)  # a volume is large, and gc waits for a day
        if isinstance(error, Full):
            raise Full(
                "the tape staging area is full", next_command="df, sdfo tape ls; then sdfo stage again"
            ) from error
        raise
    crashpoints.passing("stage.proven")
    check()
    _named(place.tape, attempt, planned, digest)
    row = VolumeRow(name, SEALED, planned.size, digest, len(planned.manifest.entries), created)
    return row, copies(planned.manifest)


def _new_name(place: Place, created: datetime) -> str:
    """By lot, and none that a volume ever had."""
    taken = {row.name for row in place.catalog.volumes()}
    while True:
        name = f"{created:%Y%m%d}-{secrets.token_hex(4)}"
        if name not in taken and not place.tape.has(tape.manifest(name)):
            return name


def copies(manifest: Manifest) -> list[NewCopy]:
    """What the catalog is told of the parts on a volume."""
    volume, codec = manifest.label.volume, manifest.label.codec
    return [
        NewCopy(
            study=entry.study,
            check=entry.part or "",
            tier=Tier.TAPE,
            path=f"{volume}/{entry.path}",
            size=entry.size,
            copy_check=entry.check or "",
            codec=codec,
            form=Form(entry.form),
            state="staged",
        )
        for entry in manifest.parts
    ]


def recorded(place: Place) -> Iterator[tuple[VolumeRow, list[NewCopy]]]:
    """Every volume of which a manifest is kept, for a catalog that was lost. What its receipt says the next step reads."""
    names = [tape.volume_of(stat.path, tape.MANIFESTS, ".json") for stat in place.tape.list(tape.MANIFESTS)]
    for name in (name for name in names if name is not None):
        at = whereabouts(place.tape, name)
        if at is None and place.tape.has(tape.digest(tape.SEALED, name)):
            continue  # its tar never got its name
        manifest = manifest_of(place.tape, name)
        digest = place.tape.read_all(tape.digest(tape.MANIFESTS, name)).split()[0].decode()
        created = datetime.fromisoformat(manifest.label.created)
        state = SEALED if at == tape.tar(tape.SEALED, name) else READY
        yield VolumeRow(name, state, size_of(manifest), digest, len(manifest.entries), created), copies(manifest)


def _written(store: Store, attempt: str, planned: Planned, parts: Sequence[Gathered]) -> str:
    sources = {entry.path: source for part in parts for entry, source in zip(part.entries, part.sources, strict=True)}

    def pieces(entry: Entry) -> Iterator[bytes]:
        where, path = sources[entry.path]
        with where.open(path) as source:
            for piece in source.stream():
                crashpoints.passing("stage.attempt-half")
                yield piece

    with store.create(attempt) as sink:
        return write(planned, sink, pieces)


def _read_again(store: Store, attempt: str, manifest: Manifest, digest: str) -> None:
    """All of it, by its name: the tar as a whole, what it says is on it, and each part out of it."""
    found = proving.digest_of(store, attempt)
    if found != digest:
        raise VolumeError("a volume, read again, has another SHA-256", path=attempt, expected=digest, found=found)
    if own_manifest(store, attempt) != manifest:
        raise VolumeError("a volume, read again, has another manifest", path=attempt)
    faults = proving.unreadable(store, attempt, manifest)
    if faults:
        raise NotWhole(faults)


def _named(store: Store, attempt: str, planned: Planned, digest: str) -> None:
    """What is beside it first: a tar in sealed/ is complete."""
    volume = planned.manifest.label.volume
    store.put(tape.digest(tape.SEALED, volume), f"{digest}  {volume}.tar\n".encode())
    store.put(tape.digest(tape.MANIFESTS, volume), f"{digest}  {volume}.tar\n".encode())
    store.put(tape.manifest(volume), planned.manifest_bytes)
    crashpoints.passing("stage.beside")
    store.rename(attempt, tape.tar(tape.SEALED, volume))
    crashpoints.passing("stage.sealed")
