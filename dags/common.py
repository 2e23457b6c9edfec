"""What the DAGs share: where the pipeline lies, the environment of its commands, and how often a step is tried.

Airflow and the pipeline live in two environments that never import each other: Airflow's Spark provider brings a
package that overwrites half of pyspark. A task therefore reaches the pipeline through its commands, named by absolute
paths in an environment of absolute values; nothing relies on the order of PATH.

Read from the environment of Airflow's processes (all optional):

    SDFO_HOME             the checkout that holds .venv, jobs and conf; default: the one this file lies in
    SDFO_CONF             the settings file; default: conf/embedded.toml there
    HADOOP_CONF_DIR       Hadoop's own settings, where there is a cluster
    JAVA_HOME             a Java 17; default: the `java` that spark-submit finds
    SPARK_LOCAL_IP        address that Spark listens on; default: 127.0.0.1 where it runs on this machine alone
    SDFO_DRIVER           `cluster` where the drivers of Spark jobs shall run in YARN's containers too
    SDFO_RETRIES, SDFO_RETRY_SECONDS      how often a failed step is repeated (2), and after how long (600)
"""

import os
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

HOME = Path(os.environ.get("SDFO_HOME") or Path(__file__).resolve().parents[1]).absolute()
VENV = HOME / ".venv"
IN_CONTAINER = os.environ.get("SDFO_DRIVER") == "cluster"


def _absolute(path: str | os.PathLike[str]) -> str:
    return str(Path(path).absolute())


CONF = _absolute(os.environ.get("SDFO_CONF") or HOME / "conf" / "embedded.toml")


def env() -> dict[str, str]:
    """The variables that every `sdfo …` gets on top of those of Airflow's own process; scripts/spark-submit sets its own."""
    python = str(VENV / "bin" / "python")
    known = {
        "SPARK_HOME": str(VENV / "lib" / "python3.11" / "site-packages" / "pyspark"),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "SDFO_CONF": CONF,
    }
    for name in ("HADOOP_CONF_DIR", "JAVA_HOME"):
        if os.environ.get(name):
            known[name] = _absolute(os.environ[name])
    return known


def run() -> list[str]:
    """The arguments of a Spark job. One whose driver runs in a container finds its settings there."""
    return ["--run", "{{ run_id }}", *([] if IN_CONTAINER else ["--conf", CONF])]


def sdfo(words: str) -> str:
    """The shell command that runs `sdfo` with these words (templates are rendered by Airflow)."""
    return f"{shlex.quote(str(VENV / 'bin' / 'sdfo'))} {words}"


def job(name: str) -> str:
    """The path of a Spark job."""
    return str(HOME / "jobs" / name)


def default_args() -> dict[str, Any]:
    """Arguments of every task; an operator takes those it knows.

    A step is repeated after ten minutes: longer than the five after which the lease of a dead run is free. Every step
    may be repeated and converges to the same bytes. No exit code leaves a task skipped: a night that did not happen is
    red. A step that takes longer than the night has hung.
    """
    return {
        "pool": "archive",
        "retries": int(os.environ.get("SDFO_RETRIES", "2")),
        "retry_delay": timedelta(seconds=float(os.environ.get("SDFO_RETRY_SECONDS", "600"))),
        "execution_timeout": timedelta(hours=10),
        # sdfo, by @task.bash
        "env": env(),
        "append_env": True,
        "skip_on_exit_code": None,
        # Spark's jobs, by SparkSubmitOperator: where they run is the connection's to say
        "conn_id": "spark_sdfo",
        "name": "{{ task.task_id }} {{ run_id }}",
        "conf": {"spark.log.level": "WARN"},
        "spark_binary": str(HOME / "scripts" / "spark-submit"),
        "deploy_mode": "cluster" if IN_CONTAINER else None,  # else as the connection says
        # Nothing is resumed, on YARN neither (that would be durable with yarn_track_via_rm_api): the driver holds the
        # lease, and runs in the task itself, which thereby has its log, its exit code and its end when it is killed.
        # A repeated submission fences the one before it, leaves out what that one wrote, and converges.
        "durable": False,
    }
