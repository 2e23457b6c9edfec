"""The near-line backup under `airflow dags test`: Airflow, Spark and the archive as they are."""

import json
from pathlib import Path

import pytest

from sdfo.testing.exams import make_exam

pytestmark = [pytest.mark.airflow, pytest.mark.long]


def _run(airflow, archive, **variables: str) -> dict[str, str]:
    done = airflow("dags", "test", "backup_nearline", SDFO_CONF=str(archive.settings), **variables)
    runs = airflow.json("dags", "list-runs", "backup_nearline")
    rows = airflow.json(
        "tasks", "states-for-dag-run", "backup_nearline", max(runs, key=lambda run: run["run_after"])["run_id"]
    )
    assert rows, done.stdout
    return {row["task_id"]: row["state"] for row in rows}


def test_it_copies_what_waits_and_ends_well_on_nothing(airflow, archive) -> None:
    """Skipped while it is not the time; then each part has its copy; and again, with nothing to do, it is green."""
    make_exam(archive.san / "exam", slices=4, modality="CT", seed=9, size=64)
    archive.sdfo("night", "--run", "r1")
    near = archive.settings.parent / "nearline"
    away = {"SDFO__NEARLINE__START": "00:00:00", "SDFO__NEARLINE__END": "00:00:01"}
    assert _run(airflow, archive, **away) == {"due": "skipped", "backup": "skipped"}
    assert not list(near.rglob("*.sdicom"))
    now = {"SDFO__NEARLINE__START": "00:00", "SDFO__NEARLINE__END": "00:00"}
    for _ in range(2):
        assert _run(airflow, archive, **now) == {"due": "success", "backup": "success"}
        assert len(list(Path(near, "exams").rglob("*.sdicom"))) == 1
    assert json.loads(archive.sdfo("--json", "backup", "--run", "b", "--dry-run"))["parts"] == 0
