"""A cluster with Kerberos: every daemon has a principal and a keytab, and nobody is believed without a ticket or a token.

Bytes go between clients and DataNodes with integrity (SASL with the NameNode's block tokens), and the web pages want a ticket
too. One thing is for tests only: the DataNodes have unprivileged ports without HTTPS.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

from sdfo.testing.hadoop.cluster import Cluster
from sdfo.testing.hadoop.config import Sites
from sdfo.testing.hadoop.kdc import REALM, Kdc

USER = "sdfo"
"""Who runs nights; `FOLDER` is theirs."""
FOLDER = "/archive"
_HDFS, _YARN, _HTTP = "hdfs/localhost", "yarn/localhost", "HTTP/127.0.0.1"
"""Principals. A browser makes that of the pages from the host in their address."""


class SecureCluster(Cluster):
    def __init__(self, folder: Path, *, datanodes: int = 2) -> None:
        super().__init__(folder, datanodes=datanodes)
        self.kdc = Kdc(self.home.folder / "kerberos")
        self.home = self.home.with_kerberos(self.kdc.conf, self.kdc.folder / "hdfs.cache")

    def start(self, *, yarn: bool = False) -> None:
        self.kdc.start()
        self.kdc.ticket(_HDFS)  # of the superuser, for commands
        super().start(yarn=yarn)
        self._run("fs", "-mkdir", "-p", FOLDER)
        self._run("fs", "-chown", USER, FOLDER)

    def sites(self) -> Sites:
        hdfs, yarn, http = (f"{principal}@{REALM}" for principal in (_HDFS, _YARN, _HTTP))
        hdfs_key, yarn_key, http_key = map(self.kdc.keytab, (_HDFS, _YARN, _HTTP))
        core = {
            "hadoop.security.authentication": "kerberos",
            "hadoop.security.authorization": "true",
            "hadoop.http.filter.initializers": "org.apache.hadoop.security.AuthenticationFilterInitializer",
            "hadoop.http.authentication.type": "kerberos",
            "hadoop.http.authentication.kerberos.principal": http,
            "hadoop.http.authentication.kerberos.keytab": http_key,
            "hadoop.http.authentication.signature.secret.file": self._secret(),
        }
        hdfs_site = {
            "dfs.block.access.token.enable": "true",
            "dfs.data.transfer.protection": "integrity",
            "ignore.secure.ports.for.testing": "true",
            "dfs.namenode.kerberos.principal": hdfs,
            "dfs.namenode.keytab.file": hdfs_key,
            "dfs.datanode.kerberos.principal": hdfs,
            "dfs.datanode.keytab.file": hdfs_key,
            "dfs.web.authentication.kerberos.principal": http,
            "dfs.web.authentication.kerberos.keytab": http_key,
        }
        yarn_site = {
            f"yarn.{daemon}.{name}": value
            for daemon in ("resourcemanager", "nodemanager")
            for name, value in (("principal", yarn), ("keytab", yarn_key))
        }
        return {"core-site": core, "hdfs-site": hdfs_site, "yarn-site": yarn_site}

    def _secret(self) -> Path:
        """With which the web servers sign their cookies."""
        file = self.kdc.folder / "cookies"
        file.write_text(secrets.token_hex(32))
        return file

    def ask(self, url: str) -> Any:
        return json.loads(self.fetch(url))

    def fetch(self, url: str) -> bytes:
        """By curl, as the superuser: Python's own library speaks no SPNEGO. OSError if it fails."""
        command = ["curl", "--silent", "--fail", "--location", "--negotiate", "--user", ":", "--noproxy", "*", url]
        environ = {**self.home.environ(), "KRB5_CONFIG": str(self.kdc.conf)}
        done = subprocess.run([*command, "--max-time", "5"], env=environ, stdout=subprocess.PIPE)
        if done.returncode != 0:
            raise OSError(f"{url}: curl ended with {done.returncode}")
        return done.stdout

    def stop(self) -> None:
        super().stop()
        self.kdc.stop()
