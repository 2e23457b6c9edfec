"""The Hadoop for development and tests: real, on loopback, and gone with whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sdfo.testing.hadoop import config, jars
from sdfo.testing.hadoop.cluster import Cluster
from sdfo.testing.hadoop.config import Ports
from sdfo.testing.hadoop.daemons import Daemon, Home
from sdfo.testing.ports import HOST

pytestmark = pytest.mark.hadoop


def _listening(daemon: Daemon) -> set[str]:
    """The addresses, without ports."""
    found = psutil.Process(daemon.pid).net_connections("inet")
    return {each.laddr.ip.removeprefix("::ffff:") for each in found if each.status == psutil.CONN_LISTEN}


def test_everything_is_on_loopback(yarn: Cluster) -> None:
    """But for the NodeManager's shuffle port, which Hadoop binds to every interface (docs/operations.md)."""
    assert {name.partition("-")[0] for name in yarn.daemons} == {
        "namenode",
        "datanode",
        "resourcemanager",
        "nodemanager",
    }
    for name, daemon in yarn.daemons.items():
        if name != "nodemanager":
            assert _listening(daemon) == {HOST}
    shuffle = psutil.Process(yarn.daemons["nodemanager"].pid).net_connections("inet")
    assert len([each for each in shuffle if each.status == psutil.CONN_LISTEN and each.laddr.ip == "0.0.0.0"]) == 1


def test_hadoops_own_commands_run_on_it(yarn: Cluster) -> None:
    """HDFS's shell, and YARN's list of nodes."""
    assert yarn.home.run("fs", "-mkdir", "-p", "/by/shell").returncode == 0
    assert "/by/shell" in yarn.home.run("fs", "-ls", "/by").stdout
    metrics = yarn.ask(f"{yarn.resource_web}/ws/v1/cluster/metrics")["clusterMetrics"]
    assert metrics["activeNodes"] == 1


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Configured, with nothing running."""
    config.write(tmp_path, Ports.free(1), jars.gather())
    made = Home(tmp_path, jars.JARS)
    yield made
    for pid in made.processes().values():
        os.kill(pid, signal.SIGKILL)


_STARTER = """
import sys, time
from pathlib import Path
from sdfo.testing.hadoop import jars
from sdfo.testing.hadoop.daemons import Daemon, Home
Daemon(Home(Path(sys.argv[1]), jars.JARS), "resourcemanager", "resourcemanager").start()
time.sleep(600)
"""


def test_daemons_die_with_who_started_them(home: Home) -> None:
    """Also when that is killed with SIGKILL and can clear up nothing."""
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, str(home.folder)])
    log = home.folder / "logs" / "resourcemanager.log"
    _until(lambda: log.exists() and "STARTUP_MSG" in log.read_text())
    assert "resourcemanager" in home.processes()
    starter.kill()
    starter.wait()
    _until(lambda: home.processes() == {})


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_ports_are_free_and_different() -> None:
    """What `free` finds is free, until somebody takes one."""
    ports = Ports.free(3)
    each = [ports.namenode, ports.namenode_http, ports.resource, *(port for three in ports.datanodes for port in three)]
    assert len(set(each)) == len(each)
    assert ports.all_free()
    with socket.socket() as taken:
        taken.bind((HOST, ports.namenode))
        taken.listen()
        assert not ports.all_free()


@pytest.mark.long
def test_it_outlives_its_starter_and_keeps_what_it_stores(tmp_path: Path) -> None:
    """As `make hadoop-up` and `hadoop-down` have it: started by one process, stopped by another, started on its data."""
    started = Cluster(tmp_path, datanodes=1, bound=False)
    try:
        started.start()
        assert started.home.run("fs", "-mkdir", "/kept").returncode == 0
        found = Cluster.running(tmp_path)
        assert found is not None
        assert (found.url, set(found.daemons)) == (started.url, set(started.daemons))
        found.stop()
        assert Cluster.running(tmp_path) is None
        again = Cluster(tmp_path, datanodes=1, bound=False)
        again.start()
        assert again.url == started.url
        assert "/kept" in again.home.run("fs", "-ls", "/").stdout
    finally:
        left = Cluster.running(tmp_path)
        if left is not None:
            left.stop()
