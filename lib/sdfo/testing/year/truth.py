"""What must hold, by a model of its own: a part is looked at on disk and by its bytes, never through the archive's code.

The copies of this simulation are written as they are (codec `original`), so an image's file stands in a part byte for byte, and a
part on a volume.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

DAY = 86400.0
HDFS, NEARLINE, TAPE = "hdfs", "nearline", "tape"
TIERS = (HDFS, NEARLINE, TAPE)
ASIDE = ".sdfo-expired"


class Wrong(AssertionError):
    """The archive broke its promise."""


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


@dataclass
class Image:
    """One version of one file, as it was received. `first`: when its name was first seen, by which ages count."""

    sop: str
    study: str
    modality: str
    data: bytes
    sha256: str
    arrived: float
    first: float
    acknowledged: float | None = None
    part: str | None = None
    corrected: bool = False


@dataclass
class OnSan:
    """A file on the SAN: what it holds now. `aside`: since when it lies in its grace."""

    path: str
    image: Image
    aside: float | None = None


@dataclass(frozen=True)
class Volume:
    """Digest, offset and size of each part on a volume, as it first lay in the library. `read_back`: its receipt says so."""

    members: dict[str, tuple[str, int, int]]
    read_back: bool


@dataclass
class Truth:
    """All that ever arrived. `folder`: the archive's; `came_back`: volumes that were in the staging area again, and proven."""

    folder: Path
    images: dict[str, Image] = field(default_factory=dict)
    san: dict[str, OnSan] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    studies: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    came_back: set[str] = field(default_factory=set)
    freed: int = 0
    removed: int = 0
    early: int = 0

    # ---- what the archive has made

    def learn(self, read_back: bool = True) -> None:
        """Parts and volumes that are new: which images they hold."""
        homeless = [image for image in self.images.values() if image.part is None]
        for at in sorted((self.folder / HDFS / "exams").rglob("*.sdicom")):
            name = str(at.relative_to(self.folder / HDFS))
            if name not in self.parts:
                data = at.read_bytes()
                self.parts[name] = digest(data)
                for image in homeless:
                    if image.data in data:
                        image.part, self.studies[name] = name, image.study
        self._look_who_is_back()
        new = [at for at in (self.folder / "library").glob("*.tar") if at.stem not in self.volumes]
        volumes = [(at.stem, _volume(at, read_back)) for at in new]
        self.volumes |= dict(sorted(volumes, key=lambda each: sorted(each[1].members)))  # their names are by lot

    def acknowledge(self, image: Image, now: float) -> None:
        if image.part is None:
            raise Wrong(f"{image.sop} is in the catalog, and in no part on HDFS")
        image.acknowledged = now

    def waiting(self) -> list[Image]:
        """What was never acknowledged and may be yet: it lies on the SAN."""
        return [file.image for file in self.san.values() if file.image.acknowledged is None]

    def acknowledged(self) -> list[Image]:
        return [image for image in self.images.values() if image.acknowledged is not None]

    # ---- copies

    def whole(self, part: str) -> set[str]:
        """The tiers on which a part lies now with every byte that it had."""
        found = {tier for tier in (HDFS, NEARLINE) if _is(self.folder / tier / part, self.parts[part])}
        return found | ({TAPE} if any(self._is_on(volume, part) for volume in self.on(part)) else set())

    def on(self, part: str) -> Iterator[str]:
        """The volumes that a part was written to."""
        return (name for name, volume in self.volumes.items() if part in volume.members)

    def _is_on(self, volume: str, part: str) -> bool:
        told, offset, size = self.volumes[volume].members[part]
        try:
            with open(self.folder / "library" / f"{volume}.tar", "rb") as file:
                file.seek(offset)
                return digest(file.read(size)) == told
        except FileNotFoundError:
            return False

    # ---- the SAN

    def look(self, now: float, least: float, grace: float, unseen: Iterable[tuple[str, str]]) -> None:
        """What went from the SAN since: each file only when it may. `unseen`: damage (tier, part) that nobody can know of yet."""
        hidden = set(unseen)
        lying = aside_files(self.folder / "san")
        for file in list(self.san.values()):
            if file.aside is None and not self._lies(file):
                self._taken(file, now, least, hidden, lying)
            if file.aside is not None and file.path not in lying:
                self._returned(file) if self._lies(file) else self._gone(file, now, grace, hidden)

    def _lies(self, file: OnSan) -> bool:
        """Under its own name; or under another in its folder, put back when its own was taken."""
        at = self.folder / "san" / file.path
        return _is(at, file.image.sha256) or any(_is(p, file.image.sha256) for p in at.parent.glob("put-back-*"))

    def _taken(
        self, file: OnSan, now: float, least: float, hidden: set[tuple[str, str]], lying: dict[str, str]
    ) -> None:
        if lying.get(file.path) != file.image.sha256:
            raise Wrong(f"{file.path} is neither on the SAN nor in its grace")
        if now - file.image.first <= least:
            self.early += 1
            raise Wrong(f"{file.path} was freed {(now - file.image.first) / DAY:.2f} days after it was first seen")
        self._safe(file, hidden)
        file.aside, self.freed = now, self.freed + 1

    def _returned(self, file: OnSan) -> None:
        file.aside = None

    def _gone(self, file: OnSan, now: float, grace: float, hidden: set[tuple[str, str]]) -> None:
        if now - (file.aside or now) < grace - 3600:
            self.early += 1
            raise Wrong(f"{file.path} was removed before its grace was over")
        self._safe(file, hidden)
        self.removed += 1
        del self.san[file.path]

    def _safe(self, file: OnSan, hidden: set[tuple[str, str]]) -> None:
        image = file.image
        if image.acknowledged is None or image.part is None:
            raise Wrong(f"{file.path} went, and was never archived")
        self.kept(image.part, set(TIERS), {HDFS} if image.modality == "MR" else set(TIERS), hidden)

    def kept(self, part: str, stay: set[str], wanted: set[str], hidden: set[tuple[str, str]]) -> None:
        """Whether of the copies that `stay` the wanted ones are whole, and two that were read back; but for damage that nobody
        can know of, while one is whole in truth."""
        whole = self.whole(part) & stay
        there = whole | {tier for tier in stay if (tier, part) in hidden}
        proven = there if self._read_back(part) else there - {TAPE}
        if not whole or wanted - there or len(proven) < 2:
            self.early += 1
            raise Wrong(f"a copy of {part} went too early: whole are {sorted(whole)}, proven {sorted(proven)}")

    def _read_back(self, part: str) -> bool:
        """Whether its copy on tape was: by the receipt, or since, when a volume of it came back."""
        self._look_who_is_back()
        return any(self.volumes[name].read_back or name in self.came_back for name in self.on(part))

    def _look_who_is_back(self) -> None:
        """Volumes that a recall brought were read entirely, also when the staging area has made room of them since."""
        self.came_back |= {at.stem for at in (self.folder / TAPE / "in").glob("*.proven")}

    def retired(self, part: str, now: float, least: float, hidden: set[tuple[str, str]]) -> None:
        """A part went from HDFS."""
        images = [image for image in self.images.values() if image.part == part]
        age = min(now - image.first for image in images)
        if age <= least or any(image.modality != "MR" for image in images):
            self.early += 1
            raise Wrong(f"{part} was freed from HDFS {age / DAY:.2f} days after it was first seen")
        self.kept(part, {NEARLINE, TAPE}, set(), hidden)

    def count(self) -> int:
        """Files on the SAN, as anybody would count them."""
        found = (path for path in (self.folder / "san").rglob("*") if path.is_file())
        return sum(not path.relative_to(self.folder / "san").parts[0].startswith(".sdfo") for path in found)


def aside_files(san: Path) -> dict[str, str]:
    """Digests of the files in their grace, by the path that they had."""
    runs = [run for run in (san / ASIDE).glob("*") if run.is_dir()]
    return {str(p.relative_to(run)): digest(p.read_bytes()) for run in runs for p in run.rglob("*") if p.is_file()}


def _is(path: Path, told: str) -> bool:
    try:
        return digest(path.read_bytes()) == told
    except (FileNotFoundError, NotADirectoryError):
        return False


def _volume(at: Path, read_back: bool) -> Volume:
    with tarfile.open(at) as tar:
        members = [m for m in tar.getmembers() if m.name.endswith(".sdicom")]
    data = at.read_bytes()
    places = {m.name: (m.offset_data, m.size) for m in members}
    return Volume({name: (digest(data[at : at + size]), at, size) for name, (at, size) in places.items()}, read_back)
