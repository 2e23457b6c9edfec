"""Two nights begin at once on one archive on HDFS: one lease, one result."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from sdfo.catalog import Query
from sdfo.nightly.care.gc import gc
from sdfo.testing.archive import Archive, fill, new_archive, parts_on_disk
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop

EXAMS = 12


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return parts_on_disk(tmp_path_factory.mktemp("local"), range(EXAMS))


def _begin(archive: Archive, run: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sdfo.cli", "--conf", str(archive.toml), "--json", "night", "--run", run]
    return subprocess.Popen(command, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_nights_at_once(expected, hadoop: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One takes the lease; the other is postponed, or comes after it and finds all archived. No exam is there twice."""
    monkeypatch.setenv("SDFO__HDFS__ROOT", f"{hadoop.url}/two/{secrets.token_hex(6)}")
    archive = new_archive(tmp_path)
    fill(archive.san, range(EXAMS))
    nights = {run: _begin(archive, run) for run in ("a", "b")}
    said = {run: night.communicate(timeout=300) for run, night in nights.items()}
    codes = {run: night.returncode for run, night in nights.items()}
    assert sorted(codes.values()) in ([0, 75], [0, 0]), said
    assert archive.parts() == expected
    assert [row.instances for row in archive.place().catalog.find(Query())] == [2] * EXAMS
    done = [json.loads(out)["ledger"]["lines"] for run, (out, _) in said.items() if codes[run] == 0]
    assert sum(lines["archived tonight"] for lines in done) == 2 * EXAMS
    for run in (run for run, code in codes.items() if code == 75):
        (row,) = archive.place().catalog.steps(run).values()
        assert (row.step, row.state) == ("scan", "postponed")
        assert "held by run" in row.report["error"]
        assert archive.night(run).ledger.lines["already archived"] == 2 * EXAMS
    assert archive.parts() == expected
    gc(archive.place(), keep_seconds=-60)
    assert not list(archive.place().store.list("attempts"))
