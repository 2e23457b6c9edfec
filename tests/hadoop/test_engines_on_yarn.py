"""The night by Spark and by mrjob in YARN's containers: the same files as on local disk, byte for byte."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdfo.nightly import shipment, streaming
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop

ROOT = Path(__file__).parents[2]
SUBMIT = ROOT / "scripts" / "spark-submit"
NIGHT = (sys.executable, "-m", "sdfo.cli", "night", "--run", "r1", "--engine", "spark")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, real_exams: Path) -> Archive:
    """The three real exams, and what the in-process engine makes of them on local disk."""
    made = new_archive(tmp_path_factory.mktemp("local"))
    for name in ("ct-ge", "ct-philips-phantom", "mr-mprage"):
        shutil.copytree(real_exams / name, made.san / name, copy_function=shutil.copyfile)
    night = made.sdfo("night", "--run", "r1")
    assert night.returncode == 0, night.stderr
    return made


@pytest.fixture(scope="module")
def expected(local: Archive) -> dict[str, str]:
    return local.parts()


@pytest.fixture
def archive(local: Archive, expected, on_yarn: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """An archive over the same SAN, on HDFS."""
    monkeypatch.setenv("SDFO__SAN__ROOT", str(local.san))
    return new_archive(tmp_path)


# Spark's is a long test: within make test its jobs are submitted (below), and a session is begun by doctor --cluster
@pytest.mark.parametrize("engine", [pytest.param("spark", marks=pytest.mark.long), "mrjob"])
def test_the_same_files_as_on_local_disk(archive: Archive, expected, engine: str) -> None:
    """Each engine on YARN: the same names, the same SHA-256; the report says which application did it, and no name."""
    night = archive.sdfo("night", "--run", "r1", "--engine", engine)
    assert night.returncode == 0, night.stderr
    assert archive.parts() == expected
    assert not list(archive.place().store.list("attempts"))
    assert not [file.path for file in archive.place().store.list("runs/r1") if "mrjob-" in file.path]
    steps = json.loads(night.stdout)["steps"]
    assert re.search(r"(application|job)_\d+_\d+", steps["convert"]["report"]["ran_by"])
    assert not [name for name in ("ct-ge", "mr-mprage") if name in night.stderr]


@pytest.mark.long
def test_jobs_are_submitted_in_both_modes(archive: Archive, expected, on_yarn: Cluster) -> None:
    """`spark-submit --master yarn` with a driver here, and one in a container: the steps of one run."""
    assert archive.sdfo("scan", "--run", "r1").returncode == 0
    convert = _submit(archive, "--master", "yarn", ROOT / "jobs" / "convert_exams.py", "--run", "r1")
    assert json.loads(convert.stdout.splitlines()[-1])["parts"] == 3
    cluster_mode = ("--master", "yarn", "--deploy-mode", "cluster")
    _submit(archive, *cluster_mode, ROOT / "jobs" / "verify_exams.py", "--run", "r1")
    verify = archive.place().catalog.steps("r1")["verify"].report
    assert (verify["whole"], verify["ran_by"]) == (3, f"spark {_last_application(on_yarn)}")
    publish = archive.sdfo("publish", "--run", "r1")
    assert publish.returncode == 0, publish.stderr
    assert archive.parts() == expected


def _submit(archive: Archive, *words: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SDFO_CONF": str(archive.toml)}
    done = subprocess.run([SUBMIT, *map(str, words)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def _last_application(cluster: Cluster) -> str:
    found = cluster.ask(f"{cluster.resource_web}/ws/v1/cluster/apps")["apps"]["app"]
    return max((app["startedTime"], app["id"]) for app in found)[1]


_WHERE = """
import json, os, sys
import sdfo
def where():
    libraries = [line.split()[-1] for line in open("/proc/self/maps") if "libpython" in line]
    return {"prefix": sys.prefix, "folder": os.getcwd(), "sdfo": sdfo.__file__, "libraries": libraries,
            "user": os.environ.get("HADOOP_USER_NAME"), "conf": os.environ.get("HADOOP_CONF_DIR")}
"""

_BY_SPARK = f"""{_WHERE}
from sdfo import conf
from sdfo.spark.engine import SparkEngine
engine = SparkEngine.of(conf.load(sys.argv[1]))
print(json.dumps(engine.session.sparkContext.parallelize([0], 1).map(lambda _: where()).collect()[0]))
engine.close()
"""

_BY_MRJOB = f"""{_WHERE}
from mrjob.job import MRJob
class Where(MRJob):
    def mapper(self, _, line):
        yield None, where()
if __name__ == "__main__":
    Where.run()
"""


@pytest.mark.long  # within make test `doctor --cluster` proves the same
def test_spark_runs_what_was_shipped(archive: Archive, on_yarn: Cluster) -> None:
    """In an executor interpreter, library, packages and code lie inside the container's folder."""
    command = [sys.executable, "-c", _BY_SPARK, str(archive.toml)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    _inside(json.loads(done.stdout.splitlines()[-1]), on_yarn)


@pytest.mark.long
def test_mrjob_runs_what_was_shipped(archive: Archive, on_yarn: Cluster, tmp_path: Path) -> None:
    """The same in a streaming task."""
    (tmp_path / "where.py").write_text(_BY_MRJOB)
    (tmp_path / "line.txt").write_text("one\n")
    words = streaming.options([], shipment.ship(archive.settings().hdfs).archives)
    words.remove("--no-cat-output")
    command = [sys.executable, str(tmp_path / "where.py"), "-c", str(ROOT / "conf" / "mrjob.conf"), *words]
    done = subprocess.run([*command, str(tmp_path / "line.txt")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    _inside(json.loads(done.stdout.split("\t")[1]), on_yarn)


def _inside(found: dict, cluster: Cluster) -> None:
    assert found["folder"].startswith(str(cluster.home.folder / "containers"))
    assert found["prefix"] == found["folder"] + "/env"
    assert found["sdfo"] == found["folder"] + "/code/sdfo/__init__.py"
    assert all(path.startswith(str(cluster.home.folder / "containers")) for path in found["libraries"])
    assert found["user"]
    assert not Path(found["conf"]).is_absolute()


def test_software_is_shipped_once(archive: Archive) -> None:
    """A second time nothing is written; the interpreter's archive is named for the lock file."""
    hdfs = archive.settings().hdfs
    first = shipment.ship(hdfs)
    store = shipment.open_store(first.folder, hdfs)
    before = {file.path: file.modified for file in store.list()}
    assert shipment.ship(hdfs) == first
    assert {file.path: file.modified for file in store.list()} == before
    assert not [path for path in before if path.endswith(".part")]


@pytest.mark.long
def test_a_killed_executor(archive: Archive, expected, on_yarn: Cluster) -> None:
    """kill -9 of one of two while attempts are written: Spark makes another, the night is good, the files are the same."""
    night = _Process(archive, *NIGHT)
    night.until(lambda: bool(list(archive.place().store.list("attempts"))))
    os.kill(next(_executors(on_yarn)), signal.SIGKILL)
    assert night.wait() == 0
    assert archive.parts() == expected


@pytest.mark.long
def test_a_killed_driver(archive: Archive, expected, on_yarn: Cluster) -> None:
    """kill -9 of the driver: YARN ends the containers; the same run goes on at once and is good."""
    night = _Process(archive, *NIGHT)
    night.until(lambda: bool(list(archive.place().store.list("attempts"))))
    night.kill()
    assert archive.sdfo("night", "--run", "r1", "--engine", "spark").returncode == 0
    assert archive.parts() == expected
    _await(lambda: not list(_executors(on_yarn)))


@pytest.mark.long
def test_a_task_killed_by_airflow(archive: Archive, expected, on_yarn: Cluster) -> None:
    """SparkSubmitOperator.on_kill: SIGKILL for spark-submit alone. Driver and containers end; the step may be cleared."""
    assert archive.sdfo("scan", "--run", "r1").returncode == 0
    convert = _Process(archive, SUBMIT, "--master", "yarn", ROOT / "jobs" / "convert_exams.py", "--run", "r1")
    convert.until(lambda: bool(list(archive.place().store.list("attempts"))))
    convert.kill_first()
    _await(lambda: not list(_executors(on_yarn)))
    _await(lambda: not convert.group())
    assert archive.sdfo("night", "--run", "r1", "--engine", "local").returncode == 0
    assert archive.parts() == expected


@pytest.mark.long
def test_an_exam_that_kills_its_executors(archive: Archive, expected, on_yarn: Cluster, monkeypatch) -> None:
    """Spark gives up the job; one by one the others come through, and that exam alone is set aside."""
    properties = json.loads(os.environ["SDFO__SPARK__PROPERTIES"]) | {
        "spark.executorEnv.SDFO_CRASH_AT": f"convert.attempt-open@{_study(expected)}"
    }
    monkeypatch.setenv("SDFO__SPARK__PROPERTIES", json.dumps(properties))
    monkeypatch.setenv("SDFO__LIMITS__SAME_ERROR", "1")  # an exam is many of these files: else a fuse
    night = archive.sdfo("night", "--run", "r1", "--engine", "spark")
    assert night.returncode == 3, night.stderr
    assert len(archive.parts()) == 2
    (entry,) = archive.place().catalog.quarantine()
    assert entry.kind == "engine"


@pytest.mark.long
def test_an_application_that_is_killed(archive: Archive, expected, on_yarn: Cluster) -> None:
    """`yarn application -kill` in the middle: another application does the work; no exam is blamed."""
    night = _Process(archive, *NIGHT)
    night.until(lambda: bool(list(archive.place().store.list("attempts"))))
    on_yarn.home.run("application", "-kill", _last_application(on_yarn))
    assert night.wait() == 0
    assert archive.parts() == expected
    assert archive.place().catalog.quarantine() == []


@pytest.mark.long
@pytest.mark.parametrize("engine", ["spark", "mrjob"])
def test_safe_mode_before_an_engine_starts(archive: Archive, expected, on_yarn: Cluster, engine: str) -> None:
    """YARN takes no job then: the step is postponed with its cause, exit 75, and goes on afterwards."""
    assert archive.sdfo("scan", "--run", "r1").returncode == 0
    shipment.ship(archive.settings().hdfs)
    on_yarn.safe_mode(True)
    try:
        convert = archive.sdfo("convert", "--run", "r1", "--engine", engine)
    finally:
        on_yarn.safe_mode(False)
    assert convert.returncode == 75, convert.stdout + convert.stderr
    row = archive.place().catalog.steps("r1")["convert"]
    assert (row.state, "safe mode" in row.report["error"]) == ("postponed", True)
    assert archive.night("r1").good
    assert archive.parts() == expected


@pytest.mark.long
def test_sparks_own_jars_are_shipped_too(archive: Archive, on_yarn: Cluster, monkeypatch) -> None:
    """Where the settings name none: once a version, as an archive that YARN unpacks."""
    properties = json.loads(os.environ["SDFO__SPARK__PROPERTIES"])
    del properties["spark.yarn.jars"]
    monkeypatch.setenv("SDFO__SPARK__PROPERTIES", json.dumps(properties))
    command = [sys.executable, "-c", _BY_SPARK, str(archive.toml)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    hdfs = archive.settings().hdfs
    assert [f for f in shipment.open_store(hdfs.software, hdfs).list() if f.path.startswith("spark-")]


@pytest.mark.long
def test_mrjob_without_a_cluster(archive: Archive, on_yarn: Cluster, tmp_path: Path, monkeypatch) -> None:
    """No job began: the step ends with its cause, no exam is tried one by one, and no name is left on HDFS."""
    broken = {"runners": {"hadoop": {"hadoop_streaming_jar": str(tmp_path / "none.jar")}}}
    (tmp_path / "mrjob.conf").write_text(json.dumps(broken))
    monkeypatch.setenv("SDFO__MRJOB__CONF", str(tmp_path / "mrjob.conf"))
    began = time.monotonic()
    night = archive.sdfo("night", "--run", "r1", "--engine", "mrjob")
    assert night.returncode == 1
    assert "no job began" in night.stdout
    assert time.monotonic() - began < 60
    assert archive.place().catalog.quarantine() == []
    assert not [file for file in archive.place().store.list("runs/r1") if "mrjob-" in file.path]


def _study(expected: dict[str, str]) -> str:
    return sorted(expected)[0].rpartition("/")[2].rpartition("-")[0]


def _await(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.2)


class _Process:
    """A command that goes on while the test looks."""

    def __init__(self, archive: Archive, *command: object) -> None:
        self._log = archive.folder / "process.log"
        env = {**os.environ, "SDFO_CONF": str(archive.toml)}
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                [*map(str, command)], env=env, stdout=out, stderr=out, start_new_session=True
            )

    def until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """The whole group: the JVM of the driver too."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def kill_first(self) -> None:
        self._process.kill()
        self._process.wait()

    def group(self) -> list[int]:
        """Who of its process group still lives."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self._process.pid and fields[0] != "Z":
                found.append(int(entry.name))
        return found

    def wait(self) -> int:
        return self._process.wait()


def _executors(cluster: Cluster) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            ours = os.readlink(entry / "cwd").startswith(str(cluster.home.folder / "containers"))
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if ours and b"ExecutorBackend" in command and b"java" in command.split(b"\0")[0]:
            yield int(entry.name)
