"""A tape library that is none, for tests and the demonstration: its tapes are files in a folder of their own."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from sdfo.errors import Exists, Missing
from sdfo.stores import Store
from sdfo.tiers import tape
from sdfo.tiers.tape import exchange, proving
from sdfo.tiers.tape.exchange import Receipt


@dataclass(frozen=True, slots=True)
class Round:
    """Volumes written to tape, and brought back; `refused`: requests for volumes that the library has not."""

    written: int = 0
    served: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Library:
    """`shelf` holds the tapes. A request is served `delay` seconds after it was made; `reads_back`: receipts have a digest."""

    area: Store
    shelf: Store
    delay: float = 0.0
    reads_back: bool = True

    def once(self) -> Round:
        written = self._ready()
        for volume in written:
            self._write(volume)
        due = [volume for volume, asked in list(exchange.requests(self.area)) if time.time() - asked >= self.delay]
        served = [self._serve(volume) for volume in due]
        return Round(len(written), served.count(True), served.count(False))

    def _ready(self) -> list[str]:
        names = [tape.volume_of(stat.path, tape.READY, ".ready") for stat in self.area.list(tape.READY)]
        return [volume for volume in names if volume is not None]

    def _write(self, volume: str) -> None:
        """Onto the tape, read back, the receipt, and out of ready/."""
        copied(self.area, tape.tar(tape.READY, volume), self.shelf, f"{volume}.tar")
        digest = proving.digest_of(self.shelf, f"{volume}.tar") if self.reads_back else None
        exchange.write_receipt(self.area, Receipt(volume, barcode(volume), "file 1", digest))
        for path in (tape.ready(volume), tape.tar(tape.READY, volume), tape.digest(tape.READY, volume)):
            with suppress(Missing):
                self.area.delete(path)

    def _serve(self, volume: str) -> bool | None:
        """Whether it is there; None if it was brought back before."""
        with suppress(Missing):
            self.area.stat(tape.tar(tape.IN, volume))
            return None
        try:
            copied(self.shelf, f"{volume}.tar", self.area, tape.tar(tape.IN, volume))
        except Missing:
            with suppress(Exists):
                self.area.put(tape.failed(volume), b'{"reason": "no such tape in the library"}\n')
            return False
        return True


def barcode(volume: str) -> str:
    return "SIM" + sha256(volume.encode()).hexdigest()[:5].upper()


def copied(source: Store, path: str, target: Store, to: str) -> None:
    """Under another name first. One that is there already stays."""
    attempt = f"{to}.part"
    with suppress(Missing):
        target.delete(attempt)
    with source.open(path) as file, target.create(attempt) as sink:
        for piece in file.stream():
            sink.write(piece)
    try:
        target.rename(attempt, to)
    except Exists:
        target.delete(attempt)
