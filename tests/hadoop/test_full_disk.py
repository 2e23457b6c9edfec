"""The store is full: the night says so and fails, nothing half is seen, and with room again the next night archives all."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdfo.client import Archive as Client
from sdfo.errors import Full
from sdfo.stores.hdfs import HdfsStore
from sdfo.testing.archive import Archive, fill, new_archive, parts_on_disk
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop

EXAMS = 8
SIZE = 192
QUOTA = 3 * 1024 * 1024
"""Bytes of all replicas: room for some of the exams (300 kB each), and for a block of 1 MiB being written."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return parts_on_disk(tmp_path_factory.mktemp("local"), range(EXAMS), SIZE)


@pytest.fixture
def archive(expected, hadoop: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """On HDFS: a first night has archived one exam, the others are new."""
    monkeypatch.setenv("SDFO__HDFS__ROOT", f"{hadoop.url}/full/{secrets.token_hex(6)}")
    monkeypatch.setenv("SDFO__HDFS__BLOCK_MIB", "1")
    monkeypatch.setenv("SDFO__HDFS__WRITE_RETRY_SECONDS", "60")
    made = new_archive(tmp_path)
    fill(made.san, range(1), SIZE)
    assert made.night("r0").good
    fill(made.san, range(1, EXAMS), SIZE)
    yield made
    hadoop.fill(False)
    hadoop.mend()


def _paths(archive: Archive) -> set[str]:
    return {stat.path for stat in archive.place().store.list()}


def _fails(archive: Archive, run: str, why: str, step: str) -> None:
    """A night that ends with 1, says why and what next, and leaves what was there as it was."""
    before = archive.parts()
    good = archive.place().store.read_all("last_good_night")
    night = archive.sdfo("night", "--run", run)
    assert night.returncode == 1, night.stderr
    said = json.loads(night.stdout)
    assert (said["error"], said["what"]) == ("Full", f"the store is full: {why}")
    assert said["next"].startswith("hdfs ")
    row = archive.place().catalog.steps(run)[step]
    assert (row.state, why in row.report["error"]) == ("failed", True)
    assert archive.parts() == before
    assert archive.place().catalog.known_paths("hdfs") == set(before)
    assert archive.place().store.read_all("last_good_night") == good
    assert not [path for path in _paths(archive) if path.endswith(".part")]


def _goes_on(archive: Archive, run: str, expected: dict[str, str]) -> None:
    assert archive.night(run).good
    assert archive.parts() == expected
    assert archive.place().catalog.known_paths("hdfs") == set(expected)


def test_a_quota_that_is_used_up_in_the_night(archive: Archive, expected, hadoop: Cluster) -> None:
    """Some exams are written, then there is no more room: none of them is published."""
    store = archive.place().store
    assert isinstance(store, HdfsStore)
    used = sum(stat.size for stat in store.list()) * 2
    assert (
        hadoop.home.run("dfsadmin", "-setSpaceQuota", str(used + QUOTA), store.at("x").removesuffix("/x")).returncode
        == 0
    )
    _fails(archive, "r1", "the quota of bytes is used up", "convert")
    assert [stat for stat in store.list("attempts/r1") if stat.size]
    assert hadoop.home.run("dfsadmin", "-clrSpaceQuota", store.at("x").removesuffix("/x")).returncode == 0
    _goes_on(archive, "r2", expected)


@pytest.mark.long
def test_no_datanode_has_room(archive: Archive, expected, hadoop: Cluster) -> None:
    """Told at once, not after `write_retry_seconds` of trying; what is archived can be read; `status` ends with 1."""
    hadoop.fill()
    began = time.monotonic()
    with pytest.raises(Full):
        archive.place().store.put("x", b"data")
    assert time.monotonic() - began < 10
    _fails(archive, "r1", "no DataNode has room for one more block", "scan")
    archive.san.rename(archive.folder / "san-elsewhere")
    archive.san.mkdir()
    study = next(iter(archive.parts())).rpartition("/")[2].partition("-")[0]
    read = [data for _, data in Client(archive.settings()).exam(study)]
    assert read == [file.read_bytes() for file in sorted((archive.folder / "san-elsewhere" / "exam00").iterdir())]
    archive.san.rmdir()
    (archive.folder / "san-elsewhere").rename(archive.san)
    status = archive.sdfo("status")
    assert status.returncode == 1
    assert "room in the HDFS store" in [line["what"] for line in json.loads(status.stdout)["lines"] if not line["ok"]]
    hadoop.fill(False)
    _goes_on(archive, "r2", expected)
