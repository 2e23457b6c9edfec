"""What a tape system, a clumsy hand or bad luck may do to the staging area: nothing of it loses an image or stops the rest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from sdfo.catalog import Query, RecallRow, tables
from sdfo.catalog.catalog import Catalog
from sdfo.client import Archive as Client
from sdfo.errors import Full, OnTape, WrongStore
from sdfo.model import Tier
from sdfo.nightly.care.gc import gc
from sdfo.nightly.care.restore import restore
from sdfo.nightly.tape import sealing
from sdfo.nightly.tape.recall import recall, wait
from sdfo.nightly.tape.receiving import attend
from sdfo.stores import Sink, Store
from sdfo.stores.local import LocalStore
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.tiers.tape import exchange, proving
from sdfo.tiers.tape.reading import TapeStore, whereabouts

CLEARING = {"tape": {"root": "tape", "clear_at": 1e-9, "close_at": 1.0}}
ODD = ["a b", "$(x)", "M\udcfcller", "..", "x\ny"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two exams are published and staged, and their volume stands in ready/."""
    archive = new_archive(tmp_path_factory.mktemp("offered"))
    fill(archive.san, range(2), 16)
    assert archive.night().good
    archive.stage()
    archive.place().catalog.close()
    return archive


@pytest.fixture
def offered(template: Archive, tmp_path: Path) -> Archive:
    shutil.copytree(template.folder, tmp_path / "offered")
    return Archive(tmp_path / "offered")


@pytest.fixture
def taped(offered: Archive) -> Archive:
    """The volume is on tape alone."""
    offered.library().once()
    offered.stage("t2")
    return offered


def area(archive: Archive) -> Path:
    return archive.folder / "tape"


def volume(archive: Archive) -> str:
    return archive.place().catalog.volumes()[0].name


def states(archive: Archive) -> set[str]:
    return {copy.state for _, copy in archive.place().catalog.page_of_copies(Tier.TAPE)}


def study(archive: Archive) -> str:
    return next(iter(archive.place().catalog.find(Query()))).study


def study_on(archive: Archive, name: str) -> str:
    return archive.place().catalog.on_volume(name)[0][0].study


def lose_all_but_tape(archive: Archive) -> None:
    shutil.rmtree(archive.folder / "hdfs/exams")
    for exam in archive.san.glob("exam*"):
        shutil.rmtree(exam)


def receipt(archive: Archive, **fields: object) -> Path:
    (row,) = archive.place().catalog.volumes()
    told = {"volume": row.name, "barcode": "A00017L9", "position": "4", "sha256": row.sha256} | fields
    path = area(archive) / "receipts" / f"{row.name}.written.json"
    path.write_text(json.dumps({name: value for name, value in told.items() if value is not None}))
    return path


def arrived(archive: Archive) -> Path:
    recall(archive.place(), study(archive))
    archive.library().once()
    (path,) = (area(archive) / "in").glob("*.tar")
    return path


@pytest.mark.parametrize("name", ODD)
def test_odd_names_stop_nothing(offered: Archive, name: str) -> None:
    """A file whose name no volume could have, in any folder of the tape system's."""
    for file in (f"receipts/{name}.written.json", f"in/{name}.tar", f"request/{name}.json", f"retired/{name}.tar"):
        (area(offered) / file).write_bytes(b"{}")
    offered.library().once()
    done = offered.stage("t2", **CLEARING)
    assert (done.receipts, states(offered)) == (1, {"verified"})
    recall(offered.place(), study(offered))
    offered.library().once()
    assert attend(offered.place()).done == 1


def test_a_receipt_that_is_still_being_written_is_waited_for(offered: Archive) -> None:
    """A tape system may write it under its final name: what is no JSON and just changed is not refused yet."""
    path = receipt(offered)
    whole = path.read_text()
    path.write_text(whole[:20])
    assert offered.stage("t2").refused == 0
    path.write_text(whole)
    assert offered.stage("t3").receipts == 1
    assert states(offered) == {"verified"}


def test_a_receipt_tells_where_the_volume_went(taped: Archive) -> None:
    """It was copied to another tape: a later receipt has another barcode, and that one is asked for."""
    receipt(taped, barcode="NEW001L9", position="9")
    os.utime(area(taped) / "receipts" / f"{volume(taped)}.written.json")
    taped.stage("t3")
    (row,) = taped.place().catalog.volumes()
    assert (row.state, row.barcode, row.position) == ("verified", "NEW001L9", "9")


def test_a_later_receipt_of_a_bad_tape_is_heard(taped: Archive) -> None:
    """The tape was read once more, and gave other bytes: nobody counts on it from then on."""
    receipt(taped, sha256="0" * 64)
    done = taped.stage("t3", now=False)
    assert (done.refused, states(taped)) == (1, {"damaged"})


@pytest.mark.parametrize("text", ['{"volume": "V", "barcode": "\\ud800\\u0000\\u001b[2J"}', "[" * 100_000])
def test_a_receipt_with_anything_in_it(offered: Archive, text: str) -> None:
    """What the catalog keeps of it can be printed; what is nested without end is no JSON."""
    path = receipt(offered)
    path.write_text(text.replace("V", volume(offered), 1))
    os.utime(path, (1, 1))
    offered.stage("t2")
    (row,) = offered.place().catalog.volumes()
    assert row.barcode.isprintable()


def test_a_reason_with_anything_in_it(taped: Archive) -> None:
    """It ends the recall, and nothing else."""
    row = recall(taped.place(), study(taped))
    (area(taped) / "failed" / f"{volume(taped)}.json").write_text('{"reason": "\\ud800\\u0000\\u001b[2Jdone"}')
    attend(taped.place())
    found = taped.place().catalog.recall(row.id)
    assert found.state == "failed"
    assert found.reason is not None
    assert found.reason.isprintable()


def test_a_receipt_of_a_volume_whose_manifest_is_here_is_kept(offered: Archive) -> None:
    """The catalog was lost and came back without it."""
    path = receipt(offered)
    with offered.place().catalog.database.write() as conn:
        conn.execute(delete(tables.copy).where(tables.copy.c.tier == "tape"))
        conn.execute(delete(tables.volume))
    offered.stage("t2", now=False)
    assert path.exists()


def test_a_step_killed_while_it_takes_a_receipt(offered: Archive) -> None:
    """Entered, and not yet moved: the next one moves it, so that the tape system does not write it twice."""
    receipt(offered, sha256=None)
    (row,) = offered.place().catalog.volumes()
    offered.place().catalog.keep_volume(replace(row, state="written", barcode="A00017L9", position="4"))
    offered.stage("t2")
    assert not list((area(offered) / "ready").glob("*.ready"))
    assert list((area(offered) / "retired").glob("*.tar"))


def test_a_request_made_meanwhile_is_not_withdrawn(taped: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recall is asked for while another process looks at what came back."""
    real = exchange.requests

    def meanwhile(store: Store) -> Iterator[tuple[str, float]]:
        monkeypatch.setattr(exchange, "requests", real)
        recall(taped.place(), study(taped))
        return real(store)

    monkeypatch.setattr(exchange, "requests", meanwhile)
    attend(taped.place())
    assert len(list((area(taped) / "request").glob("*.json"))) == 1


def test_a_volume_that_changes_while_it_is_read_is_still_arriving(
    taped: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file has its full size from the beginning."""
    path = arrived(taped)
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole)))
    real = proving.digest_of

    def growing(store: Store, at: str) -> str:
        found = real(store, at)
        path.write_bytes(whole)
        os.utime(path, (2, 2))
        return found

    monkeypatch.setattr(proving, "digest_of", growing)
    attend(taped.place())
    monkeypatch.undo()
    assert states(taped) == {"verified"}
    assert attend(taped.place()).done == 1


def test_an_old_proof_proves_no_later_volume(taped: Archive) -> None:
    """Somebody removed the volume and left the mark beside it: what comes back later is proven anew."""
    path = arrived(taped)
    attend(taped.place())
    whole = path.read_bytes()
    path.unlink()
    assert recall(taped.place(), study(taped)).state == "waiting"
    path.write_bytes(whole[: len(whole) // 2])
    attend(taped.place())
    assert taped.place().catalog.recalls()[0].state == "waiting"
    path.write_bytes(whole)
    assert attend(taped.place()).done == 1


@pytest.mark.parametrize("kind", ["loop", "dangling", "folder"])
def test_a_volume_that_cannot_be_opened_costs_only_itself(taped: Archive, kind: str) -> None:
    """A link in a circle, one to nowhere, a folder."""
    row = recall(taped.place(), study(taped))
    path = area(taped) / "in" / f"{volume(taped)}.tar"
    if kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "folder":
        path.mkdir()
    fill(taped.san, range(5, 6), 16)
    taped.night("r2")
    assert taped.stage("t3").volumes == 1
    assert taped.place().catalog.recall(row.id).state in ("waiting", "failed")
    assert "damaged" not in states(taped)


def test_the_wrong_tape_under_the_right_name_is_no_damage(taped: Archive) -> None:
    """The library brought another volume of ours: ours is not damaged by that, and comes when it is asked for again."""
    fill(taped.san, range(5, 6), 16)
    taped.night("r2")
    taped.on_tape("t3")
    first, second = (row.name for row in taped.place().catalog.volumes())
    row = recall(taped.place(), study_on(taped, first))
    shutil.copy(taped.folder / "library" / f"{second}.tar", area(taped) / "in" / f"{first}.tar")
    os.utime(area(taped) / "in" / f"{first}.tar", (1, 1))
    attend(taped.place())
    assert states(taped) == {"verified"}
    found = taped.place().catalog.recall(row.id)
    assert found.state == "failed"
    assert recall(taped.place(), study_on(taped, first)).state == "waiting"
    taped.library().once()
    assert attend(taped.place()).done == 1


def test_a_volume_that_was_given_up_and_is_found_counts_again(taped: Archive) -> None:
    """Every byte of it is what was sealed."""
    catalog = taped.place().catalog
    (row,) = catalog.volumes()
    catalog.keep_volume(replace(row, state="damaged"), "it was given up")
    shutil.copy(taped.folder / "library" / f"{row.name}.tar", area(taped) / "in" / f"{row.name}.tar")
    attend(taped.place())
    assert catalog.volumes()[0].state == "verified"
    assert states(taped) == {"verified"}
    assert catalog.queue("tape").parts == 0


def test_a_volume_that_goes_while_it_is_read_is_no_damage(taped: Archive, tmp_path: Path) -> None:
    """It has to be recalled; nothing on it is damaged by that."""
    path = arrived(taped)
    attend(taped.place())
    store = TapeStore(taped.place().tape)
    opened = store.volume(path.stem)
    path.unlink()
    with pytest.raises(OnTape):
        opened.open(opened.manifest.entries[0].path)


def test_a_manifest_that_is_damaged_does_not_condemn_its_volume(taped: Archive) -> None:
    """The one kept beside the volumes has a flipped bit: the volume's own is right."""
    name = volume(taped)
    kept = area(taped) / "manifests" / f"{name}.json"
    told = json.loads(kept.read_text())
    told["files"][0]["offset"] += 512
    kept.write_text(json.dumps(told))
    lose_all_but_tape(taped)
    arrived(taped)
    assert attend(taped.place()).done == 1
    client = Client(taped.settings())
    for row in taped.place().catalog.find(Query()):
        assert len(list(client.exam(row.study))) == 2
    assert states(taped) == {"verified"}


def test_room_is_never_made_of_what_is_on_no_tape(taped: Archive) -> None:
    """The tape is lost, the volume is still here: it may be the last copy there is."""
    path = arrived(taped)
    attend(taped.place())
    catalog = taped.place().catalog
    (row,) = catalog.volumes()
    catalog.keep_volume(replace(row, state="damaged"), "it was given up")
    with catalog.database.write() as conn:
        conn.execute(update(tables.recall).values(pinned=None))
        conn.execute(update(tables.copy).where(tables.copy.c.tier == "hdfs").values(state="retired"))
    shutil.rmtree(taped.folder / "hdfs/exams")
    taped.stage("t3", **CLEARING)
    assert path.exists()


def test_a_recall_asked_while_room_is_made_keeps_its_volume(taped: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at who waits and the removal."""
    arrived(taped)
    attend(taped.place())
    with taped.place().catalog.database.write() as conn:
        conn.execute(update(tables.recall).values(pinned=None))
    found = list[RecallRow]()
    pins = Catalog.pinned_volumes

    def pinned(self: Catalog) -> set[str]:
        before = pins(self)
        if not found:
            found.append(recall(taped.place(), study(taped)))
        return before

    monkeypatch.setattr(Catalog, "pinned_volumes", pinned)
    taped.stage("t3", **CLEARING)
    row = taped.place().catalog.recall(found[0].id)
    assert row.state == "waiting" or whereabouts(taped.place().tape, volume(taped)) is not None


def test_two_volumes_never_share_a_name(offered: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lot falls on a name that was given: it is drawn again."""
    taken = volume(offered).partition("-")[2]
    given = iter([taken, taken])
    real = sealing.secrets.token_hex
    monkeypatch.setattr(sealing.secrets, "token_hex", lambda size=None: next(given, None) or real(size))
    fill(offered.san, range(5, 6), 16)
    offered.night("r2")
    given = iter([taken, taken])
    offered.stage("t2")
    assert len(offered.place().catalog.volumes()) == 2


def test_a_sealed_volume_of_parts_that_nobody_knows_stays(offered: Archive) -> None:
    """The catalog came back from a backup older than the volume: it may hold the only copy of them."""
    name = volume(offered)
    for file in ("tar", "sha256"):
        (area(offered) / "ready" / f"{name}.{file}").rename(area(offered) / "sealed" / f"{name}.{file}")
    (area(offered) / "ready" / f"{name}.ready").unlink()
    with offered.place().catalog.database.write() as conn:
        for table in reversed(tables.metadata.sorted_tables):
            if table not in (tables.lease, tables.gate):
                conn.execute(delete(table))
    shutil.rmtree(offered.folder / "hdfs/exams")
    offered.stage("t2", now=False)
    assert (area(offered) / "sealed" / f"{name}.tar").exists()


def test_a_full_hdfs_is_not_a_tape_that_cannot_be_reached(taped: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The restore ends with what it is: no room on HDFS."""
    arrived(taped)
    attend(taped.place())
    shutil.rmtree(taped.folder / "hdfs/exams")
    place, real = taped.place("x1"), LocalStore.create

    def full(self: LocalStore, path: str, **words: bool) -> Sink:
        if self.url == place.store.url and path.startswith("attempts/"):
            raise Full("the disk is full, or a quota used up", path=path)
        return real(self, path, **words)

    monkeypatch.setattr(LocalStore, "create", full)
    with pytest.raises(Full):
        restore(place, None)


def test_gc_leaves_a_run_alone_whatever_its_name(offered: Archive) -> None:
    """Manifests of a run that is called like a job's folder, and no job's."""
    offered.place().store.put("runs/mrjob-1/work.jsonl", b"")
    offered.place().store.put("runs/r1/mrjob-1/part-0", b"")
    gc(offered.place(), keep_seconds=-1)
    assert [offered.place().store.has(f"runs/{path}") for path in ("mrjob-1/work.jsonl", "r1/mrjob-1/part-0")] == [
        True,
        False,
    ]


def test_volumes_that_could_go_never_keep_a_new_one_out(offered: Archive) -> None:
    """Below `tape.clear_at`, and too full for one more all the same."""
    receipt(offered)
    offered.stage("t2")
    fill(offered.san, range(5, 6), 256)
    offered.night("r2")
    used = sum(stat.size for stat in offered.place().tape.list())
    narrow = {"root": "tape", "capacity_gib": (used + offered.place().catalog.queue("tape").bytes) / 2**30}
    done = offered.stage("t3", tape=narrow)
    assert (done.volumes, done.stopped) == (1, "")
    assert not list((area(offered) / "retired").glob("*.tar"))


def test_waiting_for_a_library_that_never_answers_ends(taped: Archive, tmp_path: Path) -> None:
    """After `limits.receipt_age_hours`, with the recall's id at the beginning and at the end, and 75."""
    uid = study(taped)
    lose_all_but_tape(taped)
    with taped.toml.open("a") as toml:
        toml.write("[limits]\nreceipt_age_hours = 0.0003\n")
    said = taped.sdfo("get", uid, "--to", str(tmp_path / "out"), "--wait")
    assert said.returncode == 75, said.stderr
    assert said.stderr.count("recall 1: 1 volume asked for") == 2
    assert len(list((area(taped) / "request").glob("*.json"))) == 1


def test_a_staging_area_that_goes_away_ends_the_waiting(taped: Archive) -> None:
    """It is not taken for one in which nothing arrives."""
    place = taped.place()
    row = recall(place, study(taped))
    area(taped).rename(taped.folder / "unmounted")
    area(taped).mkdir()
    with pytest.raises(WrongStore):
        wait(place, row.id, most=5)
