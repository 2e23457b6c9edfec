"""Where the NameNodes' web servers are, from Hadoop's own settings."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from sdfo.errors import SettingsError
from sdfo.stores.hdfs.site import Site, site, user

_HA = {
    "fs.defaultFS": "hdfs://clinic",
    "dfs.nameservices": "clinic",
    "dfs.ha.namenodes.clinic": "nn1, nn2",
    "dfs.namenode.rpc-address.clinic.nn1": "one.example:8020",
    "dfs.namenode.rpc-address.clinic.nn2": "two.example:8020",
    "dfs.namenode.http-address.clinic.nn1": "one.example:50070",
    "dfs.namenode.https-address.clinic.nn1": "one.example:50470",
}


@pytest.mark.parametrize(
    ("values", "url", "web"),
    [
        ({}, "hdfs://nn.example:8020/sdfo", ["http://nn.example:9870"]),
        ({"dfs.namenode.http-address": "nn.example:50070"}, "hdfs://nn.example:8020/x", ["http://nn.example:50070"]),
        ({"dfs.namenode.http-address": "0.0.0.0:50070"}, "hdfs://nn.example:8020/x", ["http://nn.example:50070"]),
        ({"dfs.http.policy": "HTTPS_ONLY"}, "hdfs://nn.example:8020/x", ["https://nn.example:9871"]),
        ({"fs.defaultFS": "hdfs://nn.example:8020"}, "hdfs:///x", ["http://nn.example:9870"]),
        (_HA, "hdfs://clinic/x", ["http://one.example:50070", "http://two.example:9870"]),
        (_HA, "hdfs:///x", ["http://one.example:50070", "http://two.example:9870"]),
        (
            _HA | {"dfs.http.policy": "HTTPS_ONLY"},
            "hdfs://clinic/x",
            ["https://one.example:50470", "https://two.example:9871"],
        ),
    ],
)
def test_where_the_web_servers_are(values: dict[str, str], url: str, web: list[str]) -> None:
    """One NameNode or two, http or https, with the ports that are set or those of hdfs-default.xml."""
    assert Site(values).web(url) == web


def test_read_from_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """hdfs-site.xml over core-site.xml; Kerberos and replication are found."""
    head, tail = '<?xml version="1.0"?>\n<configuration>', "</configuration>\n"
    one = "<property><name>hadoop.security.authentication</name><value>kerberos</value><final>true</final></property>"
    two = "<property>\n<name>dfs.replication</name>\n<value>2</value></property>"
    (tmp_path / "core-site.xml").write_text(head + one + two + tail)
    (tmp_path / "hdfs-site.xml").write_text(head + two.replace("2", "5") + tail)
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    assert (site().kerberos, site().replication) == (True, 5)


def test_without_hadoops_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hdfs-default.xml says."""
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    assert (site().kerberos, site().replication) == (False, 3)


def test_a_broken_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "core-site.xml").write_text("<configuration>")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    with pytest.raises(SettingsError) as refused:
        site()
    assert refused.value.path == str(tmp_path / "core-site.xml")


def test_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """HADOOP_USER_NAME, else the process's user, whatever USER says: as hdfs-native has it."""
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.delenv("HADOOP_USER_NAME", raising=False)
    assert user() == pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setenv("HADOOP_USER_NAME", "archive")
    assert user() == "archive"
