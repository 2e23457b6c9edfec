"""mrjob by Hadoop streaming: what it is told of containers and tasks, and the signs of life of a task."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sdfo import conf
from sdfo.errors import SettingsError
from sdfo.model import ExamTask
from sdfo.nightly import shipment

TASK_BYTES = 512 * conf.MIB
"""Bytes of SAN files in a map or reduce task, about: a container takes seconds to start, a lost one costs little."""
STATUS_SECONDS = 60
"""Between two signs of life: a tenth of what Hadoop waits (mapreduce.task.timeout)."""

INPUT = "org.apache.hadoop.mapred.lib.NLineInputFormat"
"""Cuts the lines of the input by their number: each stands for a file of any size."""

_WORKING = 0.001
"""The share of a processor above which a process is at work: one that waits for a disk needs some, one that hangs none."""
_SITES = ("core-site.xml", "hdfs-site.xml")
_JOB = re.compile(r"\bjob_\d+_\d+\b")


def options(tasks: Sequence[ExamTask], archives: Sequence[str]) -> list[str]:
    """mrjob's options for one job; they count more than those of mrjob.conf."""
    files, count = sum(len(task.files) for task in tasks), 1 + sum(task.size for task in tasks) // TASK_BYTES
    jobconf = {
        "mapreduce.input.lineinputformat.linespermap": max(1, -(-files // count)),
        "stream.map.input.ignoreKey": "true",  # as TextInputFormat, and only that, has it
        "mapreduce.job.reduces": min(len(tasks), count),  # none: a job of mappers alone
        "mapreduce.map.speculative": "false",
        "mapreduce.reduce.speculative": "false",  # two tasks must not write one exam
        "mapreduce.map.maxattempts": 2,
        "mapreduce.reduce.maxattempts": 2,  # then exam by exam, which names the one that kills
        "mapreduce.job.encrypted-intermediate-data": "true",  # descriptions on a node's disk and in the shuffle hold names
    }
    words = ["-r", "hadoop", "--no-cat-output", "--no-read-logs", "--cleanup-on-failure", "ALL"]
    words += [
        "--task-python-bin",
        shipment.PYTHON,
        "--archives",
        ",".join(archives),
        "--files",
        ",".join(_sites()),
    ]  # in the task's folder
    words += [word for pair in jobconf.items() for word in ("-D", "{}={}".format(*pair))]
    return words + [word for pair in shipment.environ(".").items() for word in ("--cmdenv", "{}={}".format(*pair))]


def _sites() -> list[str]:
    folder = os.environ.get("HADOOP_CONF_DIR")
    if folder is None:
        raise SettingsError(
            "mrjob on Hadoop needs to know which", next_command="export HADOOP_CONF_DIR=/etc/hadoop/conf"
        )
    return [str(file) for name in _SITES if (file := Path(folder, name)).exists()]


def jobs(said: str) -> list[str]:
    """The ids of the jobs that mrjob ran, out of what it said."""
    return list(dict.fromkeys(_JOB.findall(said)))


def cause(said: str) -> str:
    """The line that names an exception, out of what mrjob said where nothing of it began to read a file."""
    lines = [line.strip() for line in said.splitlines() if "Exception" in line or "Error" in line]
    return lines[-1][:300] if lines else "mrjob does not say why"


@contextmanager
def alive(say: Callable[[str], None], seconds: float = STATUS_SECONDS) -> Iterator[None]:
    """Give Hadoop a sign of life now and then, as long as this process works; one that hangs is killed by Hadoop."""
    over, used = threading.Event(), time.process_time()

    def tell() -> None:
        nonlocal used
        while not over.wait(seconds):
            now = time.process_time()
            if now - used > seconds * _WORKING:
                say(f"{now:.0f} s of work")
            used = now

    telling = threading.Thread(target=tell, name="status", daemon=True)
    telling.start()
    try:
        yield
    finally:
        over.set()
        telling.join()
