"""What a night on a Hadoop cluster needs besides: `sdfo doctor --cluster`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdfo.cli.finding import Finding, asked
from sdfo.cli.progress import showing
from sdfo.cli.show import note
from sdfo.errors import SdfoError, SettingsError

if TYPE_CHECKING:
    from sdfo.conf import Mrjob
    from sdfo.nightly.place import Place

_EXPORT = "export HADOOP_CONF_DIR=/etc/hadoop/conf"
_ELSEWHERE = "or on the SAN's host: sdfo night --engine local"


def findings(place: Place) -> Iterator[Finding]:
    """Software, one Spark application over the nodes, and what mrjob would start."""
    software = asked("software", lambda: _software(place), "sdfo ship")
    yield software
    if place.settings.spark.master != "yarn":
        yield Finding("Spark on YARN", False, "not used: spark.master is local", required=False)
    elif software.ok and hadoop(place).ok:
        yield from _nodes(place)
    else:
        after = "sdfo doctor --cluster again, after that"
        yield Finding("Spark on YARN", False, "not tried before the above is there", after, required=False)
    if place.settings.mrjob.runner == "hadoop":
        yield asked("mrjob on Hadoop", lambda: _mrjob(place.settings.mrjob), "set mrjob.conf, or HADOOP_HOME")
    else:
        yield Finding("mrjob on Hadoop", False, "not used: mrjob.runner is local", required=False)


def hadoop(place: Place) -> Finding:
    """Hadoop's own settings: without them neither the store nor YARN is found."""
    folder = os.environ.get("HADOOP_CONF_DIR")
    if not folder:
        return Finding("Hadoop's settings", False, "HADOOP_CONF_DIR is not set", _EXPORT)
    wanted = ["core-site.xml", "hdfs-site.xml"]
    if place.settings.spark.master == "yarn" or place.settings.mrjob.runner == "hadoop":
        wanted.append("yarn-site.xml")
    gone = [name for name in wanted if not Path(folder, name).is_file()]
    found = f"{folder} has no {', '.join(gone)}" if gone else folder
    return Finding("Hadoop's settings", not gone, found, _EXPORT)


def _software(place: Place) -> str:
    from sdfo.nightly import shipment

    if names := shipment.missing(place.settings.hdfs):
        raise SdfoError(f"not on HDFS, or another version: {', '.join(names)}", next_command="sdfo ship")
    return shipment.planned(place.settings.hdfs).folder


def _nodes(place: Place) -> Iterator[Finding]:
    note("starts a Spark application on YARN that looks at the nodes")
    near = place.nearline_id if place.has_nearline else ""
    try:
        with showing("doctor") as progress:
            done = import_module("sdfo.spark.probe").probe(place.settings, place.san_id, near, progress)
    except SdfoError as error:
        yield Finding("Spark on YARN", False, error.what, error.next_command or "sdfo doctor")
        return
    yield from told(done, place.settings.san.root)


def told(done: Any, root: str) -> Iterator[Finding]:
    """Of a `sdfo.spark.probe.Probe`: the application, then each node. `root`: where the SAN should be."""
    by_node = {
        node: list(seen) for node, seen in groupby(sorted(done.seen, key=attrgetter("node")), attrgetter("node"))
    }
    count = f"{len(by_node)} of {len(done.running)} running nodes, {len(done.seen)} containers"
    yield Finding("Spark on YARN", bool(done.seen), f"{done.application}: {count}", _logs(done.application))
    for node in sorted(by_node.keys() | set(done.running)):
        yield _node(node, by_node.get(node, []), root, done.application)


def _node(node: str, seen: list[Any], root: str, application: str) -> Finding:
    """`seen`: a `sdfo.spark.seen.Seen` of each container there. What is wrong in one is wrong with the node."""
    what = f"node {node}"
    if not seen:
        found = "not tried: it gave no container in time"
        return Finding(what, False, found, "sdfo doctor --cluster when it has room", required=False)
    names = ("san", "hdfs", "software", "nearline")
    san, hdfs, software, near = (next(filter(None, map(attrgetter(name), seen)), "") for name in names)
    if san:
        return Finding(what, False, f"SAN: {san}", f"mount the SAN at {root} there, {_ELSEWHERE}")
    if hdfs or software:
        return Finding(what, False, f"HDFS: {hdfs}" if hdfs else software, _logs(application))
    if near:
        after = "mount the NAS at nearline.root there, or on a host that has it: sdfo backup --engine local"
        return Finding(what, False, f"near-line: {near}", after, required=False)
    return Finding(what, True, "sees the SAN and near-line, writes and reads HDFS, runs what was shipped")


def _logs(application: str) -> str:
    from sdfo.nightly.engines import yarn_logs

    return yarn_logs(application)


def _mrjob(settings: Mrjob) -> str:
    """As mrjob looks for them, without a job. What imports mrjob is asked by name."""
    if settings.conf and not Path(settings.conf).is_file():
        raise SettingsError("mrjob.conf names no file", next_command="set mrjob.conf")
    kind = import_module("mrjob.hadoop").HadoopJobRunner
    runner = kind(conf_paths=[settings.conf] if settings.conf else [])
    binary, jar = runner.get_hadoop_bin(), runner.get_hadoop_streaming_jar()
    if shutil.which(binary[0]) is None:
        raise SettingsError(f"no hadoop command: {binary[0]}")
    if jar is None or not Path(jar).is_file():
        raise SettingsError(f"{binary[0]} is there, but no streaming jar{f' at {jar}' if jar else ''}")
    return f"{' '.join(binary)}, {jar}"
