"""`sdfo doctor --cluster` on a real YARN: what the containers see, and what is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sdfo.nightly import shipment
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop


@pytest.fixture
def archive(on_yarn: Cluster, tmp_path: Path) -> Archive:
    """An archive on HDFS, with what containers run."""
    made = new_archive(tmp_path)
    shipment.ship(made.settings().hdfs)
    return made


def _doctor(archive: Archive, code: int, **environ: str) -> dict[str, dict[str, Any]]:
    done = archive.sdfo("doctor", "--cluster", **environ)
    assert done.returncode == code, done.stdout + done.stderr
    return {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}


@pytest.mark.long
def test_all_is_well(archive: Archive, on_yarn: Cluster) -> None:
    """Every running node is reached and sees all; the application and mrjob's programs are told; nothing is left on HDFS."""
    found = _doctor(archive, 0)
    assert [finding for finding in found.values() if finding["required"] and not finding["ok"]] == []
    assert re.match(r"application_\d+_\d+: 1 of 1 running nodes", found["Spark on YARN"]["found"])
    assert [what for what in found if what.startswith("node ")] == [f"node {_running(on_yarn)}"]
    assert "hadoop" in found["mrjob on Hadoop"]["found"]
    assert "streaming" in found["mrjob on Hadoop"]["found"]
    assert not list(archive.place().store.list("attempts"))


def _running(cluster: Cluster) -> str:
    """The one node, as the ResourceManager's pages name it."""
    nodes = cluster.ask(f"{cluster.resource_web}/ws/v1/cluster/nodes?states=RUNNING")["nodes"]["node"]
    return str(nodes[0]["nodeHostName"])


@pytest.mark.long
def test_a_node_with_another_san(archive: Archive, tmp_path: Path) -> None:
    """The node is told, with where to mount the SAN and the other way; exit 1."""
    other = tmp_path / "other"
    other.mkdir()
    (other / ".sdfo-san").write_text("another\n")
    found = _doctor(archive, 1, SDFO__SAN__ROOT=str(other))
    (node,) = (finding for what, finding in found.items() if what.startswith("node "))
    assert (node["ok"], node["required"]) == (False, True)
    assert node["found"].startswith("SAN: another SAN is mounted")
    assert node["next"] == f"mount the SAN at {other} there, or on the SAN's host: sdfo night --engine local"
    assert found["Spark on YARN"]["ok"]


def test_what_is_missing_before_an_application(archive: Archive, hadoop: Cluster) -> None:
    """No settings of Hadoop, and software that is not there: told with the command, and no application is started."""
    found = _doctor(archive, 1, HADOOP_CONF_DIR="", SDFO__HDFS__SOFTWARE=f"{hadoop.url}/nothing")
    assert found["Hadoop's settings"]["found"] == "HADOOP_CONF_DIR is not set"
    assert found["Hadoop's settings"]["next"].startswith("export HADOOP_CONF_DIR=")
    assert found["software"]["next"] == "sdfo ship"
    assert "not tried" in found["Spark on YARN"]["found"]
    assert found["mrjob on Hadoop"]["ok"]
