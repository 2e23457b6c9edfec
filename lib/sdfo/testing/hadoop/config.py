"""The site files of the cluster: everything on 127.0.0.1, every port named beforehand so that a daemon may come back.

What Hadoop cannot bind to an address: the NodeManager's shuffle port and each MapReduce application master listen on all
interfaces (docs/operations.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

from sdfo.testing.ports import HOST, hold

BLOCK = 16 * 1024 * 1024
DEAD_SECONDS = 14
"""After this long the NameNode calls a silent DataNode dead: 2 × recheck + 10 × heartbeat, 630 s with Hadoop's defaults."""

_LOG4J = """log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.target=System.err
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """`datanodes`: of each the port for data, for HTTP and for IPC. `more`: for what a kind of cluster adds."""

    namenode: int
    namenode_http: int
    resource: int
    resource_scheduler: int
    resource_tracker: int
    resource_admin: int
    resource_http: int
    datanodes: tuple[tuple[int, int, int], ...]
    more: tuple[int, ...] = ()

    @classmethod
    def free(cls, datanodes: int, more: int = 0) -> Self:
        """Ports that nobody has now. Somebody may have taken one before its daemon starts."""
        with ExitStack() as held:  # all at once, so that they differ
            single = {field.name: hold(held) for field in fields(cls) if field.name not in ("datanodes", "more")}
            each = [(hold(held), hold(held), hold(held)) for _ in range(datanodes)]
            others = tuple(hold(held) for _ in range(more))
        return cls(**single, datanodes=tuple(each), more=others)

    @classmethod
    def load(cls, file: Path) -> Self:
        read = json.loads(file.read_text())
        lists = {"datanodes": tuple(tuple(three) for three in read["datanodes"]), "more": tuple(read.get("more", ()))}
        return cls(**read | lists)

    def dump(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)))

    def _all(self) -> list[int]:
        single = [value for value in asdict(self).values() if isinstance(value, int)]
        return [*single, *(port for three in self.datanodes for port in three), *self.more]

    def all_free(self) -> bool:
        with ExitStack() as held:
            try:
                for port in self._all():
                    hold(held, port)
            except OSError:
                return False
        return True


Properties = Mapping[str, object]
Sites = Mapping[str, Properties]
"""Name of a file, as core-site → its properties."""


def write(folder: Path, ports: Ports, jars: Path, more: Sites | None = None) -> Path:
    """Everything below `folder` that the daemons read; the HADOOP_CONF_DIR. `more`: added, or instead of what stands here."""
    conf = folder / "conf"
    for name in ("conf", "logs", "namenode", "containers", "container-logs", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in (
        "hdfs",
        "datanode",
        "secondary",
        "journal",
        "static",
    ):  # the web servers look for them on the class path
        (folder / "classes" / "webapps" / name).mkdir(parents=True, exist_ok=True)
    sites = {
        "core-site": _core(folder, ports),
        "hdfs-site": _hdfs(folder, ports),
        "yarn-site": _yarn(folder, ports, jars),
        "mapred-site": _mapred(folder, jars),
        "capacity-scheduler": _QUEUE,
    }
    for name, properties in sites.items():
        _write_site(conf / f"{name}.xml", {**properties, **(more or {}).get(name, {})})
    (conf / "log4j.properties").write_text(_LOG4J)
    return conf


def _write_site(file: Path, properties: Properties) -> None:
    rows: Iterable[str] = (
        f"  <property><name>{name}</name><value>{escape(str(value))}</value></property>\n"
        for name, value in properties.items()
    )
    file.write_text(f'<?xml version="1.0"?>\n<configuration>\n{"".join(rows)}</configuration>\n')


def at(port: int) -> str:
    return f"{HOST}:{port}"


def _core(folder: Path, ports: Ports) -> Properties:
    return {
        "fs.defaultFS": f"hdfs://{at(ports.namenode)}",
        "hadoop.tmp.dir": folder / "tmp",
        "hadoop.security.authentication": "simple",
    }


def _hdfs(folder: Path, ports: Ports) -> Properties:
    return {
        "dfs.replication": 2,
        "dfs.blocksize": BLOCK,
        "dfs.namenode.fs-limits.min-block-size": 4096,
        "dfs.namenode.name.dir": (folder / "namenode").as_uri(),
        "dfs.namenode.rpc-address": at(ports.namenode),
        "dfs.namenode.http-address": at(ports.namenode_http),
        "dfs.namenode.secondary.http-address": at(0),
        "dfs.namenode.safemode.extension": 0,  # 30 s otherwise, at a start with data
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        "dfs.namenode.handler.count": 4,
        "dfs.datanode.handler.count": 3,
        "dfs.heartbeat.interval": 1,
        "dfs.namenode.heartbeat.recheck-interval": 2000,
        # of three nodes and two replicas a pipeline may lose one and go on
        "dfs.client.block.write.replace-datanode-on-failure.best-effort": "true",
    }


def _yarn(folder: Path, ports: Ports, jars: Path) -> Properties:
    return {
        "yarn.resourcemanager.hostname": HOST,
        "yarn.resourcemanager.bind-host": HOST,
        "yarn.resourcemanager.address": at(ports.resource),
        "yarn.resourcemanager.scheduler.address": at(ports.resource_scheduler),
        "yarn.resourcemanager.resource-tracker.address": at(ports.resource_tracker),
        "yarn.resourcemanager.admin.address": at(ports.resource_admin),
        "yarn.resourcemanager.webapp.address": at(ports.resource_http),
        "yarn.nodemanager.hostname": HOST,
        "yarn.nodemanager.bind-host": HOST,
        "yarn.nodemanager.address": at(0),
        "yarn.nodemanager.localizer.address": at(0),
        "yarn.nodemanager.webapp.address": at(0),
        "yarn.nodemanager.collector-service.address": at(0),
        "yarn.nodemanager.local-dirs": folder / "containers",
        "yarn.nodemanager.log-dirs": folder / "container-logs",
        "yarn.nodemanager.sleep-delay-before-sigkill.ms": 100,
        "yarn.nodemanager.process-kill-wait.ms": 500,
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99,
        "yarn.nodemanager.resource.memory-mb": 8192,
        "yarn.nodemanager.resource.cpu-vcores": 2,
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.aux-services": "mapreduce_shuffle",
        "yarn.nodemanager.heartbeat.interval-ms": 200,
        "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": 200,
        "yarn.scheduler.minimum-allocation-mb": 128,
        "yarn.scheduler.maximum-allocation-mb": 8192,
        "yarn.application.classpath": f"{folder / 'conf'},{jars}/*",
        "yarn.nodemanager.env-whitelist": "JAVA_HOME,HADOOP_CONF_DIR",
    }


def _mapred(folder: Path, jars: Path) -> Properties:
    heap = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    return {
        "mapreduce.framework.name": "yarn",
        "mapreduce.application.classpath": f"{folder / 'conf'},{jars}/*",
        "mapreduce.shuffle.port": 0,
        "mapreduce.client.completion.pollinterval": 500,  # 5 s and 1 s otherwise
        "mapreduce.client.progressmonitor.pollinterval": 200,
        "yarn.app.mapreduce.am.scheduler.heartbeat.interval-ms": 200,
        "yarn.app.mapreduce.am.staging-dir": "/tmp/hadoop-yarn/staging",
        "yarn.app.mapreduce.am.resource.mb": 512,
        "yarn.app.mapreduce.am.command-opts": f"-Xmx300m {heap}",
        "mapreduce.map.memory.mb": 512,
        "mapreduce.map.java.opts": f"-Xmx200m {heap}",
        "mapreduce.reduce.memory.mb": 512,
        "mapreduce.reduce.java.opts": f"-Xmx200m {heap}",
        "mapreduce.task.io.sort.mb": 32,  # 100 MB otherwise: more than that heap has room for
    }


_QUEUE: Properties = {  # the CapacityScheduler does not start without one
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": 100,
    "yarn.scheduler.capacity.maximum-am-resource-percent": "0.5",
}
