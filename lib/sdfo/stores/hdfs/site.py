"""Of Hadoop's own settings those that hdfs-native does not need and this store does: where the NameNodes' web servers are.

Read from core-site.xml and hdfs-site.xml in HADOOP_CONF_DIR at each use, for it is rare.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from sdfo.errors import SettingsError

_WEB = {"http": ("dfs.namenode.http-address", 9870), "https": ("dfs.namenode.https-address", 9871)}
"""Scheme → setting and default port (hdfs-default.xml)."""
HA_NAMENODES = "dfs.ha.namenodes"
_ANY = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Site:
    """The settings by name."""

    values: dict[str, str]

    @property
    def kerberos(self) -> bool:
        return self.values.get("hadoop.security.authentication", "simple") != "simple"

    @property
    def replication(self) -> int:
        return int(self.values.get("dfs.replication", "3"))

    def name_service(self, url: str) -> str:
        """Host, with its port if it has one, or name service; that of fs.defaultFS for `hdfs:///…`."""
        return urlsplit(url).netloc or urlsplit(self.values.get("fs.defaultFS", "")).netloc

    def namenodes(self, url: str) -> list[str]:
        """Of a name service the names of its NameNodes, as they are listed; nothing where `url` names a host."""
        nodes = self.values.get(f"{HA_NAMENODES}.{self.name_service(url)}", "")
        return [name.strip() for name in nodes.split(",") if name.strip()]

    def web(self, url: str) -> list[str]:
        """The web addresses of the NameNodes that serve `url`, as they are listed."""
        scheme = "https" if self.values.get("dfs.http.policy") == "HTTPS_ONLY" else "http"
        key, port = _WEB[scheme]
        service = self.name_service(url)
        nodes = self.namenodes(url)
        if not nodes:
            return [f"{scheme}://{_address(self.values.get(key, ''), service.partition(':')[0], port)}"]
        return [
            f"{scheme}://{_address(self.values.get(name, ''), _host(self.values.get(rpc, '')), port)}"
            for node in nodes
            for name, rpc in [(f"{key}.{service}.{node}", f"dfs.namenode.rpc-address.{service}.{node}")]
        ]


def _address(given: str, host: str, port: int) -> str:
    """An address as it is set; one that names every interface, or nothing, is meant to be on the NameNode's `host`."""
    found, _, own = given.rpartition(":")
    return f"{host if found in _ANY else found}:{own or port}"


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def site() -> Site:
    """`SettingsError` if a file cannot be read; nothing set where HADOOP_CONF_DIR is not."""
    folder, values = os.environ.get("HADOOP_CONF_DIR"), dict[str, str]()
    for name in ("core-site.xml", "hdfs-site.xml") if folder else ():
        file = Path(str(folder), name)
        if file.exists():
            try:
                tree = ElementTree.parse(file)
            except (OSError, ElementTree.ParseError) as error:
                raise SettingsError("Hadoop's settings cannot be read", path=str(file)) from error
            values |= {p.findtext("name", ""): p.findtext("value", "") for p in tree.iter("property")}
    return Site(values)


def user() -> str:
    """By whom the cluster takes us for without Kerberos: as hdfs-native decides it."""
    return os.environ.get("HADOOP_USER_NAME") or pwd.getpwuid(os.geteuid()).pw_name
