"""A transcoded part: the same files, in another form, the same each time; and the way back to the very part that was."""

from __future__ import annotations

import hashlib

import pytest

from sdfo import spool
from sdfo.errors import RecordMismatch, SdicomError, Unavailable
from sdfo.model import Form, Kind
from sdfo.sdicom import Apart, Part, apart_name, plan, write
from sdfo.testing.exams import Series
from sdfo.testing.natives import BIG, NativeImage, noise
from sdfo.transcoder import Recipe, restore, transcode

NOTE, LARGE = b"a note", b"a multi-frame above the limit"
ODD = NativeImage(noise((1, 3, 5), 8, False), 8, allocated=8)


def _files() -> dict[str, bytes]:
    images = {f"CT/{number}": data for number, data in enumerate(Series("CT", 3, 64).images(3))}
    odd = {
        "odd": ODD.file(),
        "surplus": NativeImage(ODD.samples, 8, allocated=8, number=2, raw=ODD.value() + b"\1" * 10).file(),
        "big": NativeImage(noise((2, 9, 7), 16, True), 16, True, syntax=BIG, number=3).file(),
    }
    return images | odd | {"caf%E9": NOTE, "empty": b""}


FILES = _files()


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("codec", ["j2k", "htj2k", "j2k-roi"])
def test_there_and_back(bench, codec, form):
    """Deep check and originals hold, and what is restored has the check that the part had first, byte for byte."""
    with bench.part(FILES) as part:
        first, size = part.check_digest, part.size
        data = bench.store.read_all(part.path)
        done = transcode(part, bench.store, "attempts/r1", Recipe(codec, form))
    assert (done.records, done.form, done.kept) == (len(FILES), form, (("not DICOM", 2),))
    with Part.open(bench.store, done.attempt) as made:
        report = made.check(deep=True, threads=2, originals=True)
        assert (report.restored, made.check_digest) == (done.compressed, done.check) == (6, done.check)
        assert {record.name: found for record, found in made.originals(threads=2)} == FILES
        back = restore(made, bench.store, "attempts/r2", first)
    assert (back.check, back.size, back.compressed, back.kept) == (first, size, 0, ())
    assert bench.store.read_all(back.attempt) == data


def test_the_same_each_time(bench):
    """One input and one recipe give one check and one file, whatever the number of threads; another recipe another."""
    recipes = [(Recipe("j2k"), 1), (Recipe("j2k"), 2), (Recipe("j2k", judged=0.3), 3)]
    with bench.part(FILES) as part:
        made = [transcode(part, bench.store, "attempts/r", recipe, threads) for recipe, threads in recipes]
        other = transcode(part, bench.store, "attempts/r", Recipe("j2k", Form.CODESTREAM))
    assert len({bench.store.read_all(each.attempt) for each in made}) == 1
    assert len({each.attempt for each in made}) == 3
    assert {each.path for each in made} == {f"exams/2024/01/{made[0].path.rpartition('/')[2]}"}
    assert made[0].check[:16] in made[0].path
    assert other.check not in {each.check for each in made}


def test_from_one_codec_to_another(bench):
    """As if the second had been asked of the originals at once: nothing of the first is left."""
    with bench.part(FILES) as part:
        first = transcode(part, bench.store, "attempts/r", Recipe("j2k", Form.CODESTREAM))
        straight = transcode(part, bench.store, "attempts/r", Recipe("htj2k"))
    with Part.open(bench.store, first.attempt) as part:
        by_way = transcode(part, bench.store, "attempts/r", Recipe("htj2k"))
    assert (by_way.check, by_way.kept) == (straight.check, straight.kept)


def test_what_the_second_codec_cannot_take_is_kept_as_it_first_was(bench, monkeypatch):
    """Not as the first codec left it."""
    from sdfo.jpeg2000.codecs import CODECS
    from sdfo.testing.sabotage import BROKEN

    monkeypatch.setitem(CODECS, "Unable", BROKEN["Unable"])
    with bench.part(FILES) as part:
        plain = part.check_digest
        first = transcode(part, bench.store, "attempts/r", Recipe("j2k"))
    with Part.open(bench.store, first.attempt) as part:
        assert transcode(part, bench.store, "attempts/r", Recipe("Unable")).check == plain


def test_restoring_another_part_is_refused(bench):
    """Nothing is written then."""
    refused = pytest.raises(SdicomError, match="not the part that was published")
    with bench.transcoded(FILES, Recipe("j2k")) as (_, part), refused:
        restore(part, bench.store, "attempts/r9", "0" * 64)
    assert list(bench.store.list("attempts/r9")) == []


def test_a_damaged_value_is_told(bench):
    """By its own digest before anything is decoded; and a codestream that was swapped for another by the original's."""
    with bench.transcoded(FILES, Recipe("j2k", Form.CODESTREAM)) as (done, part):
        record = part.by_name("CT/1")
        at = part.extent(record).end - 9
    with open(bench.store.root / done.attempt, "r+b") as file:
        file.seek(at)
        file.write(b"\x55\xaa")
    with Part.open(bench.store, done.attempt) as part:
        for attempt in (part.original, part.stored, part.value):
            with pytest.raises(RecordMismatch, match="SHA-256 of a value"):
                attempt(record)
        with pytest.raises(RecordMismatch):
            restore(part, bench.store, "attempts/r2", done.check)


def test_a_value_that_stands_for_another_file(bench):
    """Its own digest is right and its index too: only the original's digest tells, and a check that asks for originals."""
    with bench.transcoded(FILES, Recipe("j2k", Form.CODESTREAM)) as (_, part):
        one, other = part.by_name("CT/1"), part.by_name("CT/2")
        swapped = [_with_value_of(record, one, other) for record in part.records]
        values = [part.value(other if record.name == one.name else record) for record in part.records]
        heads = [edges[0] + edges[1] for record in part.records if (edges := part.head(record))]
        planned = plan(part.study, part.folder, swapped, heads)
    with bench.store.create("exams/b.sdicom") as sink:
        write(sink, planned, ([value] for value in values))
    with Part.open(bench.store, "exams/b.sdicom") as part:
        part.check(deep=True)
        with pytest.raises(RecordMismatch, match="SHA-256 of an original"):
            part.original(part.by_name("CT/1"))
        with pytest.raises(RecordMismatch, match="SHA-256 of an original"):
            part.check(deep=True, originals=True)


def _with_value_of(record, one, other):
    from dataclasses import replace

    if record.name != one.name:
        return record
    return replace(record, length=other.length, sha256=other.sha256, frames=other.frames)


def _with_apart(bench):
    """A part with a file kept beside it, and its path."""
    digest = hashlib.sha256(LARGE).hexdigest()
    path = apart_name("1.2.3", digest)
    apart = Apart("large", path, len(LARGE), digest, Kind.DICOM, transfer_syntax="1.2.840.10008.1.2.1")
    planned = plan("1.2.3", b"exam", [], [], [apart])
    with bench.store.create("exams/2024/01/a.sdicom") as sink:
        write(sink, planned, [])
    return f"exams/2024/01/{path}", planned


def test_files_apart_go_along(bench):
    """Byte for byte, named among what was kept, and come back."""
    path, planned = _with_apart(bench)
    bench.store.put(path, LARGE)
    with Part.open(bench.store, "exams/2024/01/a.sdicom") as part:
        done = transcode(part, bench.store, "attempts/r", Recipe("j2k"))
        back = restore(part, bench.store, "attempts/r", planned.check)
    assert done.kept == (("a file apart, 1.2.840.10008.1.2.1", 1),)
    for each in (done, back):
        ((attempt, beside),) = each.apart
        assert (bench.store.read_all(attempt), beside) == (LARGE, path)
        assert each.size == planned.size + len(LARGE)


def test_a_damaged_file_apart_stops_it(bench):
    """What is copied is compared on the way."""
    path, _ = _with_apart(bench)
    bench.store.put(path, LARGE[:-1] + b"x")
    with Part.open(bench.store, "exams/2024/01/a.sdicom") as part, pytest.raises(RecordMismatch, match="apart"):
        transcode(part, bench.store, "attempts/r", Recipe("j2k"))


def test_a_full_local_disk_is_told(bench, monkeypatch):
    """As the outcome it is, with where to look; not as the store's fault."""

    full = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115  # the spool closes it
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda **_: full)
    with bench.part(FILES) as part, pytest.raises(Unavailable, match="TMPDIR"):
        transcode(part, bench.store, "attempts/r", Recipe("j2k"))
