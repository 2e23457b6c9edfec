"""The DAGs as text: what they import, name and say. No Airflow is needed to read them."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sdfo import conf

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
SOURCES = sorted(DAGS.glob("*.py"))
PAGES = [source for source in SOURCES if source.name != "common.py"]
NETWORK = {"socket", "ssl", "urllib", "http", "ftplib", "smtplib", "subprocess", "asyncio"}
AT_PARSE_TIME = {
    "Asset",
    "AssetOrTimeSchedule",
    "CronTriggerTimetable",
    "Path",
    "task.bash",
    "timedelta",
    "dag",
    "default_args",
}

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
each_dag = pytest.mark.parametrize("source", PAGES, ids=lambda path: path.name)


def tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"), str(source))


def strings_of_calls(source: Path, name: str) -> list[str]:
    """The first argument of each call of `name`, which must be one literal."""
    calls = (node for node in ast.walk(tree(source)) if isinstance(node, ast.Call))
    firsts = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]
    assert all(isinstance(first, ast.Constant) and isinstance(first.value, str) for first in firsts)
    return [first.value for first in firsts if isinstance(first, ast.Constant)]


def named(source: Path, word: str) -> set[str]:
    """The literals given to a keyword argument or dictionary key of that name."""
    pairs: list[tuple[object, ast.expr]] = []
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.keyword):
            pairs.append((node.arg, node.value))
        elif isinstance(node, ast.Dict):
            keys = (key.value if isinstance(key, ast.Constant) else None for key in node.keys)
            pairs += zip(keys, node.values, strict=True)
    return {value.value for key, value in pairs if key == word and isinstance(value, ast.Constant)}


@each_source
def test_imports_are_airflow_the_standard_library_and_common(source: Path) -> None:
    """A DAG imports nothing of the pipeline, no numpy, and nothing that opens a connection."""
    modules = set()
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules.add((node.module or "").split(".")[0])
    assert modules <= {"airflow", "common"} | sys.stdlib_module_names
    assert not modules & NETWORK


@each_dag
def test_nothing_is_looked_up_while_a_dag_is_parsed(source: Path) -> None:
    """Outside the functions stand literals, a schedule, an asset and the DAG's own call; no Variable, no Connection."""
    module = tree(source)
    own = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    for statement in module.body:
        outer = statement.decorator_list if isinstance(statement, ast.FunctionDef) else [statement]
        for call in (node for part in outer for node in ast.walk(part) if isinstance(node, ast.Call)):
            assert ast.unparse(call.func) in AT_PARSE_TIME | own
    names = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    assert not names & {"Variable", "Connection", "BaseHook", "open", "conf"}


def test_every_pool_is_in_conf() -> None:
    """A task in a pool that is not there waits for ever in the real scheduler, though `airflow dags test` runs it."""
    pools = set().union(*(named(source, "pool") for source in SOURCES))
    assert pools
    assert pools <= set(json.loads((ROOT / "conf" / "pools.json").read_text()))


def test_every_connection_is_in_conf() -> None:
    """A Spark task whose connection is not there goes to YARN, silently."""
    connections = set().union(*(named(source, "conn_id") for source in SOURCES))
    assert connections
    assert connections <= set(json.loads((ROOT / "conf" / "connections.json").read_text()))


@each_dag
def test_each_step_is_told_the_run_and_no_date(source: Path) -> None:
    """Runs that an asset starts have no date: the run id is the one template. The first load's slices name themselves."""
    templates = set(re.findall(r"{{\s*(.*?)\s*}}", source.read_text(encoding="utf-8")))
    assert templates == (set() if source.stem == "backfill" else {"run_id"})
    assert source.stem == "backfill" or all(
        "--run '{{ run_id }}'" in words for words in strings_of_calls(source, "sdfo")
    )


@each_dag
def test_each_command_parses(source: Path, parses) -> None:
    """The words of each `sdfo …` are words that the command line knows."""
    commands = strings_of_calls(source, "sdfo")
    assert commands
    for words in commands:
        parses(words)


@each_dag
def test_each_spark_job_is_there(source: Path) -> None:
    """What a Spark task submits is a file of jobs/."""
    for name in strings_of_calls(source, "job"):
        assert (ROOT / "jobs" / name).is_file()


@each_dag
def test_the_docstring_is_the_operators_page(source: Path) -> None:
    """It says what, when and what it needs, and of every task what to do if it fails."""
    page = ast.get_docstring(tree(source)) or ""
    for word in ("**What.**", "**When.**", "**Needs.**", "if it fails"):
        assert word in page
    functions = {node.name for node in ast.walk(tree(source)) if isinstance(node, ast.FunctionDef)} - {source.stem}
    tasks = {name for name in functions if not name.startswith("_")} | named(source, "task_id")
    assert tasks
    assert set(re.findall(r"^\| (\w+) \|", page, re.MULTILINE)) == tasks | {"task"}


def test_the_night_begins_when_the_settings_say() -> None:
    """The schedule of nightly_archive is `night.start` in `night.timezone`, as the settings have it by default."""
    text = (DAGS / "nightly_archive.py").read_text(encoding="utf-8")
    night = conf.Night()
    assert f'"{night.start.minute} {night.start.hour} * * *", timezone="{night.timezone}"' in text


def test_the_first_load_runs_in_its_hours_once_switched_on() -> None:
    """The schedule of backfill covers `backfill.start` to `backfill.end` by default; 75 is no failure of it."""
    text = (DAGS / "backfill.py").read_text(encoding="utf-8")
    hours = conf.Backfill()
    assert f"{hours.start.hour}-23,0-{hours.end.hour - 1} * * *" in text
    assert "is_paused_upon_creation=True" in text
    assert "skip_on_exit_code=75" in text


def test_the_backup_runs_in_its_hours_and_after_each_night() -> None:
    """Each hour of `nearline.start` to `nearline.end` by default, and when the night's asset is published; 75 is no failure."""
    text = (DAGS / "backup_nearline.py").read_text(encoding="utf-8")
    hours = conf.Nearline(root="x")
    assert f'"0 {hours.start.hour}-23,0-{hours.end.hour - 1} * * *", timezone="{conf.Night().timezone}"' in text
    assert strings_of_calls(DAGS / "backup_nearline.py", "Asset") == strings_of_calls(
        DAGS / "nightly_archive.py", "Asset"
    )
    assert "skip_on_exit_code=75" in text


def test_staging_runs_all_day_and_after_each_night() -> None:
    """Receipts and recalls come at any hour; where the staging area is full, 75, the next run is due in a moment."""
    text = (DAGS / "stage_tape.py").read_text(encoding="utf-8")
    assert f'"*/15 * * * *", timezone="{conf.Night().timezone}"' in text
    assert strings_of_calls(DAGS / "stage_tape.py", "Asset") == strings_of_calls(DAGS / "nightly_archive.py", "Asset")
    assert "skip_on_exit_code=75" in text


def environment(**variables: str) -> dict[str, str]:
    """What common.env() gives in a process with just these variables, working in another folder."""
    code = "import json, common; print(json.dumps([common.env(), common.sdfo('x'), common.default_args()['spark_binary']]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(DAGS), **variables},
        cwd="/",
        capture_output=True,
        check=True,
    )
    env, command, spark_submit = json.loads(done.stdout)
    return env | {"command": command.split()[0], "spark_submit": spark_submit}


def test_paths_are_absolute_and_there() -> None:
    """Nothing relies on PATH or on the folder that a task happens to run in."""
    found = environment(JAVA_HOME="/some/java", HADOOP_CONF_DIR="/some/hadoop")
    assert {"JAVA_HOME", "HADOOP_CONF_DIR"} <= found.keys()
    for name, path in found.items():
        assert Path(path).is_absolute()
        assert Path(path).exists() or name in ("JAVA_HOME", "HADOOP_CONF_DIR")


def test_a_job_is_told_its_settings_where_its_driver_runs() -> None:
    """By path in a driver of this host; a driver in a container has its own."""
    assert arguments()[2:] == ["--conf", str(ROOT / "conf" / "embedded.toml")]
    assert arguments(SDFO_DRIVER="cluster")[2:] == []


def arguments(**variables: str) -> list[str]:
    code = "import json, common; print(json.dumps(common.run()))"
    env = {"PYTHONPATH": str(DAGS), **variables}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd="/", capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("folder", ["conf", "conf/cluster"])
def test_spark_submit_is_the_pipelines(folder: str, tmp_path: Path) -> None:
    """scripts/spark-submit: this checkout's Spark and Python whatever the environment says; loopback on this machine alone."""
    connection = json.loads((ROOT / folder / "connections.json").read_text())["spark_sdfo"]
    copy = tmp_path / "scripts" / "spark-submit"
    copy.parent.mkdir()
    copy.write_text((ROOT / "scripts" / "spark-submit").read_text())
    home = tmp_path / ".venv/lib/python3.11/site-packages/pyspark"
    probe = home / "bin" / "spark-submit"
    probe.parent.mkdir(parents=True)
    probe.write_text("#!/bin/sh\nenv\n")
    probe.chmod(0o755)
    others = {"SPARK_HOME": "/another/spark", "SPARK_CONF_DIR": "/another/conf", "PYSPARK_PYTHON": "/another/python"}
    env = {"PATH": "/usr/bin:/bin"} | others
    command = ["bash", copy, "--master", connection["host"], "job.py"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert found["SPARK_HOME"] == str(home)
    assert "SPARK_CONF_DIR" not in found
    assert found["PYSPARK_PYTHON"] == found["PYSPARK_DRIVER_PYTHON"] == str(tmp_path / ".venv/bin/python")
    assert found.get("SPARK_LOCAL_IP") == (None if connection["host"] == "yarn" else "127.0.0.1")


def test_the_settings_file_is_the_one_named() -> None:
    """SDFO_CONF decides, made absolute; without it the checkout's own settings are used."""
    assert environment(SDFO_CONF="here/x.toml")["SDFO_CONF"] == "/here/x.toml"
    assert environment()["SDFO_CONF"] == str(ROOT / "conf" / "embedded.toml")
