"""The near-line tier with a cluster: kept on HDFS instead of a NAS; and written by containers of YARN."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from sdfo.nightly import shipment
from sdfo.nightly.care.restore import restore
from sdfo.testing.archive import fill, new_archive
from sdfo.testing.exams import make_exam
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = [pytest.mark.hadoop, pytest.mark.long]


def test_near_line_on_hdfs(hadoop: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied, with a large file beside its part; what is deleted on either tier is found and made again, byte for byte."""
    for tier in ("HDFS", "NEARLINE"):
        monkeypatch.setenv(f"SDFO__{tier}__ROOT", f"{hadoop.url}/near/{secrets.token_hex(6)}")
    monkeypatch.setenv("SDFO__HDFS__MAX_RECORD_MIB", "1")
    monkeypatch.setenv("SDFO__NEARLINE__CODEC", "htj2k")
    archive = new_archive(tmp_path)
    fill(archive.san, range(2), 128)
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=1024)
    assert archive.night().good
    before = archive.parts()
    assert archive.backup().parts == 3
    near = archive.near()
    assert len(near) == len(before) == 4
    for path in near:
        archive.place().nearline.delete(path)
    assert restore(archive.place("x1"), None).queued == 3
    assert archive.backup("b2").parts == 3
    assert archive.near() == near
    for path in before:
        archive.place().store.delete(path)
    assert restore(archive.place("x2"), None).restored == 3
    assert archive.parts() == before


def test_containers_write_to_near_line(on_yarn: Cluster, tmp_path: Path) -> None:
    """What they run has the codecs and both decoders with it."""
    archive = new_archive(tmp_path)
    shipment.ship(archive.settings().hdfs)
    fill(archive.san, range(3), 128)
    assert archive.night().good
    words = {"SDFO__NEARLINE__CODEC": "j2k-roi", "SDFO__NEARLINE__JUDGED": "1"}
    done = archive.sdfo("backup", "--run", "b1", "--engine", "spark", **words)
    assert done.returncode == 0, done.stderr
    report = archive.place().catalog.steps("b1")["backup"].report
    assert (report["parts"], report["compressed"], report["judged"], report["kept"]) == (3, 6, 6, {})
    assert report["ran_by"].startswith("spark application_")
    assert len(archive.near()) == 3
