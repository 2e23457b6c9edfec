"""What `doctor --cluster` says of the nodes that an application saw; and before there is any cluster."""

from __future__ import annotations

import json
import shutil
import sys

from sdfo.cli.cluster import told
from sdfo.conf import load
from sdfo.spark.probe import Probe
from sdfo.spark.seen import Seen, look


def _found(*seen: Seen) -> dict[str, tuple[bool, bool, str]]:
    probe = Probe("application_1_0001", ("one", "two"), seen)
    return {found.what: (found.ok, found.required, f"{found.found}; {found.next}") for found in told(probe, "/san")}


def test_a_node_without_a_container_is_not_tried():
    """It is named, is not called well, and does not change the exit code."""
    found = _found(Seen("one", "c1", "", "", ""))
    assert found["node one"][:2] == (True, True)
    assert found["node two"][:2] == (False, False)
    assert "not tried" in found["node two"][2]
    assert "application_1_0001: 1 of 2 running nodes" in found["Spark on YARN"][2]


def test_one_bad_container_is_a_bad_node():
    """The SAN first, for nothing else can be mended before it; then what the log tells more of."""
    found = _found(
        Seen("one", "c1", "", "", ""), Seen("one", "c2", "no SAN", "", ""), Seen("two", "c3", "", "down", "")
    )
    assert found["node one"][0] is False
    assert "mount the SAN at /san there, or on the SAN's host: sdfo night --engine local" in found["node one"][2]
    assert found["node two"][0] is False
    assert "down; yarn logs -applicationId application_1_0001" in found["node two"][2]


def test_a_node_without_the_nas():
    """No night fails for it: it is told, with the other way, and is not required."""
    found = _found(Seen("one", "c1", "", "", "", "is it mounted?"))
    assert found["node one"][:2] == (False, False)
    assert "near-line: is it mounted?; mount the NAS at nearline.root there" in found["node one"][2]


def test_no_container_at_all():
    """Then nothing is proved: required, and not there."""
    assert _found()["Spark on YARN"][:2] == (False, True)


def test_what_a_look_finds(site, monkeypatch):
    """Here: the SAN and the store are well, and this interpreter was not shipped. Nothing is left in the store."""
    san = site.json("init")["san"]
    monkeypatch.setenv("NM_HOST", "one")
    monkeypatch.chdir(site.folder)
    settings = load(site.folder / "conf" / "site.toml")
    near = (site.folder / "nearline" / ".sdfo-nearline").read_text()
    seen = look(json.dumps(settings.public()), san, near)
    assert (seen.node, seen.san, seen.hdfs, seen.nearline) == ("one", "", "", "")
    assert f"Python is {sys.prefix}" in seen.software
    assert not [path for path in (site.hdfs / "attempts").rglob("*") if path.is_file()]


def test_a_look_at_what_is_not_there(site, monkeypatch):
    """An empty mount point, and a store that takes nothing: said by word, not raised; without a folder's name."""
    san = site.json("init")["san"]
    (site.san / ".sdfo-san").unlink()
    shutil.rmtree(site.hdfs)
    site.hdfs.write_text("no folder")
    seen = look(json.dumps(load(site.folder / "conf" / "site.toml").public()), san, "another")
    assert "no id file" in seen.san
    assert "another near-line store" in seen.nearline
    assert seen.hdfs
    assert str(site.folder) not in seen.san + seen.hdfs


def test_without_a_cluster(site):
    """Folders instead of HDFS: what to set and to ship is told, no application is started, exit 1."""
    site.json("init")
    said = site.json("doctor", "--cluster", code=1, HADOOP_CONF_DIR="", SDFO__SPARK__MASTER="yarn")
    found = {finding["what"]: finding for finding in said["findings"]}
    assert found["Hadoop's settings"]["next"].startswith("export HADOOP_CONF_DIR=")
    assert "hdfs.root" in found["software"]["found"]
    assert "not tried" in found["Spark on YARN"]["found"]
    assert not found["mrjob on Hadoop"]["required"]
