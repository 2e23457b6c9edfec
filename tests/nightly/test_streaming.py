"""What mrjob on Hadoop is told, and the signs of life of its tasks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sdfo.conf import MIB
from sdfo.errors import SettingsError
from sdfo.model import ExamTask, FileStamp
from sdfo.nightly import streaming


def _told(words: list[str], option: str) -> dict[str, str]:
    pairs = (words[at + 1] for at, word in enumerate(words) if word == option)
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.parametrize(("exams", "mib", "lines", "reduces"), [(1, 1, 10, 1), (40, 256, 20, 20), (2, 4096, 2, 2)])
def test_work_is_cut_by_its_bytes(
    exams: int, mib: int, lines: int, reduces: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task has half a GiB of files, about; never more reducers than exams, and never two tasks for one exam."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    files = tuple(FileStamp(b"%d" % n, mib * MIB // 10, 0, 0) for n in range(10))
    found = _told(streaming.options([ExamTask(n, b"", files) for n in range(exams)], []), "-D")
    assert int(found["mapreduce.input.lineinputformat.linespermap"]) == lines
    assert int(found["mapreduce.job.reduces"]) == reduces
    assert found["mapreduce.map.speculative"] == found["mapreduce.reduce.speculative"] == "false"


def test_without_hadoops_settings_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    with pytest.raises(SettingsError, match="HADOOP_CONF_DIR"):
        streaming.options([], [])


def test_the_user_is_told_to_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Kerberos by HADOOP_USER_NAME; with it nobody is believed by name."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("HADOOP_USER_NAME", "archive")
    assert _told(streaming.options([], []), "--cmdenv")["HADOOP_USER_NAME"] == "archive"
    kerberos = "<property><name>hadoop.security.authentication</name><value>kerberos</value></property>"
    (tmp_path / "core-site.xml").write_text(f"<configuration>{kerberos}</configuration>")
    assert "HADOOP_USER_NAME" not in _told(streaming.options([], []), "--cmdenv")


def test_a_task_that_works_gives_signs_of_life() -> None:
    said = list[str]()
    with streaming.alive(said.append, seconds=0.05):
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            sum(range(1000))
    assert said


def test_a_task_that_hangs_gives_none() -> None:
    """Hadoop then kills it, after mapreduce.task.timeout."""
    said = list[str]()
    with streaming.alive(said.append, seconds=0.5):
        time.sleep(0.7)  # the first look sees what went before
        said.clear()
        time.sleep(1.5)
    assert said == []


def test_jobs_are_read_from_what_mrjob_says() -> None:
    said = "  Running job: job_1795514271228_0003\n  Job job_1795514271228_0003 running in uber mode : false\n"
    assert streaming.jobs(said) == ["job_1795514271228_0003"]
