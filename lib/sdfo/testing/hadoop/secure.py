"""A cluster with Kerberos: every daemon has a principal and a keytab, and nobody is believed without a ticket or a token.

Bytes go between clients and DataNodes with integrity (SASL with the NameNode's block tokens). Two things are for tests only:
DataNodes may have unprivileged ports without HTTPS, and the pages are open to everybody on loopback.
"""

from __future__ import annotations

from pathlib import Path

from sdfo.testing.hadoop.cluster import Cluster
from sdfo.testing.hadoop.config import Sites
from sdfo.testing.hadoop.kdc import REALM, Kdc

USER = "sdfo"
"""Who runs nights; `FOLDER` is theirs."""
FOLDER = "/archive"
_SERVICES = ("hdfs", "yarn", "HTTP")


class SecureCluster(Cluster):
    def __init__(self, folder: Path, *, datanodes: int = 2) -> None:
        super().__init__(folder, datanodes=datanodes)
        self.kdc = Kdc(self.home.folder / "kerberos")
        self.home = self.home.with_kerberos(self.kdc.conf, self.kdc.folder / "hdfs.cache")

    def start(self, *, yarn: bool = False) -> None:
        self.kdc.start()
        for service in _SERVICES:
            self.kdc.keytab(f"{service}/localhost")
        super().start(yarn=yarn)
        self.kdc.ticket("hdfs/localhost")  # of the superuser, for `home.run`
        self._run("fs", "-mkdir", "-p", FOLDER)
        self._run("fs", "-chown", USER, FOLDER)

    def sites(self) -> Sites:
        hdfs, yarn, http = (f"{service}/localhost@{REALM}" for service in _SERVICES)
        keytabs = {service: self.kdc.keytab(f"{service}/localhost") for service in _SERVICES}
        core = {
            "hadoop.security.authentication": "kerberos",
            "hadoop.security.authorization": "true",
        }
        hdfs_site = {
            "dfs.block.access.token.enable": "true",
            "dfs.data.transfer.protection": "integrity",
            "ignore.secure.ports.for.testing": "true",
            "dfs.namenode.kerberos.principal": hdfs,
            "dfs.namenode.keytab.file": keytabs["hdfs"],
            "dfs.datanode.kerberos.principal": hdfs,
            "dfs.datanode.keytab.file": keytabs["hdfs"],
            "dfs.web.authentication.kerberos.principal": http,
            "dfs.web.authentication.kerberos.keytab": keytabs["HTTP"],
        }
        yarn_site = {
            f"yarn.{daemon}.{name}": value
            for daemon in ("resourcemanager", "nodemanager")
            for name, value in (("principal", yarn), ("keytab", keytabs["yarn"]))
        }
        return {"core-site": core, "hdfs-site": hdfs_site, "yarn-site": yarn_site}

    def stop(self) -> None:
        super().stop()
        self.kdc.stop()
