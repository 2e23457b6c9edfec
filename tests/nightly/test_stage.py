"""Staging for tape: what waits becomes volumes, whole and once; what the tape system says is believed as far as it goes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from sdfo.catalog import Availability, Query, VolumeRow, tables
from sdfo.errors import Fenced, Full, LeaseHeld, Postponed, WrongStore
from sdfo.model import Tier
from sdfo.nightly.care.gc import gc
from sdfo.nightly.place import init
from sdfo.nightly.tape import sealing
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.testing.archive import APART, Archive, fill
from sdfo.testing.exams import make_exam
from sdfo.tiers.tape.contents import decode
from sdfo.tiers.tape.exchange import Receipt, write_receipt

KIB = 1 / 2**20


def area(**fields: Any) -> dict[str, Any]:
    """Settings of the staging area."""
    return {"tape": {"root": "tape"} | fields}


def tars(archive: Archive, folder: str = "") -> list[Path]:
    return sorted((archive.folder / "tape" / folder).rglob("*.tar"))


def states(archive: Archive) -> dict[str, str]:
    """Of the copies on tape, by study."""
    return {part.study: copy.state for part, copy in archive.place().catalog.page_of_copies(Tier.TAPE)}


def test_what_waits_becomes_a_volume(archive: Archive) -> None:
    """Byte for byte as on HDFS, a large file beside its part too; in ready/ with its digest and the mark; none waits any more."""
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=1024)
    fill(archive.san, range(2), 16)
    archive.night(**APART)
    queue = archive.place().catalog.queue("tape")
    done = archive.stage()
    assert (queue.parts, done.volumes, done.parts, done.failed, done.left) == (3, 1, 3, 0, 0)
    (tar,) = tars(archive)
    with tarfile.open(tar) as opened:
        members = {m.name: opened.extractfile(m).read() for m in opened if m.name.startswith("exams/")}  # type: ignore[union-attr]
    assert {path: hashlib.sha256(data).hexdigest() for path, data in members.items()} == archive.parts()
    assert len(members) == 4
    names = sorted(path.name for path in (archive.folder / "tape" / "ready").iterdir() if path.name != ".keep")
    assert names == [f"{tar.stem}.ready", f"{tar.stem}.sha256", f"{tar.stem}.tar"]
    (row,) = archive.place().catalog.volumes()
    assert (row.name, row.state, row.size, row.files) == (tar.stem, "ready", tar.stat().st_size, 4)
    assert row.sha256 == hashlib.sha256(tar.read_bytes()).hexdigest()
    manifest = decode((archive.folder / "tape" / "manifests" / f"{tar.stem}.json").read_bytes(), "manifest")
    assert sum(entry.size for entry in manifest.parts) == queue.bytes
    assert not list(archive.place().tape.list("attempts"))
    assert archive.place().catalog.steps("t1")["stage"].state == "done"


def test_nothing_counts_before_a_receipt(waiting: Archive) -> None:
    """A staged copy is no copy on tape, to the breadth query neither."""
    waiting.stage()
    assert set(states(waiting).values()) == {"staged"}
    catalog = waiting.place().catalog
    assert not any(Tier.TAPE in row.tiers for row in catalog.find(Query()))
    waiting.library().once()
    waiting.stage("t2")
    assert set(states(waiting).values()) == {"verified"}
    assert all(Tier.TAPE in row.tiers for row in catalog.find(Query()))


def test_an_empty_queue_ends_well(waiting: Archive) -> None:
    """As often as it is asked."""
    waiting.on_tape()
    for run in ("t8", "t9"):
        done = waiting.stage(run)
        assert (done.idle, done.stopped, waiting.place().catalog.steps(run)["stage"].state) == (True, "", "done")


def test_few_and_young_parts_wait_for_others(waiting: Archive) -> None:
    """A list of them lies in open/, nothing is copied; the oldest of them, once old enough, seals the volume."""
    done = waiting.stage(now=False)
    assert (done.volumes, done.left) == (0, 3)
    told = json.loads((waiting.folder / "tape/open/next.json").read_bytes())
    assert (told["parts"], {row["path"] for row in told["first"]}) == (3, set(waiting.parts()))
    assert not tars(waiting)
    with waiting.place().catalog.database.write() as conn:
        since = datetime.now(UTC) - timedelta(hours=71)
        conn.execute(update(tables.queue).where(tables.queue.c.work == "tape").values(since=since))
    assert waiting.stage("t2", now=False).volumes == 0
    with waiting.place().catalog.database.write() as conn:
        part = waiting.place().catalog.queued(9, "tape")[1].part_id
        old = datetime.now(UTC) - timedelta(hours=73)
        conn.execute(update(tables.queue).where(tables.queue.c.part_id == part).values(since=old))
    assert waiting.stage("t3", now=False).parts == 3


def test_a_volume_is_full_at_its_size(archive: Archive) -> None:
    """Oldest first; what does not fill another one waits on. A part larger than a volume gets one of its own."""
    fill(archive.san, range(5), 16)
    archive.night()
    order = [row.study for row in archive.place().catalog.queued(9, "tape")]
    size = archive.place().catalog.queued(1, "tape")[0].size
    done = archive.stage(now=False, **area(volume_gib=2.5 * size / 2**30))
    assert (done.volumes, done.parts, done.left) == (2, 4, 1)
    catalog = archive.place().catalog
    held = [sorted(part.study for part, _ in catalog.on_volume(row.name)) for row in catalog.volumes()]
    assert sorted(held) == sorted([sorted(order[:2]), sorted(order[2:4])])
    assert [row.study for row in catalog.queued(9, "tape")] == order[4:]
    done = archive.stage("t2", now=False, **area(volume_gib=0.5 * size / 2**30))
    assert (done.volumes, done.left) == (1, 0)


def test_a_damaged_part_costs_only_itself(waiting: Archive) -> None:
    """It is set aside, its copy on HDFS is known to be damaged; the others are on the volume. Released and mended, it follows."""
    first = waiting.place().catalog.queued(1, "tape")[0]
    file = waiting.folder / "hdfs" / first.path
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\xff")
    done = waiting.stage()
    assert (done.volumes, done.parts, done.failed, done.set_aside, done.left) == (1, 2, 1, 1, 0)
    (entry,) = waiting.place().catalog.quarantine()
    assert (entry.kind, entry.study, entry.ordinal) == ("stage", first.study, 1)
    assert entry.reason.startswith(f"not staged for tape: {first.path}: its copy on HDFS: ")
    assert waiting.place().catalog.copies(first.part_id)[0].state == "damaged"
    assert waiting.place().catalog.queue("tape").aside == 1
    assert waiting.place().catalog.queue().parts == 3
    file.write_bytes(whole)
    waiting.place().catalog.resolve_quarantine(entry.id, "released")
    assert waiting.stage("t2").parts == 1
    assert len(states(waiting)) == 3


def test_a_missing_part_costs_only_itself(waiting: Archive) -> None:
    """As a damaged one."""
    first = waiting.place().catalog.queued(1, "tape")[0]
    (waiting.folder / "hdfs" / first.path).unlink()
    assert (waiting.stage().parts, len(states(waiting))) == (2, 2)


def test_a_part_that_changes_meanwhile_costs_only_itself(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the reading that proves it and the one that writes it: the volume is made without it."""
    first, real = waiting.place().catalog.queued(1, "tape")[0], sealing.plan

    def changing(*words: Any) -> Any:
        (waiting.folder / "hdfs" / first.path).write_bytes(b"SEQ")
        return real(*words)

    monkeypatch.setattr(sealing, "plan", changing)
    done = waiting.stage()
    assert (done.volumes, done.parts, done.failed) == (1, 2, 1)
    assert not list(waiting.place().tape.list("attempts"))


def test_what_the_second_reading_refuses_is_not_sealed(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of the staging area gives back another byte: no volume, nothing leaves the queue, the step fails."""
    real = sealing._written

    def flipping(store: LocalStore, attempt: str, *words: Any) -> str:
        digest = real(store, attempt, *words)
        path = store.root / attempt
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        return digest

    monkeypatch.setattr(sealing, "_written", flipping)
    with pytest.raises(Exception, match="read again"):
        waiting.stage()
    assert (tars(waiting), states(waiting), waiting.place().catalog.queue("tape").parts) == ([], {}, 3)
    assert waiting.place().catalog.lease_holder("stage") is None
    monkeypatch.undo()
    assert waiting.stage("t2").parts == 3


def test_damage_between_two_values_costs_only_its_part(waiting: Archive) -> None:
    """A flipped bit in a record's key, which no value's digest covers: the reading of the volume notices, and it is made anew."""
    first = waiting.place().catalog.queued(1, "tape")[0]
    with Part.open(waiting.place().store, first.path) as part:
        at = part.extent(part.records[0]).offset - 5
    file = waiting.folder / "hdfs" / first.path
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    done = waiting.stage()
    assert (done.volumes, done.parts, done.failed, done.set_aside) == (1, 2, 1, 0)
    (row,) = waiting.place().catalog.queued(9, "tape")
    assert (row.check, row.reason[:41]) == (first.check, "its copy on a volume, read again: framing")
    assert len(tars(waiting)) == 1


def receipt(archive: Archive, **fields: Any) -> Path:
    """Of the one volume, as a tape system writes it."""
    (row,) = archive.place().catalog.volumes()
    told = {"volume": row.name, "barcode": "A00017L9", "position": "4", "sha256": row.sha256} | fields
    path = archive.folder / "tape" / "receipts" / f"{row.name}.written.json"
    path.write_text(json.dumps({name: value for name, value in told.items() if value is not None}))
    return path


def test_a_receipt_with_a_digest_makes_copies_verified(waiting: Archive) -> None:
    """Of what was read back; the volume is no longer needed here, and goes to retired/."""
    waiting.stage()
    receipt(waiting)
    assert waiting.stage("t2").receipts == 1
    (row,) = waiting.place().catalog.volumes()
    assert (row.state, row.barcode, row.position) == ("verified", "A00017L9", "4")
    assert set(states(waiting).values()) == {"verified"}
    assert tars(waiting) == tars(waiting, "retired")
    assert len(tars(waiting)) == 1
    assert waiting.stage("t3").receipts == 0


def test_a_receipt_without_one_makes_them_written(waiting: Archive) -> None:
    """One with a digest, later, makes them verified; a recall that gives the same bytes does so too."""
    waiting.stage()
    waiting.library(reads_back=False).once()
    waiting.stage("t2")
    assert set(states(waiting).values()) == {"written"}
    assert all(copy.verified_at is None for _, copy in waiting.place().catalog.page_of_copies(Tier.TAPE))
    receipt(waiting)
    assert waiting.stage("t3").receipts == 1
    assert set(states(waiting).values()) == {"verified"}


def test_a_receipt_mends_no_damaged_copy(waiting: Archive) -> None:
    """One that a reader found damaged on the volume meanwhile."""
    waiting.stage()
    ((part, _), *_) = waiting.place().catalog.page_of_copies(Tier.TAPE)
    waiting.place().catalog.mark_copy(part.id, "tape", "damaged", "a reader found it so")
    receipt(waiting)
    waiting.stage("t2", now=False)
    assert states(waiting)[part.study] == "damaged"
    assert list(states(waiting).values()).count("verified") == 2
    assert waiting.place().catalog.queue("tape").parts == 1


def test_a_tape_that_gave_back_other_bytes_does_not_count(waiting: Archive) -> None:
    """Its receipt is refused, and its parts wait for another volume."""
    waiting.stage()
    (row,) = waiting.place().catalog.volumes()
    waiting.library(reads_back=False).once()
    path = receipt(waiting, sha256="0" * 64)
    done = waiting.stage("t2", now=False)
    assert (done.receipts, done.refused) == (0, 1)
    assert not path.exists()
    assert set(states(waiting).values()) == {"damaged"}
    assert [r.reason for r in waiting.place().catalog.queued(9, "tape")] == ["the tape gave back other bytes"] * 3
    (told,) = (waiting.folder / "tape" / "failed").glob("*.json")
    assert "other bytes" in told.read_text()
    again = waiting.stage("t3")
    assert (again.volumes, again.parts) == (1, 3)
    assert row.name not in {r.name for r in waiting.place().catalog.volumes(("ready",))}


def test_one_that_is_still_here_is_offered_on(waiting: Archive) -> None:
    """The tape system may write it again from ready/: nothing is lost by a bad first try."""
    waiting.stage()
    receipt(waiting, sha256="0" * 64)
    assert waiting.stage("t2").refused == 1
    assert set(states(waiting).values()) == {"staged"}
    assert waiting.library().once().written == 1
    waiting.stage("t3")
    assert set(states(waiting).values()) == {"verified"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"volume": "another"}', "\x00"])
def test_a_receipt_that_says_nothing_is_refused(waiting: Archive, text: str) -> None:
    """It goes to failed/ with the reason; the volume still waits for one."""
    waiting.stage()
    path = receipt(waiting)
    path.write_text(text)
    os.utime(path, (1, 1))  # else what is no JSON may still be being written
    assert waiting.stage("t2").refused == 1
    assert set(states(waiting).values()) == {"staged"}


def test_a_receipt_of_an_unknown_volume_is_refused(waiting: Archive) -> None:
    """Another archive's, perhaps."""
    write_receipt(waiting.place().tape, Receipt("20200101-00000000", "A", "1", "0" * 64))
    assert waiting.stage().refused == 1
    assert waiting.stage("t2").refused == 0


def give_up(archive: Archive, row: VolumeRow) -> None:
    archive.place().catalog.keep_volume(replace(row, state="damaged"), "it was given up")


def test_a_volume_that_is_given_up_is_made_again(waiting: Archive) -> None:
    """As `sdfo tape lost` does: its parts wait for another one."""
    waiting.on_tape()
    (row,) = waiting.place().catalog.volumes()
    give_up(waiting, row)
    assert waiting.stage("t5").parts == 3
    assert set(states(waiting).values()) == {"staged"}


def test_what_was_freed_from_hdfs_is_staged_from_near_line(waiting: Archive) -> None:
    """A tape is lost when near-line, with a codec of its own, has the only other copy: the part on the new one is the old part."""
    near = {"nearline": {"root": "nearline", "codec": "htj2k", "workers": 0, "start": "00:00", "end": "00:00"}}
    waiting.backup("b1", **near)
    waiting.on_tape()
    catalog = waiting.place().catalog
    (lost,) = catalog.volumes()
    for part, copy in catalog.page_of_copies(Tier.HDFS):
        catalog.mark_copy(part.id, "hdfs", "retired")
        (waiting.folder / "hdfs" / copy.path).unlink()
    give_up(waiting, lost)
    done = waiting.stage("t5")
    assert (done.parts, done.failed) == (3, 0)
    (row,) = catalog.volumes(("ready",))
    assert row.sha256 != lost.sha256
    assert all(copy.check == part.check for part, copy in catalog.page_of_copies(Tier.TAPE))
    assert not list(waiting.place().tape.list("attempts"))


def test_an_unmounted_staging_area_is_not_an_empty_one(waiting: Archive) -> None:
    """Nothing is written there; `sdfo init` does not take it for a new one; `status` tells."""
    (waiting.folder / "tape").rename(waiting.folder / "away")
    with pytest.raises(WrongStore, match="the tape staging area has no id file; is it mounted"):
        waiting.stage()
    with pytest.raises(WrongStore):
        init(waiting.settings())
    assert list((waiting.folder / "tape").rglob("*")) == []
    said = waiting.sdfo("status")
    assert said.returncode == 1
    assert "is it mounted?" in said.stdout


def test_another_archives_staging_area_is_refused(waiting: Archive) -> None:
    """By its id."""
    (waiting.folder / "tape" / ".sdfo-tape").write_text("another")
    with pytest.raises(WrongStore, match="another tape staging area is mounted"):
        waiting.stage()
    assert waiting.night("r2").good


def test_two_are_not_at_work_at_once(waiting: Archive) -> None:
    """The second ends with 75 and says who is."""
    catalog = waiting.place().catalog
    catalog.take_lease("stage", "other", "host:1")
    with pytest.raises(LeaseHeld, match="other"):
        waiting.stage()
    done = waiting.sdfo("stage", "--run", "t1", "--now")
    assert done.returncode == 75
    assert states(waiting) == {}


def test_a_zombie_changes_nothing(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose lease was taken over while it wrote seals no volume."""
    real = sealing._read_again

    def overtaken(*words: Any) -> None:
        real(*words)
        catalog = waiting.place().catalog
        with catalog.database.write() as conn:
            conn.execute(
                update(tables.lease)
                .where(tables.lease.c.name == "stage")
                .values(expires=datetime(2020, 1, 1, tzinfo=UTC))
            )
        catalog.take_lease("stage", "successor", "host:2")

    monkeypatch.setattr(sealing, "_read_again", overtaken)
    with pytest.raises(Fenced):
        waiting.stage()
    assert states(waiting) == {}
    assert not tars(waiting, "sealed")
    assert not tars(waiting, "ready")
    gc(waiting.place(), keep_seconds=0)
    assert waiting.place().catalog.queue("tape").parts == 3


def test_a_full_staging_area_takes_no_volume(waiting: Archive) -> None:
    """75, what waits is told; when the tape system has taken what is there, it goes on."""
    full = area(capacity_gib=60 * KIB)
    waiting.stage(**full)
    fill(waiting.san, range(3, 5), 16)
    waiting.night("r2")
    with pytest.raises(Postponed, match=r"the tape staging area is full: .* a volume would pass 95%"):
        waiting.stage("t2", **full)
    assert waiting.place().catalog.steps("t2")["stage"].state == "postponed"
    assert waiting.place().catalog.lease_holder("stage") is None
    waiting.library().once()
    done = waiting.stage("t3", **full)
    assert (done.receipts, done.volumes, done.parts) == (1, 1, 2)


def test_what_is_on_tape_makes_room(waiting: Archive) -> None:
    """Oldest first, above `tape.clear_at`; never one that has no receipt, that somebody waits for or was promised."""
    waiting.stage()
    receipt(waiting)
    waiting.stage("t2")
    (retired,) = tars(waiting, "retired")
    study = next(iter(states(waiting)))
    fill(waiting.san, range(3, 4), 16)
    waiting.night("r2")
    assert waiting.stage("t3", **area(capacity_gib=200 * KIB)).removed == 0
    fill(waiting.san, range(4, 5), 16)
    waiting.night("r3")
    waiting.place().catalog.ask_recall(study, [retired.stem], 1)
    done = waiting.stage("t4", **area(capacity_gib=110 * KIB, clear_at=0.5, close_at=0.6))
    assert (done.recalls, done.removed, done.stopped[:20]) == (1, 0, "the tape staging are")
    assert retired.exists()
    with waiting.place().catalog.database.write() as conn:
        conn.execute(update(tables.recall).values(pinned=datetime.now(UTC) - timedelta(seconds=1)))
    done = waiting.stage("t5", **area(capacity_gib=160 * KIB, clear_at=0.5))
    assert done.removed == 51200
    assert not retired.exists()
    assert (done.volumes, len(tars(waiting, "ready"))) == (1, 2)


def test_a_full_disk_ends_the_step(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the volume stays, and nothing leaves the queue."""
    real = os.writev

    def full(fd: int, buffers: Any) -> int:
        if ".tar" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(28, "No space left on device")
        return real(fd, buffers)

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(Full, match="the tape staging area is full"):
        waiting.stage()
    assert not tars(waiting)
    monkeypatch.undo()
    assert waiting.stage("t2").parts == 3


def test_another_codec_writes_it_and_restores_all(archive: Archive) -> None:
    """Each part with the codec of the setting, in form `file`; from the volume the originals come back byte for byte."""
    from sdfo.nightly.care.restore import restore

    make_exam(archive.san / "ct", slices=2, modality="CT", seed=3, size=64)
    archive.night()
    before = archive.parts()
    flags = area(codec="htj2k")
    assert archive.stage(**flags).parts == 1
    assert not list(archive.place().tape.list("attempts"))
    ((part, copy),) = archive.place().catalog.page_of_copies(Tier.TAPE)
    assert (copy.codec, copy.check == part.check) == ("htj2k", False)
    (archive.folder / "hdfs" / next(iter(before))).unlink()
    assert restore(archive.place("x", **flags), None).restored == 1
    assert archive.parts() == before


def test_no_two_tiers_depend_on_one_codec(archive: Archive) -> None:
    """Refused when the settings are read."""
    from sdfo.errors import SettingsError

    with pytest.raises(SettingsError, match="no exam's copies may all depend on one codec"):
        archive.settings(tape={"root": "tape", "codec": "j2k"}, nearline={"root": "nearline", "codec": "j2k"})
    archive.settings(tape={"root": "tape", "codec": "original"}, nearline={"root": "nearline", "codec": "original"})


def test_an_archive_from_before_tape_says_what_to_do(waiting: Archive) -> None:
    """`sdfo init` makes what is missing; until then a night is good."""
    (waiting.folder / "hdfs" / "tape_id").unlink()
    with pytest.raises(WrongStore, match="no tape staging area yet"):
        waiting.stage()
    assert waiting.night("r2").good
    init(waiting.settings())
    assert waiting.stage("t2").parts == 3


def test_an_exam_on_tape_alone_is_off_line(waiting: Archive) -> None:
    """The breadth query says so."""
    waiting.on_tape()
    catalog = waiting.place().catalog
    (row, *_) = catalog.find(Query())
    catalog.mark_copy(catalog.parts(row.study)[0].id, "hdfs", "retired")
    for folder_id in {f.id for f in catalog.folders().values()}:
        catalog.forget_files(folder_id, list(catalog.files(folder_id)))
    found = {each.study: each.availability for each in catalog.find(Query())}
    assert found[row.study] is Availability.OFFLINE


def test_volumes_are_found_again_by_their_manifests(waiting: Archive) -> None:
    """Catalog and journal are lost: what the manifests in the staging area tell of is entered, and the receipts are read anew."""
    waiting.stage()
    waiting.library().once()
    waiting.stage("t2")
    fill(waiting.san, range(3, 4), 16)
    waiting.night("r2")
    waiting.stage("t3")
    before, copies = waiting.place().catalog.volumes(), waiting.place().catalog.page_of_copies(Tier.TAPE)
    (waiting.folder / "catalog.db").unlink()
    shutil.rmtree(waiting.folder / "hdfs" / "state")
    done = waiting.sdfo("catalog", "rebuild")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["volumes"]) == {row.name for row in before}
    assert waiting.place().catalog.queue("tape").parts == 0
    again = waiting.stage("t4")
    assert (again.receipts, again.volumes) == (1, 0)
    found = waiting.place().catalog.volumes()
    assert [(r.name, r.state, r.size, r.sha256, r.files, r.barcode) for r in found] == [
        (r.name, r.state, r.size, r.sha256, r.files, r.barcode) for r in before
    ]
    after = waiting.place().catalog.page_of_copies(Tier.TAPE)
    assert {(c.path, c.size, c.check, c.state) for _, c in after} == {
        (c.path, c.size, c.check, c.state) for _, c in copies
    }
