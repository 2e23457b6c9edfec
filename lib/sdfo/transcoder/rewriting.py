"""A part as another part of the same files: S-DICOM → S-DICOM, every value made anew or taken as it is."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from sdfo.ahead import ahead
from sdfo.errors import RecordMismatch
from sdfo.model import Extent, Form, Kind, is_uid
from sdfo.sdicom import Apart, Part, Plan, Record, part_name, plan, write
from sdfo.spool import Spool
from sdfo.stores import CHUNK, Store, anew
from sdfo.transcoder.compressing import Made
from sdfo.transcoder.copying import passing
from sdfo.transcoder.recipe import Transcoded, Treated

Make = Callable[[tuple[Record, bytes]], Made]
"""What becomes of a record with its value. For several threads."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A record of the new part, the one that it comes from, and where its value and its surplus wait in the spool."""

    record: Record
    source: Record
    value: Extent | None
    surplus: Extent | None


def rewrite(
    part: Part, target: Store, attempts: str, make: Make, form: Form, threads: int, check: Callable[[Plan], None]
) -> Transcoded:
    """`check` may refuse what was planned, before anything is written. Memory grows with the index alone."""
    with Spool() as spool:
        job = _Rewriting(part, target, attempts, threads, spool)
        job.make(make)
        planned = plan(part.study, part.folder, [row.record for row in job.rows], job.heads(), part.aparts, threads)
        check(planned)
        return anew(target.write_retry_seconds, lambda: job.write(planned, form))


class _Rewriting:
    def __init__(self, part: Part, target: Store, attempts: str, threads: int, spool: Spool) -> None:
        self.part, self.target, self.attempts, self.threads, self.spool = part, target, attempts, threads, spool
        self.rows, self.reasons, self.judged = list[_Row](), Counter[str](), 0
        self.treated = list[Treated]()

    def make(self, make: Make) -> None:
        """Every file in record order, which is the new part's too, for the names are the same."""
        with ahead(make, self.part.values(), self.threads) as made:
            for source, each in zip(self.part.records, made, strict=True):
                self.rows.append(self._kept(source, each))
                self.reasons.update([each.reason] if each.reason else [])
                self.judged += each.judged
                self.treated += each.treated

    def _kept(self, source: Record, made: Made) -> _Row:
        value = None if made.value is None else self.spool.keep(made.value)
        return _Row(made.record, source, value, self.spool.keep(made.surplus) if made.surplus else None)

    def heads(self) -> Iterator[bytes]:
        for row in self.rows:
            edges = None if row.record.head is None else self.part.head(row.source)
            if edges is not None:
                yield edges[0] + self._tail(row, edges[1])

    def _tail(self, row: _Row, tail: bytes) -> bytes:
        """The surplus of a pixel data's value is in the tail of a compressed record, and not in its original's."""
        wanted = row.record.tail or 0
        if row.surplus is not None and wanted > len(tail):
            return self.spool.read(row.surplus) + tail
        return tail[len(tail) - wanted :]

    def write(self, planned: Plan, form: Form) -> Transcoded:
        attempt = f"{self.attempts}/{planned.check[:16]}-{secrets.token_hex(6)}/"
        folder, _, _ = self.part.path.rpartition("/")
        name = part_name(self.part.study, None, planned.check).rpartition("/")[2]
        moves = self._write_apart(attempt, folder)
        with (
            self.target.create(f"{attempt}part.sdicom") as sink,
            ahead(self._value, zip(self.rows, planned.records, strict=True), self.threads) as values,
        ):
            write(sink, planned, map(passing, values))
        return Transcoded(
            attempt=sink.path,
            path=f"{folder}/{name}" if folder else name,
            check=planned.check,
            size=planned.size + sum({each.path: each.length for each in self.part.aparts}.values()),
            form=form,
            records=len(self.rows),
            compressed=sum(row.record.original is not None for row in self.rows),
            kept=self._reasons(),
            apart=moves,
            judged=self.judged,
            treated=tuple(self.treated),
        )

    def _reasons(self) -> tuple[tuple[str, int], ...]:
        beside = Counter(_beside(apart) for apart in self.part.aparts)
        return tuple(sorted((self.reasons + beside).items()))

    def _value(self, item: tuple[_Row, Record]) -> Iterator[bytes] | list[bytes]:
        """A value's bytes: those of one piece are read when this returns, the rest as they are taken."""
        row, record = item
        pieces = self.part.stream(row.source) if row.value is None else self.spool.pieces(row.value)
        return list(pieces) if record.length <= CHUNK else pieces

    def _write_apart(self, attempt: str, folder: str) -> tuple[tuple[str, str], ...]:
        """The files beside, byte for byte, compared with their digests on the way."""
        moves, own = list[tuple[str, str]](), self.part.path.rpartition("/")[0]
        for apart in {each.path: each for each in self.part.aparts}.values():
            moves.append((f"{attempt}{apart.path}", f"{folder}/{apart.path}" if folder else apart.path))
            self._copy(f"{own}/{apart.path}" if own else apart.path, apart, moves[-1][0])
        return tuple(moves)

    def _copy(self, path: str, apart: Apart, to: str) -> None:
        digest = sha256()
        with self.part.store.open(path) as source, self.target.create(to) as sink:
            for piece in passing(source.stream()):
                digest.update(piece)
                sink.write(piece)
            if digest.hexdigest() != apart.sha256:
                raise RecordMismatch(
                    "SHA-256 of a file apart", path=path, offset=0, expected=apart.sha256, found=digest.hexdigest()
                )


def _beside(apart: Apart) -> str:
    syntax = apart.transfer_syntax if is_uid(apart.transfer_syntax) else "no transfer syntax named"
    return f"a file apart, {syntax if apart.kind is Kind.DICOM else apart.kind}"


def own(record: Record) -> Record:
    """A record as it stood before it was placed: offsets are the next plan's to give."""
    return replace(record, offset=0)
