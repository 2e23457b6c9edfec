"""A place for Airflow to work in, and a small SAN for the night to find."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Night:
    """How one `airflow dags test nightly_archive` ended."""

    code: int
    log: str
    run: str
    states: dict[str, str]


@dataclass(frozen=True)
class Airflow:
    """The project's own `scripts/airflow`, in a home of its own."""

    home: Path

    def env(self, **variables: str) -> dict[str, str]:
        return {**os.environ, "AIRFLOW_HOME": str(self.home), "SDFO_RETRIES": "0", **variables}

    def __call__(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "scripts" / "airflow", *words],
            env=self.env(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def json(self, *words: str) -> list[dict[str, str]]:
        """The answer of a command that lists something; warnings stand before it."""
        done = self(*words, "--output", "json")
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout[done.stdout.rindex("\n[") :] if "\n[" in done.stdout else done.stdout)

    def night(self, **variables: str) -> Night:
        """One night, start to end, under `airflow dags test`."""
        done = self("dags", "test", "nightly_archive", **variables)
        run = re.findall(r"DagRun Finished: .*?run_id=([^, ]+),", done.stdout)
        assert run, done.stdout
        rows = self.json("tasks", "states-for-dag-run", "nightly_archive", run[-1])
        return Night(done.returncode, done.stdout, run[-1], {row["task_id"]: row["state"] for row in rows})


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """Airflow with its database, pools and connections."""
    ready = Airflow(tmp_path_factory.mktemp("airflow"))
    subprocess.run([ROOT / "scripts" / "airflow-home"], env=ready.env(), check=True)
    return ready


@dataclass(frozen=True)
class Archive:
    """Settings and folders of a small archive, and its command line."""

    settings: Path
    san: Path
    hdfs: Path

    def sdfo(self, *words: str) -> str:
        command = [ROOT / ".venv" / "bin" / "sdfo", "--conf", self.settings, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def report(self, run: str) -> dict[str, object]:
        """The report that the run left behind."""
        folder = self.hdfs / "runs" / re.sub(r"[^A-Za-z0-9._-]", "-", run)
        return json.loads((folder / "report.json").read_bytes())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive that `sdfo init` has made, its SAN still empty."""
    root = tmp_path_factory.mktemp("archive")
    made = Archive(root / "settings.toml", root / "san", root / "hdfs")
    made.settings.write_text(
        'site = "test"\n[san]\nroot = "san"\nsettle_minutes = 0\n[hdfs]\nroot = "hdfs"\n'
        '[catalog]\nurl = "sqlite:///catalog.db"\n[nearline]\nroot = "nearline"\n[tape]\nroot = "tape"\n'
    )
    made.sdfo("init")
    return made
