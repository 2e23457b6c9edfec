"""What a cluster's containers are sent, looked at where it is packed: on local disk, unpacked, run."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from sdfo.conf import Hdfs
from sdfo.errors import SettingsError
from sdfo.nightly import shipment
from sdfo.stores.local import LocalStore


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as YARN makes it for a container: `env` and `code` side by side, the archives unpacked elsewhere."""
    folder, cache = tmp_path_factory.mktemp("container"), tmp_path_factory.mktemp("cache")
    store = LocalStore(cache)
    for name, fill in ((shipment.ENV, shipment._fill_env), (shipment.CODE, shipment._fill_code)):
        shipment.put_once(store, f"{name}.tar.gz", fill)
        with tarfile.open(cache / f"{name}.tar.gz") as packed:
            packed.extractall(cache / name, filter="tar")
        (folder / name).symlink_to(cache / name)
    return folder


_ASK = """
import json, sys
before = set(sys.modules)
import sdfo.nightly.job, sdfo.stores.hdfs.store, hdfs_native, mrjob, sqlalchemy, psycopg, alembic, ssl, sqlite3, ctypes, lzma
from importlib import util
libraries = [line.split()[-1] for line in open("/proc/self/maps") if "libpython" in line]
print(json.dumps({"prefix": sys.prefix, "path": sys.path, "sdfo": sdfo.__file__, "libraries": libraries,
                  "pyspark": bool(util.find_spec("pyspark")), "pytest": bool(util.find_spec("pytest"))}))
"""


@pytest.mark.long
def test_it_runs_where_nothing_else_is(unpacked: Path) -> None:
    """With an empty environment: interpreter, library, packages and code come from the container's folder alone."""
    env = {"PYTHONDONTWRITEBYTECODE": "1"} | shipment.environ(".")
    command = [shipment.PYTHON, "-c", _ASK]
    done = subprocess.run(command, cwd=unpacked, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["prefix"] == str(unpacked / "env")
    assert found["sdfo"] == str(unpacked / "code" / "sdfo" / "__init__.py")
    outside = [entry for entry in found["path"] if entry and not entry.startswith(str(unpacked))]
    assert outside == []
    assert all(str(unpacked.parent) in library for library in found["libraries"])
    assert not found["pyspark"]  # Spark brings its own
    assert not found["pytest"]


@pytest.mark.long
def test_nothing_but_the_code_is_in_its_archive(unpacked: Path) -> None:
    """No bytecode, no file of the checkout around it; the page and the migrations are there."""
    files = {str(file.relative_to(unpacked / "code")) for file in (unpacked / "code").rglob("*") if file.is_file()}
    assert {"sdfo/nightly/page.html", "sdfo/catalog/migrations/script.py.mako"} <= files
    assert not [name for name in files if name.endswith(".pyc") or not name.startswith("sdfo/")]


def test_names_say_what_is_in_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another lock file gives another interpreter's archive, another line of code another archive of code."""
    hdfs = Hdfs(root="hdfs://archive/sdfo")
    before = shipment.planned(hdfs)
    lock = tmp_path / "pipeline.txt"
    lock.write_bytes(shipment._LOCK.read_bytes() + b"\n")
    monkeypatch.setattr(shipment, "_LOCK", lock)
    after = shipment.planned(hdfs)
    assert (before.env == after.env, before.code == after.code) == (False, True)
    package = tmp_path / "sdfo"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(shipment, "_PACKAGE", package)
    assert shipment.planned(hdfs).code != before.code
    assert before.folder == "hdfs://archive/sdfo/software"
    assert before.archives == [f"{before.folder}/{before.env}#env", f"{before.folder}/{before.code}#code"]


def test_who_comes_second_keeps_the_first(tmp_path: Path) -> None:
    """Two hosts pack at once: one file, whole, and nothing left beside it."""
    store, both = LocalStore(tmp_path), threading.Barrier(2)

    def fill(tar: tarfile.TarFile) -> None:
        both.wait()
        shipment._put_text(tar, "one", "x" * 100)

    threads = [threading.Thread(target=shipment.put_once, args=(store, "a.tar.gz", fill)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [file.path for file in store.list()] == ["a.tar.gz"]
    with tarfile.open(tmp_path / "a.tar.gz") as packed:
        assert packed.getnames() == ["one"]


def test_a_cluster_takes_it_from_hdfs(tmp_path: Path) -> None:
    """A folder of this host is no place for it: containers run elsewhere."""
    with pytest.raises(SettingsError, match="HDFS"):
        shipment.ship(Hdfs(root=tmp_path.as_uri()))
    assert os.listdir(tmp_path) == []
