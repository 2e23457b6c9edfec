"""Which of two NameNodes is asked first, after one did not answer. Nothing is contacted here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdfo.stores.hdfs import clients

_SITE = """<configuration>
<property><name>dfs.ha.namenodes.clinic</name><value>nn1, nn2</value></property>
<property><name>dfs.namenode.rpc-address.clinic.nn1</name><value>127.0.0.1:1</value></property>
<property><name>dfs.namenode.rpc-address.clinic.nn2</name><value>127.0.0.1:2</value></property>
</configuration>"""


@pytest.fixture(autouse=True)
def conf_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service with two NameNodes; this process has asked none yet."""
    (tmp_path / "hdfs-site.xml").write_text(_SITE)
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    monkeypatch.setattr(clients, "_here", clients._Process(0.0, {}))


def test_the_next_one_is_asked_and_then_the_first_again() -> None:
    """By another client each; calls that waited for the same one together count once."""
    url = "hdfs://clinic"
    first = clients.client(url, 5)
    for seen, after in ((0, 1), (0, 1), (1, 0)):
        clients.next_turn(url, seen)
        assert clients.turn(url) == after
    clients.next_turn(url, 0)
    assert clients.client(url, 5) is not first
    clients.next_turn(url, 1)
    assert clients.client(url, 5) is first


def test_a_single_namenode_has_every_turn() -> None:
    url = "hdfs://127.0.0.1:8020"
    clients.next_turn(url, 0)
    assert clients.turn(url) == 0


def test_the_order_of_the_settings_is_turned() -> None:
    """Without the spaces that Hadoop allows in a list, and the client does not."""
    options = clients._options(clients.Key("hdfs://clinic", 5.0, None, None, 1))
    assert options["dfs.ha.namenodes.clinic"] == "nn2,nn1"
