"""The night in a running Airflow: `airflow standalone`, with its scheduler, its pools and its pages."""

import json
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from sdfo.testing.exams import make_exam

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(1500)]
T = TypeVar("T")
SITE = {
    "SDFO__NEARLINE__START": "00:00",
    "SDFO__NEARLINE__END": "00:00",
    "SDFO__EXPIRE__COPIES": '["hdfs", "nearline"]',
    "SDFO__EXPIRE__AWAY": "[]",
}
"""A backup at any hour, and no tapes."""
PAGES = Path(__file__).resolve().parents[2] / "scripts" / "airflow-pages"


def wait_for(what: str, seconds: float, ask: Callable[[], T]) -> T:
    """The first answer that is not empty; asked once a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(1)
    pytest.fail(f"no {what} within {seconds} s")


@pytest.fixture(scope="module")
def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture(scope="module")
def standalone(airflow, archive, port: str) -> Iterator[psutil.Process]:
    """Airflow as `make airflow` opens it, over an archive whose SAN holds one exam."""
    make_exam(archive.san / "exam", slices=4, modality="CT", seed=9, size=64)
    env = airflow.env(SDFO_CONF=str(archive.settings), SDFO_AIRFLOW_PORT=port, **SITE)
    log = airflow.home / "standalone.log"
    with open(log, "wb") as out:
        started = subprocess.Popen([PAGES], env=env, stdout=out, stderr=out, start_new_session=True)
    process = psutil.Process(started.pid)
    try:
        wait_for("healthy Airflow", 300, lambda: set(health(port).values()) == {"healthy"})
        yield process
    finally:
        family = [process, *process.children(recursive=True)]
        process.send_signal(signal.SIGINT)
        for left in psutil.wait_procs(family, timeout=30)[1]:
            left.kill()
        print(log.read_text(encoding="utf-8", errors="replace")[-20_000:])


def health(port: str) -> dict[str, str]:
    """What each part of Airflow says of itself; empty while the pages are not up."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5) as answer:
            return {name: part["status"] for name, part in json.load(answer).items()}
    except OSError:
        return {}


def test_the_pages_answer_on_loopback_only(standalone: psutil.Process, port: str) -> None:
    """The first page comes, and no part of Airflow listens on another address."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
        assert page.status == 200
    family = (standalone, *standalone.children(recursive=True))
    sockets = [s for process in family for s in process.net_connections()]
    assert {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_the_login_is_printed(standalone: psutil.Process, airflow) -> None:
    """What `make airflow` prints is the password that Airflow keeps."""
    passwords = json.loads((airflow.home / "simple_auth_manager_passwords.json.generated").read_text())
    assert f"password      {passwords['admin']}\n" in (airflow.home / "standalone.log").read_text()


def test_the_scheduler_runs_the_night_and_the_backup_after_it(standalone: psutil.Process, airflow, archive) -> None:
    """Switched on and triggered, the DAG runs to its end: pool and connection are there, and it is a good night. What it
    published starts the backup, which nobody triggers."""
    wait_for("DAG", 180, lambda: airflow.json("dags", "list"))
    done = airflow("dags", "unpause", "--yes", "backup_nearline")
    assert done.returncode == 0, done.stdout
    for words in (["unpause", "--yes"], ["trigger", "--run-id", "by-hand"]):
        done = airflow("dags", *words, "nightly_archive")
        assert done.returncode == 0, done.stdout

    def ended() -> list[str]:
        runs = airflow.json("dags", "list-runs", "nightly_archive")
        return [run["state"] for run in runs if run["run_id"] == "by-hand" and run["state"] in ("success", "failed")]

    assert wait_for("end of the night", 900, ended) == ["success"]
    assert archive.report("by-hand")["good"]

    def backed_up() -> list[str]:
        runs = airflow.json("dags", "list-runs", "backup_nearline")
        return [run["state"] for run in runs if run["run_id"].startswith("asset_triggered")]

    assert wait_for("backup", 300, lambda: [state for state in backed_up() if state in ("success", "failed")]) == [
        "success"
    ]
    assert len(list((archive.settings.parent / "nearline" / "exams").rglob("*.sdicom"))) == 1


@pytest.fixture
def ripe(archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the night archived and the backup copied is 91 days old, and a drill was green."""
    for name, value in SITE.items():
        monkeypatch.setenv(name, value)
    archive.sdfo("drill", "--run", "d1")
    archive.sdfo("expire", "--run", "x", "--dry-run")  # it notes the clock, which later runs compare with
    old = f"{datetime.now(UTC) - timedelta(days=91):%Y-%m-%d %H:%M:%S.%f}"
    with closing(sqlite3.connect(archive.settings.parent / "catalog.db")) as catalog, catalog:
        catalog.execute("UPDATE san_file SET first_seen = ?", (old,))


def test_nobody_is_asked_where_nothing_may_go(standalone: psutil.Process, airflow) -> None:
    """All is too young: the run ends well, and its other tasks are skipped."""
    airflow("dags", "unpause", "--yes", "expire_san")
    assert airflow("dags", "trigger", "--run-id", "young", "expire_san").returncode == 0

    def states() -> dict[str, str]:
        rows = airflow.json("tasks", "states-for-dag-run", "expire_san", "young")
        found = {row["task_id"]: row["state"] for row in rows}
        return found if found.get("expire") in ("skipped", "success", "failed") else {}

    skipped = dict.fromkeys(["approve", "expire"], "skipped")
    assert wait_for("end", 180, states) == dict.fromkeys(["look", "is_asked"], "success") | skipped


@pytest.mark.parametrize("answer", ["Reject", "Approve"])
def test_the_san_is_freed_when_a_person_approves(
    standalone: psutil.Process, airflow, archive, port: str, ripe: None, answer: str
) -> None:
    """Not before, and not if it is rejected. The request says how much would go, and names nothing of the SAN."""
    done = airflow("dags", "trigger", "--run-id", answer, "expire_san")
    assert done.returncode == 0, done.stdout
    pages = Pages(
        port, json.loads((airflow.home / "simple_auth_manager_passwords.json.generated").read_text())["admin"]
    )
    waiting = f"dags/expire_san/dagRuns/{answer}/taskInstances/approve/-1/hitlDetails"

    def asked() -> dict[str, Any]:
        states = {
            row["task_id"]: row["state"] for row in airflow.json("tasks", "states-for-dag-run", "expire_san", answer)
        }
        assert "failed" not in states.values()
        return pages.get(waiting) if states["approve"] in ("awaiting_input", "deferred") else {}

    request = wait_for("request", 180, asked)
    assert request["body"].startswith("4 files, ")
    assert "exam" not in request["body"].replace("exams", "")
    images = sorted((archive.san / "exam").rglob("*.dcm"))
    assert len(images) == 4
    pages.patch(waiting, {"chosen_options": [answer], "params_input": {}})

    def ended() -> list[str]:
        runs = airflow.json("dags", "list-runs", "expire_san")
        return [run["state"] for run in runs if run["run_id"] == answer and run["state"] in ("success", "failed")]

    assert wait_for("end", 180, ended) == ["success"]
    assert [image.exists() for image in images] == [answer == "Reject"] * 4
    assert len(list(archive.san.glob(".sdfo-expired/**/*.dcm"))) == (0 if answer == "Reject" else 4)


@dataclass(frozen=True)
class Pages:
    """Airflow's REST API, as its administrator."""

    port: str
    password: str

    def get(self, path: str) -> dict[str, Any]:
        return self._call("GET", f"api/v2/{path}", None, self._token())

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call("PATCH", f"api/v2/{path}", body, self._token())

    def _token(self) -> str:
        return str(
            self._call("POST", "auth/token", {"username": "admin", "password": self.password}, "")["access_token"]
        )

    def _call(self, method: str, path: str, body: dict[str, Any] | None, token: str) -> dict[str, Any]:
        head = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", data, head, method=method)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
