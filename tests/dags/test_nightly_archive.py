"""The night under `airflow dags test`: Airflow, Spark and the archive as they are, over a small SAN."""

import hashlib
import sqlite3
from pathlib import Path

import pytest

from sdfo.testing.exams import make_exam, study_uid

pytestmark = pytest.mark.airflow
STEPS = ("scan", "convert", "verify", "publish", "catalog_backup", "report", "good_night")


@pytest.fixture(scope="module")
def images(archive) -> dict[str, str]:
    """Two exams on the SAN, one of them with a file cut short: digests by file name."""
    whole = make_exam(archive.san / "whole", slices=5, modality="CT", seed=1, size=64)
    hurt = make_exam(archive.san / "hurt", slices=3, modality="MR", seed=2, size=64)
    hurt[1].write_bytes(hurt[1].read_bytes()[:-1000])
    return {f"{file.parent.name}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in whole + hurt}


@pytest.fixture(scope="module")
def night(airflow, archive, images):
    return airflow.night(SDFO_CONF=str(archive.settings))


def test_no_dag_fails_to_import(airflow) -> None:
    """Airflow reads every file of dags/ without an error, and only ours."""
    assert airflow("dags", "reserialize").returncode == 0
    assert airflow.json("dags", "list-import-errors") == []
    assert [dag["dag_id"] for dag in airflow.json("dags", "list")] == [
        "backfill",
        "backup_nearline",
        "drill",
        "expire_san",
        "nightly_archive",
        "scrub",
        "stage_tape",
    ]


def test_a_damaged_file_is_no_failure(night) -> None:
    """The run is successful, step by step, though one file of the SAN is not whole."""
    assert night.code == 0, night.log
    assert night.states == dict.fromkeys(STEPS, "success")


def test_the_damaged_file_is_in_the_report(night, archive) -> None:
    """The night is good, its ledger balances, and the file that is not whole is named."""
    report = archive.report(night.run)
    assert report["good"]
    assert report["balanced"]
    assert report["ledger"]["damaged"] == 1
    assert [row["name"] for row in report["files"] if row["kind"] == "damaged"] == ["S001-I00002.dcm"]


def test_the_catalog_is_backed_up(night, archive) -> None:
    """Each night, after its exams were published, on both tiers."""
    on_hdfs, near = (
        sorted(folder.glob("state/catalog/*.zip")) for folder in (archive.hdfs, archive.hdfs.parent / "nearline")
    )
    assert [file.name for file in on_hdfs] == [file.name for file in near]
    assert len(near) == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_published_comes_back(night, archive, images, seed: int, tmp_path: Path) -> None:
    """Every file of both exams is read back as it lay on the SAN, the damaged one too."""
    archive.sdfo("get", study_uid(seed), "--to", str(tmp_path))
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in tmp_path.rglob("*.dcm")}
    folder = {1: "whole/", 2: "hurt/"}[seed]
    assert digests == {digest for name, digest in images.items() if name.startswith(folder)}


def test_only_publish_tells_the_asset(night, airflow) -> None:
    """The runs that follow a night (backup) start when its exams are published, once."""
    with sqlite3.connect(airflow.home / "airflow.db") as database:
        events = database.execute("select source_task_id from asset_event where source_run_id = ?", [night.run])
        assert events.fetchall() == [("publish",)]


def test_no_name_of_the_san_is_in_airflows_log(night) -> None:
    """Folder and file names on a SAN are often patients' names: Airflow's logs, which many may read, hold none."""
    assert "S001-I0" not in night.log
    assert "/hurt" not in night.log


def test_a_failed_convert_fails_the_night(airflow, archive, images, tmp_path: Path) -> None:
    """Without a Java the Spark step fails: the report runs all the same, the run is failed, and so is the command."""
    late = make_exam(archive.san / "late", slices=2, modality="CT", seed=3, size=64)
    try:
        night = airflow.night(SDFO_CONF=str(archive.settings), JAVA_HOME=str(tmp_path))
    finally:
        for file in late:
            file.unlink()
        late[0].parent.rmdir()
    assert night.code != 0
    assert night.states == {
        "scan": "success",
        "convert": "failed",
        "verify": "upstream_failed",
        "publish": "upstream_failed",
        "catalog_backup": "upstream_failed",
        "report": "failed",
        "good_night": "upstream_failed",
    }
    report = archive.report(night.run)
    assert not report["good"]
    assert report["missing"] == 2
