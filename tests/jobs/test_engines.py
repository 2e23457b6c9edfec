"""Whatever engine runs Map and Reduce, the files are the same, and Spark's own Java reader agrees with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from sdfo.sdicom import escape_name
from sdfo.testing.archive import Archive, new_archive

pytestmark = pytest.mark.night

_JUDGE = """
import hashlib, json, sys
from pyspark import SparkConf, SparkContext
conf = SparkConf().setMaster("local[2]").set("spark.ui.enabled", "false").set("spark.driver.bindAddress", "127.0.0.1")
with SparkContext(conf=conf.set("spark.driver.memory", "2g")) as sc:
    text, data = "org.apache.hadoop.io.Text", "org.apache.hadoop.io.BytesWritable"
    for path in sys.argv[1:]:
        records = sc.sequenceFile(path, text, data).mapValues(lambda v: hashlib.sha256(v).hexdigest()).collect()
        print(json.dumps([path, records]), flush=True)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, real_exams: Path) -> dict[str, Archive]:
    """The three real exams, archived by each engine over one SAN."""
    first = new_archive(tmp_path_factory.mktemp("in-process"))
    for name in ("ct-ge", "ct-philips-phantom", "mr-mprage"):
        shutil.copytree(real_exams / name, first.san / name, copy_function=shutil.copyfile)
    archives = {"in-process": first}
    for engine in ("local", "spark", "mrjob"):
        other = new_archive(tmp_path_factory.mktemp(engine))
        shutil.rmtree(other.san)
        other.san.symlink_to(first.san)
        (other.folder / "hdfs" / "site.json").unlink()
        archives[engine] = other
    return archives


def _night(archive: Archive, engine: str) -> dict[str, str]:
    words = ("night", "--run", "r1") if engine == "in-process" else ("night", "--run", "r1", "--engine", engine)
    init = archive.sdfo("init")
    assert init.returncode == 0, init.stderr
    workers = "0" if engine == "in-process" else "2"
    done = archive.sdfo(*words, SDFO__CONVERT__WORKERS=workers)
    assert done.returncode == 0, done.stderr
    return archive.parts()


def test_all_engines_write_the_same_bytes(made):
    """In-process, local workers, Spark and mrjob: the same names, the same SHA-256."""
    parts = {engine: _night(archive, engine) for engine, archive in made.items()}
    assert len(parts["in-process"]) == 3
    assert all(found == parts["in-process"] for found in parts.values())


def test_sparks_java_reader_sees_one_record_per_file(made):
    """sc.sequenceFile over each real exam: exactly one record per file, key = name, value = the original bytes."""
    archive = made["in-process"]
    _night(archive, "in-process")
    paths = [str(archive.folder / "hdfs" / path) for path in archive.parts()]
    env = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run([sys.executable, "-c", _JUDGE, *paths], env=env, capture_output=True, text=True, check=True)
    seen = [tuple(record) for line in done.stdout.splitlines() for record in json.loads(line)[1]]
    files = [
        (escape_name(os.fsencode(path.relative_to(exam))), sha256(path.read_bytes()).hexdigest())
        for exam in archive.san.iterdir()
        if exam.is_dir() and not exam.name.startswith(".")
        for path in exam.rglob("*")
        if path.is_file()
    ]
    assert len(seen) == len(files) > 300
    assert sorted(seen) == sorted(files)
