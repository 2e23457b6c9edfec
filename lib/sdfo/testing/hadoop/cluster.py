"""The cluster: started, awaited, harmed on purpose, mended, stopped.

with cluster(tmp_path) as hadoop:      # HDFS; the daemons die with this process
    hadoop.start_yarn()
    hadoop.datanodes[0].kill()
    hadoop.mend()                      # every daemon is there and answers again
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sdfo.stores.hdfs import site
from sdfo.testing.hadoop import config, jars
from sdfo.testing.hadoop.config import Ports, Sites
from sdfo.testing.hadoop.daemons import Daemon, Home
from sdfo.testing.ports import HOST

_PATIENCE = 120.0  # seconds until ready: 15 on two idle cores
_YARN = ("nodemanager", "resourcemanager")  # in the order of stopping: a NodeManager ends its containers as it goes
_TERM_SECONDS = 4.0  # a NodeManager is done with its containers in 2, and then waits 10 more for old logs
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotReady(RuntimeError):
    """A daemon ended, or did not become ready; its log's end is in the message."""


class Cluster:
    """`folder` holds everything: what lies there from an earlier start is taken up again, with the same ports if free.

    `ha` and `secure` hold kinds of it: each adds settings (`sites`), ports and daemons.
    """

    more_ports = 0

    def __init__(self, folder: Path, *, datanodes: int = 3, bound: bool = True) -> None:
        self.home = Home(folder.resolve(), jars.JARS)
        self.count, self.bound = datanodes, bound
        self.daemons: dict[str, Daemon] = {}

    # ---- where it is

    @property
    def conf(self) -> Path:
        """The HADOOP_CONF_DIR."""
        return self.home.conf

    @property
    def url(self) -> str:
        return f"hdfs://{HOST}:{self.ports.namenode}"

    @property
    def web(self) -> str:
        """The NameNode's HTTP address: its pages, WebHDFS, JMX."""
        return f"http://{HOST}:{self.ports.namenode_http}"

    @property
    def resource_web(self) -> str:
        return f"http://{HOST}:{self.ports.resource_http}"

    @property
    def namenode(self) -> Daemon:
        return self.daemons["namenode"]

    @property
    def namenodes(self) -> list[Daemon]:
        return [daemon for name, daemon in self.daemons.items() if name.startswith("namenode")]

    @property
    def datanodes(self) -> list[Daemon]:
        return [daemon for name, daemon in self.daemons.items() if name.startswith("datanode")]

    @property
    def yarn(self) -> bool:
        return _YARN[0] in self.daemons

    def address(self, number: int) -> str:
        """Where a DataNode takes data, as the NameNode names it."""
        return f"{HOST}:{self.ports.datanodes[number][0]}"

    def sites(self) -> Sites:
        """What this kind of cluster sets besides."""
        return {}

    # ---- starting

    def start(self, *, yarn: bool = False) -> None:
        """Everything, up to ready."""
        self.home.folder.mkdir(parents=True, exist_ok=True)
        self.ports = self._ports()
        config.write(self.home.folder, self.ports, jars.gather(), self.sites())
        self.home.write_commands()
        if yarn:
            self._begin_yarn()  # comes up while the rest does
        self._begin_namenode()
        self._await(self._namenode_answers)  # a DataNode that knocks earlier sleeps for 5 s
        for number in range(self.count):
            self._begin(f"datanode-{number}")
        self._await(self.healthy)
        if yarn:
            self._await(self._yarn_answers)

    def _begin_namenode(self) -> None:
        self._format()
        self._begin("namenode")

    def _format(self, *options: str) -> bool:
        """Whether that was still to be done."""
        if (self.home.folder / "namenode" / "current").exists():
            return False
        self._run("namenode", *options, "-format", "-nonInteractive")
        return True

    def _ports(self) -> Ports:
        file = self.home.folder / "ports.json"
        ports = Ports.load(file) if file.exists() else Ports.free(self.count, self.more_ports)
        if len(ports.datanodes) != self.count or not ports.all_free():
            ports = Ports.free(self.count, self.more_ports)
        ports.dump(file)
        return ports

    def start_yarn(self) -> None:
        """ResourceManager and NodeManager too, up to ready; nothing if they are there."""
        if not self.yarn:
            self._begin_yarn()
            self._await(self._yarn_answers)

    def _begin_yarn(self) -> None:
        for name in _YARN:
            self._begin(name)

    def _begin(self, name: str) -> None:
        self.daemons[name] = self._daemon(name)
        self.daemons[name].start()

    def _daemon(self, name: str) -> Daemon:
        """`datanode-2`, or a daemon of which there is one."""
        word, _, number = name.partition("-")
        return Daemon(self.home, name, word, self._options(word, int(number)) if number else [], self.bound)

    def _options(self, word: str, number: int) -> list[str]:
        """What tells a daemon from the others of its kind: DataNodes here."""
        folder = self.home.folder / f"datanode-{number}"
        folder.mkdir(exist_ok=True, mode=0o700)
        named = zip(("address", "http.address", "ipc.address"), self.ports.datanodes[number], strict=True)
        options = [f"-Ddfs.datanode.{name}={HOST}:{port}" for name, port in named]
        return [f"-Ddfs.datanode.data.dir={folder.as_uri()}", *options]

    # ---- asking it

    def jmx(self, bean: str, web: str | None = None) -> dict[str, Any]:
        """Of the NameNode, or whose web server is named."""
        found: dict[str, Any] = self.ask(f"{web or self.web}/jmx?qry={bean}")["beans"][0]
        return found

    def ask(self, url: str) -> Any:
        with _NO_PROXY.open(url, timeout=5) as answer:
            return json.load(answer)

    def _namenode_answers(self) -> bool:
        return bool(self.jmx("Hadoop:service=NameNode,name=NameNodeInfo")["Version"])

    def healthy(self, web: str | None = None) -> bool:
        """The NameNode serves, and every DataNode has spoken to it since that one's last start."""
        info = self.jmx("Hadoop:service=NameNode,name=NameNodeInfo", web)
        live = {node["xferaddr"]: node["lastContact"] for node in json.loads(info["LiveNodes"]).values()}
        begun = max(node.started for node in self.namenodes)
        ages = [time.monotonic() - max(node.started, begun) for node in self.datanodes]
        silent = [live.get(self.address(n), age) for n, age in enumerate(ages)]
        spoken = (quiet < 3 and quiet + 1 <= age for quiet, age in zip(silent, ages, strict=True))  # whole seconds
        return info["Safemode"] == "" and all(spoken)

    def _yarn_answers(self) -> bool:
        return bool(self.ask(f"{self.resource_web}/ws/v1/cluster/metrics")["clusterMetrics"]["activeNodes"] >= 1)

    def well(self) -> bool:
        """Every daemon is there and answers, those of YARN too."""
        return len(self.daemons) == 3 + self.count and self._true(self.healthy) and self._true(self._yarn_answers)

    def live(self) -> int:
        """How many DataNodes the NameNode takes for living."""
        return int(self.jmx("Hadoop:service=NameNode,name=FSNamesystemState")["NumLiveDataNodes"])

    def holders(self, path: str) -> list[int]:
        """The DataNodes with a replica of the first block of the file at the absolute `path`, in no order."""
        user = f"user.name={os.environ.get('HADOOP_USER_NAME', 'root')}"
        found = self.ask(f"{self.web}/webhdfs/v1{path}?op=GETFILEBLOCKLOCATIONS&{user}")
        names = found["BlockLocations"]["BlockLocation"][0]["names"]
        return sorted(n for n in range(self.count) if self.address(n) in names)

    def raw(self, path: str) -> bytes:
        """The file at the absolute `path`, by WebHDFS; FileNotFoundError."""
        try:
            with _NO_PROXY.open(f"{self.web}/webhdfs/v1{path}?op=OPEN&user.name={site.user()}", timeout=5) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise FileNotFoundError(path) from error

    def replicas(self, path: str) -> list[Path]:
        """The files on the DataNodes' disks that hold the first block of the file at the absolute `path`."""
        said = self.home.run("fsck", path, "-files", "-blocks").stdout
        block = next(word for word in said.split() if ":blk_" in word).rpartition(":")[2].rpartition("_")[0]
        return sorted(self.home.folder.glob(f"datanode-*/current/*/current/*/**/{block}"))

    # ---- harm and repair

    def safe_mode(self, on: bool) -> None:
        self._run("dfsadmin", "-safemode", "enter" if on else "leave")

    def fill(self, full: bool = True) -> None:
        """Let no DataNode have room for a block, or all of them again; each is started anew for it."""
        for number, daemon in enumerate(self.datanodes):
            options = self._options("datanode", number)
            if full:
                options.append(f"-Ddfs.datanode.du.reserved={1 << 60}")  # bytes of its disk that are not HDFS's to use
            if daemon.arguments != options:
                daemon.kill()
                daemon.arguments = options
                daemon.start()
        self._await(self.healthy)

    def mend(self) -> None:
        """Wake every daemon that hangs, start every one that is gone, and wait until all is well."""
        for daemon in self.daemons.values():
            daemon.resume()
            if not daemon.alive:
                daemon.start()
        self._await(self._namenode_answers)
        if self.jmx("Hadoop:service=NameNode,name=NameNodeInfo")["Safemode"]:
            self.safe_mode(False)
        self._await(self.healthy)

    def _run(self, word: str, *arguments: str) -> None:
        done = self.home.run(word, *arguments)
        if done.returncode != 0:
            raise RuntimeError(f"{word} {' '.join(arguments)}:\n{done.stderr[-3000:]}")

    def _await(self, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE
        while not self._true(ready):
            for daemon in self.daemons.values():
                if not daemon.alive:
                    raise NotReady(f"{daemon.name} ended:\n{daemon.last_words()}")
            if time.monotonic() > until:
                raise NotReady(f"not ready in {_PATIENCE:.0f} s: see {self.home.folder / 'logs'}")
            time.sleep(0.2)

    @staticmethod
    def _true(ready: Callable[[], bool]) -> bool:
        try:
            return ready()
        except (OSError, LookupError, ValueError):  # not there yet, or not all of it
            return False

    # ---- the end

    def stop(self) -> None:
        """SIGTERM, YARN first, then SIGKILL; then whatever its containers left behind."""
        order = sorted(self.daemons.values(), key=lambda daemon: daemon.name not in _YARN)
        for daemon in order:
            daemon.resume()
            daemon.signal(signal.SIGTERM)
        until = time.monotonic() + _TERM_SECONDS
        for daemon in order:
            if not daemon.wait(max(0.0, until - time.monotonic())):
                daemon.kill()
        for pid in self._orphans():
            os.kill(pid, signal.SIGKILL)

    def _orphans(self) -> Iterator[int]:
        """Processes that carry this cluster's HADOOP_CONF_DIR and work in one of its containers."""
        mark = str(self.home.folder / "containers")
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.readlink(entry / "cwd").startswith(mark):
                        yield int(entry.name)
                except OSError:
                    continue

    @classmethod
    def running(cls, folder: Path) -> Cluster | None:
        """The cluster that lives in `folder`, whoever started it; None if there is none."""
        found = cls(folder, bound=False)
        processes = found.home.processes()
        if not processes:
            return None
        found.ports = Ports.load(found.home.folder / "ports.json")
        found.count = len(found.ports.datanodes)
        stored = ["namenode", *(f"datanode-{number}" for number in range(found.count))]
        for name in dict.fromkeys([*stored, *sorted(processes)]):
            found.daemons[name] = found._daemon(name)
            found.daemons[name].pid = processes.get(name, 0)
        return found


C = TypeVar("C", bound=Cluster)


def cluster(folder: Path, *, datanodes: int = 3, yarn: bool = False) -> AbstractContextManager[Cluster]:
    """A cluster of one's own, gone afterwards with all it stored."""
    return kept(lambda: Cluster(folder, datanodes=datanodes), yarn=yarn)


@contextmanager
def kept(make: Callable[[], C], *, yarn: bool = False) -> Iterator[C]:
    """The same of any kind. Started anew where somebody took one of its ports."""
    tries = 3
    while True:
        hadoop = make()
        tries -= 1
        try:
            hadoop.start(yarn=yarn)
            break
        except BaseException as error:
            hadoop.stop()
            if not tries or "Address already in use" not in str(error):
                raise
            shutil.rmtree(hadoop.home.folder)
    try:
        yield hadoop
    finally:
        hadoop.stop()
        shutil.rmtree(hadoop.home.folder, ignore_errors=True)
