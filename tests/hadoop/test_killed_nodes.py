"""One DataNode of three dies (kill -9) at replication 2, among 1,000 reads and among 50 writes: what users notice of it."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice, repeat
from pathlib import Path

import pytest

from sdfo.catalog import Query
from sdfo.client import Archive as Client
from sdfo.errors import NotFound
from sdfo.model import Tier
from sdfo.nightly.care.gc import gc
from sdfo.stores.hdfs import HdfsStore, reads
from sdfo.testing.archive import Archive, images_off_the_san, new_archive
from sdfo.testing.exams import make_exam
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop

READS, KILLED_AFTER, READERS = 1000, 300, 2
EXAMS = 50
DEADLINE = 8.0


@pytest.fixture
def archive(hadoop: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """On HDFS, over a SAN of its own."""
    monkeypatch.setenv("SDFO__HDFS__ROOT", f"{hadoop.url}/killed/{secrets.token_hex(6)}")
    monkeypatch.setenv("SDFO__HDFS__DEADLINE_SECONDS", f"{DEADLINE:g}")
    monkeypatch.setenv("SDFO__HDFS__MAX_RECORD_MIB", "1")
    return new_archive(tmp_path)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _busiest(hadoop: Cluster, archive: Archive) -> int:
    """The DataNode with most replicas of the archive's parts."""
    store = archive.place().store
    assert isinstance(store, HdfsStore)
    holders = [node for path in archive.parts() for node in hadoop.holders(store.at(path))]
    return max(set(holders), key=holders.count)


class _Reader:
    """Reads images as a user does, by SOP Instance UID, and compares each with what the SAN had."""

    def __init__(self, archive: Archive, images: dict[str, str]) -> None:
        self.client, self.images = Client(archive.settings()), images
        self.failed, self.wrong, self.took = list[str](), list[str](), list[float]()

    def read(self, sop: str) -> None:
        began = time.monotonic()
        try:
            data = self.client.open(sop)
        except Exception as error:  # noqa: BLE001 whatever it is, it is a read that failed
            self.failed.append(f"{type(error).__name__}: {error}")
        else:
            if _digest(data) != self.images[sop]:
                self.wrong.append(sop)
        self.took.append(time.monotonic() - began)


def test_1000_reads_while_a_node_dies(
    archive: Archive, harmed: Cluster, record_property: pytest.RecordProperty, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 failed, 0 wrong, none near the deadline; no copy is taken for damaged because a node is dead."""
    images = images_off_the_san(archive, 2, 20)
    victim = harmed.datanodes[_busiest(harmed, archive)]
    reader = _Reader(archive, images)
    asked = list(islice((sop for sops in repeat(list(images)) for sop in sops), READS))
    with ThreadPoolExecutor(READERS) as pool:
        answers = [pool.submit(reader.read, sop) for sop in asked]
        answers[KILLED_AFTER].result()
        victim.kill()
        before = len(reader.took)
    after = sorted(reader.took[before:])
    said = (
        f"{len(after)} reads after the kill: median {after[len(after) // 2] * 1000:.1f} ms, slowest {after[-1]:.2f} s"
    )
    record_property("reads", said)
    with capsys.disabled():
        print(f"\n{said}")
    assert (len(reader.took), reader.failed, reader.wrong) == (READS, [], [])
    assert not victim.alive
    assert before < READS - 500
    assert after[-1] < DEADLINE
    assert {fault.tier for fault in reader.client.faults} <= {Tier.SAN}  # each byte came from HDFS, at the first try
    assert _states(archive) == {"verified"}


def _states(archive: Archive) -> set[str]:
    catalog = archive.place().catalog
    parts = [part.id for row in catalog.find(Query()) for part in catalog.parts(row.study)]
    return {copy.state for part in parts for copy in catalog.copies(part)}


def test_a_node_that_hangs_costs_an_image_at_most_the_deadline_setting(
    archive: Archive, harmed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SOP Instance UID through the client, whichever of the part's nodes hangs: within the setting, and right.

    Where all of them hang the image cannot be had, and that too is told by then.
    """
    images = images_off_the_san(archive, 2, 2)
    monkeypatch.setenv("SDFO__HDFS__DEADLINE_SECONDS", "2.5")
    store = archive.place().store
    assert isinstance(store, HdfsStore)
    for node in harmed.holders(store.at(next(iter(archive.parts())))):
        monkeypatch.setattr(reads, "_wary_until", 0.0)
        reader = _Reader(archive, images)
        harmed.datanodes[node].hang()
        try:
            for sop in images:
                reader.read(sop)
        finally:
            harmed.datanodes[node].resume()
        assert (reader.failed, reader.wrong) == ([], [])
        assert max(reader.took) < archive.settings().hdfs.deadline_seconds
    for daemon in harmed.datanodes:
        daemon.hang()
    reader = _Reader(archive, images)
    reader.read(next(iter(images)))
    assert [what.partition(":")[0] for what in reader.failed] == ["NotFound"]
    assert reader.took[0] < archive.settings().hdfs.deadline_seconds + 1


@contextmanager
def _killed(hadoop: Cluster, archive: Archive, attempts: int) -> Iterator[None]:
    """A DataNode dies once so many attempts have been begun."""
    over, store = threading.Event(), archive.place().store

    def kill() -> None:
        while not over.is_set() and sum(1 for _ in store.list("attempts")) < attempts:
            time.sleep(0.01)
        hadoop.datanodes[1].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


def _fill(san: Path) -> None:
    """Small exams, and one whose images are too large to be records."""
    for seed in range(EXAMS - 1):
        make_exam(san / f"exam{seed:02}", slices=2, modality="CT", seed=seed, size=32)
    make_exam(san / "large", slices=2, modality="MR", seed=EXAMS, size=1024)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a night on local disk makes of the same exams."""
    local = new_archive(tmp_path_factory.mktemp("local"))
    _fill(local.san)
    assert local.night(hdfs={"root": "hdfs", "max_record_mib": 1}).good
    return local.parts()


@pytest.mark.long
def test_50_exams_written_while_a_node_dies(expected: dict[str, str], archive: Archive, harmed: Cluster) -> None:
    """0 wrong committed files; every exam archived by the end of the next run; no attempt is ever seen as an exam."""
    _fill(archive.san)
    with _killed(harmed, archive, attempts=15):
        first = archive.night("r1")
    assert archive.parts().items() <= expected.items()
    _shows_no_attempt(archive)
    last = archive.night("r2")  # the node is still dead
    assert last.good
    assert last.ledger.lines["already archived"] + last.ledger.lines["archived tonight"] == 2 * EXAMS
    assert archive.parts() == expected
    assert [row.instances for row in archive.place().catalog.find(Query())] == [2] * EXAMS
    _shows_no_attempt(archive)
    assert archive.place().catalog.known_paths(Tier.HDFS) == set(expected)
    gc(archive.place(), keep_seconds=-60)
    assert not list(archive.place().store.list("attempts"))
    assert first.ledger.lines["archived tonight"] > 0


def _shows_no_attempt(archive: Archive) -> None:
    """What users ask answers with committed parts alone, whole ones, and with files of the SAN."""
    client, parts = Client(archive.settings()), archive.parts()
    for row in client.find(Query()):
        for location in client.locate(row.study):
            assert location.tier is Tier.SAN or location.path in parts
    with pytest.raises(NotFound):
        client.open("1.2.3")
