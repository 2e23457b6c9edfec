"""Where a run works: its SAN, its store, its catalog and its manifests, all from one settings value."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import cached_property
from typing import TypeVar

from sdfo import conf
from sdfo.catalog import Catalog
from sdfo.conf import Settings
from sdfo.errors import Exists, Missing, NotFound, WrongSan, WrongStore
from sdfo.model import Tier
from sdfo.nightly import manifest
from sdfo.nightly.job import Job
from sdfo.reader import SITE
from sdfo.stores import Store, open_store
from sdfo.tiers import nearline, owned, tape
from sdfo.tiers.san import San

T = TypeVar("T")

LAST_SCAN = "last_scan"
"""In the store's root: the run that looked at the SAN last. What an earlier one was to do is its now."""
GOOD_NIGHT = "last_good_night"
"""In the store's root: when a night last ended well, for a monitor that knows nothing else of the archive."""
NEARLINE = "nearline_id"
"""In the store's root: the id of the near-line store that belongs to this archive."""
STAGING = "tape staging area"

TAPE = "tape_id"
"""The same of the tape staging area."""

SLICE = "backfill-"
"""What the run ids of the first load's slices begin with: these are no nights."""


def run_name(text: str) -> str:
    """A run id as it stands in paths: any text, each character outside [A-Za-z0-9._-] as `-`, at most 100."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", text)[:100]
    return name if name.strip(".") else "-" + name[1:]


def is_slice(run: str) -> bool:
    return run.startswith(SLICE)


class Place:
    """One run's workplace. Nothing is opened before it is used."""

    def __init__(self, settings: Settings, run: str) -> None:
        self.settings, self.run = settings, run_name(run)
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    @cached_property
    def store(self) -> Store:
        return open_store(self.settings.hdfs.root, self.settings.hdfs)

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog(self.settings.catalog.url, self.store)

    @cached_property
    def san(self) -> San:
        """The SAN of this archive and no other; `WrongSan` if it is not mounted."""
        san = San(self.settings.san.root, self.settings.san.exam_depth)
        san.require(self.san_id)
        return san

    @cached_property
    def san_id(self) -> str:
        site = self.site()
        if site is None:
            raise WrongSan("this archive has no SAN yet", next_command="sdfo init")
        return site["san"]

    def site(self) -> dict[str, str] | None:
        """What `init` wrote; None before it."""
        try:
            found: dict[str, str] = json.loads(self.store.read_all(SITE))
        except Missing:
            return None
        return found

    @cached_property
    def nearline(self) -> Store:
        """The near-line store of this archive and no other: `WrongStore` if it is not mounted, `Postponed` if it is away."""
        return self.mounted_nearline()

    def mounted_nearline(self) -> Store:
        """The same, looked at once more: it may have gone away since. What is missing on it then is not lost."""
        return nearline.require(self.nearline_as_set, self.nearline_id)

    @property
    def nearline_as_set(self) -> Store:
        """What lies at `nearline.root`, whatever it is."""
        return open_store(self.settings.nearline.root, self.settings.hdfs)

    @property
    def nearline_id(self) -> str:
        try:
            return self.store.read_all(NEARLINE).decode()
        except Missing as error:
            raise WrongStore("this archive has no near-line store yet", next_command="sdfo init") from error

    @property
    def has_nearline(self) -> bool:
        """Whether `init` gave this archive a near-line store, mounted or not."""
        return self.store.has(NEARLINE)

    @cached_property
    def tape(self) -> Store:
        """The tape staging area of this archive and no other: `WrongStore` if it is not mounted, `Postponed` if it is away."""
        return self.mounted_tape()

    def mounted_tape(self) -> Store:
        """The same, looked at once more."""
        return owned.require(self.tape_as_set, self.tape_id, tape.ID_FILE, STAGING)

    @property
    def tape_as_set(self) -> Store:
        """What lies at `tape.root`, whatever it is."""
        return open_store(self.settings.tape.root, self.settings.hdfs)

    @property
    def tape_id(self) -> str:
        try:
            return self.store.read_all(TAPE).decode()
        except Missing as error:
            raise WrongStore("this archive has no tape staging area yet", next_command="sdfo init") from error

    @property
    def has_tape(self) -> bool:
        """Whether `init` gave this archive a tape staging area, mounted or not."""
        return self.store.has(TAPE)

    @property
    def job(self) -> Job:
        return Job(conf.from_public(json.dumps(self.settings.public())), self.run, self.san_id)

    def path(self, name: str) -> str:
        return f"runs/{self.run}/{name}"

    def write(self, name: str, rows: Iterable[T], kind: type[T]) -> None:
        manifest.write(self.store, self.path(name), rows, kind)

    def read(self, name: str, kind: type[T], step: str) -> list[T]:
        """A manifest of this run; `step` is the one that should have written it."""
        try:
            return manifest.read(self.store, self.path(name), kind)
        except Missing as error:
            raise Missing(
                f"the run has no {name}", path=self.path(name), next_command=f"sdfo {step} --run {self.run}"
            ) from error

    def has(self, name: str) -> bool:
        return self.store.has(self.path(name))

    def archived(self, uid: str) -> list[str]:
        """The studies that a UID is of, of those that have parts. `NotFound` if none has."""
        studies = sorted({location.study for location in self.catalog.locate(uid) if location.tier is not Tier.SAN})
        if not studies:
            raise NotFound(f"nothing that is archived answers to UID {uid}", next_command=f"sdfo locate {uid}")
        return studies

    @property
    def last_scan(self) -> str:
        try:
            return self.store.read_all(LAST_SCAN).decode()
        except Missing:
            return ""

    def change_store(self) -> None:
        """Put a file and take it away again: a store that can be read may still refuse to be written to."""
        probe = f"attempts/{self.run}/{secrets.token_hex(8)}"
        self.store.put(probe, b"")
        self.store.delete(probe)


def init(settings: Settings, new: Collection[Tier] = ()) -> str:
    """Make what a first night needs: the SAN's id, the store's private folders, the catalog; and the ids of near-line and tape.

    The SAN's id. Safe to repeat. `WrongSan` if this archive belongs to another SAN, `WrongStore` to another near-line store
    or staging area: one that is not mounted is never taken for a new one, unless it is among `new`. Then what lies at its
    root now is this archive's from now on, and what the catalog knows of the one before is lost.
    """
    place = Place(settings, "init")
    san = San(settings.san.root, settings.san.exam_depth)
    if place.site() is None:
        place.store.put(SITE, json.dumps({"san": san.adopt(), "site": settings.site}).encode())
    san.require(place.san_id)
    for folder in ("runs", "state"):
        place.store.protect(folder)
    place.catalog.upgrade()
    if not place.has_nearline or Tier.NEARLINE in new:
        place.store.replace(NEARLINE, nearline.adopt(place.nearline_as_set).encode())
    nearline.require(place.nearline_as_set, place.nearline_id)
    if not place.has_tape or Tier.TAPE in new:
        place.store.replace(TAPE, owned.adopt(place.tape_as_set, tape.ID_FILE).encode())
    for folder in tape.FOLDERS:
        with suppress(Exists):
            place.tape.put(f"{folder}/{tape.KEEP}", b"")
    return place.san_id
