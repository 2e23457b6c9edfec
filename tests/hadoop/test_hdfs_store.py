"""The store on HDFS keeps the contract, and what HDFS promises besides."""

from __future__ import annotations

import secrets

import pytest

from sdfo.conf import MIB, Hdfs
from sdfo.errors import BadPath, SettingsError, StoreError, Unavailable
from sdfo.stores import Store, open_store
from sdfo.stores.hdfs import HdfsStore
from sdfo.stores.hdfs.sink import HdfsSink
from sdfo.testing.contracts.store import StoreContract
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop


class TestHdfsStore(StoreContract):
    @pytest.fixture
    def store(self, store: HdfsStore, hadoop: Cluster) -> HdfsStore:
        self.cluster = hadoop
        return store

    def raw_bytes(self, store: Store, path: str) -> bytes:
        """By WebHDFS, which the store itself uses only in need."""
        assert isinstance(store, HdfsStore)
        return self.cluster.raw(store.at(path))


# ---- what HDFS promises besides


def _mode(store: HdfsStore, path: str) -> int:
    return store.client.get_file_info(store.at(path)).permission


def test_who_may_read(store: HdfsStore, hadoop: Cluster) -> None:
    """Nothing is for everybody, not even the store's own folder; private files and protected folders are for their owner."""
    store = HdfsStore(f"{hadoop.url}/top-{secrets.token_hex(6)}/sdfo")
    store.put("a/b/private", b"")
    store.create("a/b/file").close()
    store.protect("runs/1")
    store.put("runs/1/below/file", b"")
    names = ("a", "a/b", "a/b/private", "a/b/file", "runs", "runs/1")
    assert [_mode(store, name) for name in names] == [0o750, 0o750, 0o600, 0o640, 0o750, 0o700]
    top = store.at("a").removesuffix("/a")
    assert [store.client.get_file_info(at).permission for at in (top, top.removesuffix("/sdfo"))] == [0o750, 0o750]


def test_another_user(store: HdfsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused, and not told to try again: HADOOP_USER_NAME is who we are."""
    store.put("folder/file", b"data")
    monkeypatch.setenv("HADOOP_USER_NAME", "stranger")
    for ask in (store.read_all, store.stat, store.delete, store.create, lambda path: list(store.list("folder"))):
        with pytest.raises(StoreError) as refused:
            ask("folder/file")
        assert type(refused.value) is StoreError
        assert refused.value.what == "permission denied"


def test_emptied_folders_go(store: HdfsStore) -> None:
    """Each costs the NameNode an object. A protected one stays: made again, it would be open to others."""
    store.protect("runs")
    for folder in ("attempts/1", "runs"):
        store.put(f"{folder}/file", b"")
    store.rename("attempts/1/file", "exams/file")
    store.delete("runs/file")
    top = store.at("x").removesuffix("/x")
    left = [status.path.removeprefix(f"{top}/") for status in store.client.list_status(top, recursive=True)]
    assert sorted(left) == ["attempts", "exams", "exams/file", "runs"]
    assert _mode(store, "runs") == 0o700


def test_block_size(store: HdfsStore) -> None:
    """As it is set; the cluster's own default does not count."""
    store.put("file", b"data")
    assert store.client.get_file_info(store.at("file")).blocksize == 128 * MIB
    small = HdfsStore(store.url, Hdfs(root="", block_mib=1))
    small.put("small", b"x" * (2 * MIB + 1))
    assert small.client.get_file_info(small.at("small")).blocksize == MIB
    assert small.read_all("small") == b"x" * (2 * MIB + 1)


def test_free_counts_replicas(store: HdfsStore, hadoop: Cluster) -> None:
    """Half of what the disks have, at two replicas of each file."""
    total = hadoop.jmx("Hadoop:service=NameNode,name=FSNamesystemState")["CapacityTotal"]
    assert store.free()[1] == total // 2


def test_a_length_that_is_not_what_was_written(store: HdfsStore) -> None:
    """Is noticed when the file is closed: it is garbage."""
    sink = store.create("file")
    assert isinstance(sink, HdfsSink)
    sink.write(b"data")
    assert sink._writer is not None
    sink._writer.write(b"beneath")
    with pytest.raises(Unavailable) as told:
        sink.close()
    assert (told.value.expected, told.value.found) == (4, 11)


def test_a_file_that_is_being_written(store: HdfsStore) -> None:
    """Is not read as if it were whole: what was not synced is not there."""
    with store.create("file") as sink:
        sink.write(b"one")
        sink.sync()
        with pytest.raises(Unavailable):
            store.open("file")
        sink.write(b"two")
    assert store.read_all("file") == b"onetwo"


@pytest.mark.parametrize(("given", "url"), [("{}/a/b/", "{}/a/b"), ("{}", "{}/"), ("{}/", "{}/"), ("{}/a", "{}/a")])
def test_its_url_leads_back(hadoop: Cluster, given: str, url: str) -> None:
    """And to the same folder."""
    store = open_store(given.format(hadoop.url))
    assert isinstance(store, HdfsStore)
    assert store.url == url.format(hadoop.url)
    assert HdfsStore(store.url).at("x") == store.at("x")


def test_the_default_file_system(store: HdfsStore, hadoop: Cluster) -> None:
    """hdfs:///folder is on the cluster that core-site.xml names."""
    store.put("file", b"data")
    short = HdfsStore(store.url.replace(hadoop.url, "hdfs://"))
    assert short.url.startswith("hdfs:///test/")
    assert short.read_all("file") == b"data"
    assert short.free()[1] > 0


def test_urls_that_are_refused() -> None:
    for url in ("hdfs://host/a b", "hdfs://host/a/../b", "hdfs://host/a?x=1", "hdfs://host/a//b"):
        with pytest.raises((BadPath, SettingsError)):
            HdfsStore(url)
