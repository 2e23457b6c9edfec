"""A cluster whose HDFS is highly available: two NameNodes, and a JournalNode for the edits that they share.

hdfs://archive is a name service. Who of the two serves is decided by a person, as where no ZooKeeper decides it:
`fail_over` is `hdfs haadmin -failover`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sdfo.testing.hadoop.cluster import Cluster
from sdfo.testing.hadoop.config import Sites, at
from sdfo.testing.hadoop.daemons import Daemon

SERVICE = "archive"
_FAILOVER = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"


class HaCluster(Cluster):
    """The NameNodes are nn0 and nn1, in the settings too; `active` is the number of the one that serves."""

    more_ports = 4

    def __init__(self, folder: Path, *, datanodes: int = 3) -> None:
        super().__init__(folder, datanodes=datanodes)
        self.active = 0

    @property
    def url(self) -> str:
        return f"hdfs://{SERVICE}"

    @property
    def webs(self) -> list[str]:
        """The HTTP addresses of both."""
        return [f"http://{at(port)}" for port in (self.ports.namenode_http, self.ports.more[1])]

    @property
    def web(self) -> str:
        return self.webs[self.active]

    @property
    def namenode(self) -> Daemon:
        """The active one."""
        return self.daemons[f"namenode-{self.active}"]

    def sites(self) -> Sites:
        second, second_http, journal, journal_http = self.ports.more
        shared = {
            "dfs.nameservices": SERVICE,
            f"dfs.ha.namenodes.{SERVICE}": "nn0,nn1",
            f"dfs.client.failover.proxy.provider.{SERVICE}": _FAILOVER,
            "dfs.ha.fencing.methods": "shell(/bin/true)",  # the journal takes no edit of one that was deposed
            "dfs.namenode.shared.edits.dir": f"qjournal://{at(journal)}/{SERVICE}",
            "dfs.journalnode.edits.dir": self.home.folder / "journalnode",
            "dfs.journalnode.rpc-address": at(journal),
            "dfs.journalnode.http-address": at(journal_http),
            "dfs.ha.tail-edits.period": 1,
            "dfs.ha.log-roll.period": 2,  # 120 s otherwise, for which a NameNode that came back waits for deleted blocks
        }
        each = {
            f"dfs.namenode.{name}.{SERVICE}.nn{number}": value
            for number, (rpc, http) in enumerate(
                [(self.ports.namenode, self.ports.namenode_http), (second, second_http)]
            )
            for name, value in (
                ("rpc-address", at(rpc)),
                ("http-address", at(http)),
                ("name.dir", self._folder(number).as_uri()),
            )
        }
        return {"core-site": {"fs.defaultFS": self.url}, "hdfs-site": {**shared, **each}}

    def _folder(self, number: int) -> Path:
        return self.home.folder / ("namenode-1" if number else "namenode")

    def _options(self, word: str, number: int) -> list[str]:
        return [f"-Ddfs.ha.namenode.id=nn{number}"] if word == "namenode" else super()._options(word, number)

    def _begin_namenode(self) -> None:
        self._begin("journalnode")
        self._await(lambda: bool(self.ask(f"http://{at(self.ports.more[3])}/jmx?qry=java.lang:type=Runtime")["beans"]))
        if self._format(*self._options("namenode", 0)):
            shutil.copytree(self._folder(0), self._folder(1))  # what `hdfs namenode -bootstrapStandby` does
        for number in (0, 1):
            self._begin(f"namenode-{number}")
        self._await(self._namenode_answers)
        self._run("haadmin", "-transitionToActive", f"nn{self.active}")

    def _namenode_answers(self) -> bool:
        """Both do."""
        return all(self.jmx("Hadoop:service=NameNode,name=NameNodeInfo", web)["Version"] for web in self.webs)

    def healthy(self, web: str | None = None) -> bool:
        """By both."""
        return all(super(HaCluster, self).healthy(each) for each in self.webs)

    def fail_over(self) -> None:
        """Make the other one serve, whatever became of the first."""
        other = 1 - self.active
        self._run("haadmin", "-failover", f"nn{self.active}", f"nn{other}")
        self.active = other

    def mend(self) -> None:
        """One that hung while the other took over would wake, meet the journal's refusal, and end."""
        for daemon in self.namenodes:
            if daemon.hangs and daemon is not self.namenode:
                daemon.kill()
        super().mend()
