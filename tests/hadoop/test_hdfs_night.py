"""A whole night on HDFS: the same files as on local disk, byte for byte. What may befall it: test_killed_nodes, test_namenode_away …"""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

import pytest

from sdfo.catalog import Query
from sdfo.stores.hdfs import HdfsStore
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.exams import make_exam
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop

FILES = 62


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Six exams on a SAN, and what local disk holds of them. One has images that are too large to be records."""
    made = new_archive(tmp_path_factory.mktemp("local"))
    for seed in range(5):
        make_exam(made.san / f"exam{seed}", slices=12, modality="CT", seed=seed, size=256)
    make_exam(made.san / "large", slices=2, modality="MR", seed=9, size=1024)
    night = made.sdfo("night", "--run", "r1", SDFO__HDFS__MAX_RECORD_MIB="1")
    assert night.returncode == 0, night.stderr
    return made.san, made.parts()


@pytest.fixture
def archive(local, hadoop: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """An archive over the same SAN, on HDFS."""
    variables = {
        "HDFS__ROOT": f"{hadoop.url}/night/{secrets.token_hex(6)}",
        "HDFS__MAX_RECORD_MIB": "1",
        "HDFS__DEADLINE_SECONDS": "8",
        "SAN__ROOT": str(local[0]),
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"SDFO__{name}", value)
    return new_archive(tmp_path)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_files_as_on_local_disk(archive: Archive, local, workers: int) -> None:
    """In one process and in workers: the same names, the same SHA-256; everything in the catalog; nothing left over."""
    night = archive.sdfo("night", "--run", "r1", SDFO__CONVERT__WORKERS=str(workers))
    assert night.returncode == 0, night.stderr
    assert json.loads(night.stdout)["ledger"]["lines"]["archived tonight"] == FILES
    assert archive.parts() == local[1]
    assert sum(row.instances for row in archive.place().catalog.find(Query())) == FILES
    assert not list(archive.place().store.list("attempts"))
    again = archive.night("r2")
    assert (again.good, again.ledger.lines["already archived"]) == (True, FILES)
    assert archive.parts() == local[1]


def test_images_come_back(archive: Archive, local, tmp_path: Path) -> None:
    """`get` from HDFS alone gives the original bytes; `check --deep` and `status` are content; nothing is for everybody."""
    assert archive.night().good
    assert _modes(archive) == {"runs": 0o700, "runs/r1/report.html": 0o600, "state": 0o700, "exams": 0o750}
    for row in archive.place().catalog.find(Query()):
        got = archive.sdfo("get", row.study, "--to", str(tmp_path / "got"))
        assert got.returncode == 0, got.stderr
    originals = sorted(_digest(file) for file in local[0].glob("*/*.dcm"))
    assert sorted(_digest(file) for file in (tmp_path / "got").rglob("*.dcm")) == originals
    part = next(path for path in local[1] if path.endswith(".sdicom"))
    assert archive.sdfo("check", part, "--deep").returncode == 0
    status = archive.sdfo("status", SDFO__LIMITS__FREE="0")
    assert status.returncode == 0, status.stderr


def _modes(archive: Archive) -> dict[str, int]:
    store = archive.place().store
    assert isinstance(store, HdfsStore)
    names = ("runs", "runs/r1/report.html", "state", "exams")
    return {name: store.client.get_file_info(store.at(name)).permission for name in names}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
