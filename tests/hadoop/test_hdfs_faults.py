"""DataNodes that die or hang, a NameNode that is away or takes no change: what a caller of the store notices of it."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sdfo.conf import Hdfs
from sdfo.errors import Missing, Postponed, Unavailable
from sdfo.model import Extent
from sdfo.stores import anew
from sdfo.stores.hdfs import HdfsStore, clients
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop

DEADLINE = 8.0
DATA = random.Random(4).randbytes(24 * 1024 * 1024)
SLICE = 100_000


@pytest.fixture
def store(store: HdfsStore) -> HdfsStore:
    """With a shorter deadline, and blocks of 8 MiB: three for `DATA`."""
    return HdfsStore(store.url, Hdfs(root=store.url, deadline_seconds=DEADLINE, block_mib=8, write_retry_seconds=60))


def _write(store: HdfsStore, path: str, data: bytes = DATA) -> None:
    with store.create(path) as sink:
        for at in range(0, len(data), 1_000_000):
            sink.write(data[at : at + 1_000_000])


def _slices(store: HdfsStore, path: str, count: int) -> tuple[int, float]:
    """So many slices read at random places: how many were wrong, and the longest time that one took."""
    dice, wrong, longest = random.Random(count), 0, 0.0
    with store.open(path) as file:
        for _ in range(count):
            offset, began = dice.randrange(len(DATA) - SLICE), time.monotonic()
            wrong += file.read(offset, SLICE) != DATA[offset : offset + SLICE]
            longest = max(longest, time.monotonic() - began)
    return wrong, longest


# ---- a node dies


def test_a_node_that_dies_while_a_file_is_read(harmed: Cluster, store: HdfsStore) -> None:
    """The stream goes on with the same bytes; 300 slices by three readers: none fails, none is wrong."""
    _write(store, "file")
    pieces = list[bytes]()
    with store.open("file") as file:
        for piece in file.stream():
            if not pieces:
                harmed.datanodes[harmed.holders(store.at("file"))[0]].kill()
            pieces.append(piece)
    assert b"".join(pieces) == DATA
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: _slices(store, "file", 100), range(3)))
    assert [wrong for wrong, _ in results] == [0, 0, 0]
    assert max(longest for _, longest in results) < DEADLINE


@pytest.mark.long
def test_a_node_that_dies_while_files_are_written(harmed: Cluster, store: HdfsStore) -> None:
    """An attempt under way and the next ones, before the NameNode has noticed: each is whole or fails, and is written anew."""
    begun = list[str]()

    def write() -> str:
        begun.append(f"attempt{len(begun)}")
        with store.create(begun[-1]) as sink:
            sink.write(DATA[:5_000_000])
            sink.sync()
            if len(begun) == 1:
                harmed.datanodes[harmed.holders(store.at(begun[-1]))[0]].kill()
            sink.write(DATA[5_000_000:])
        return begun[-1]

    kept = [anew(store.write_retry_seconds, write) for _ in range(3)]
    assert [store.read_all(path) == DATA for path in kept] == [True] * 3
    for path in set(begun) - set(kept):
        store.delete(path)
    assert sorted(stat.path for stat in store.list()) == sorted(kept)


@pytest.mark.long
def test_put_comes_through(harmed: Cluster, store: HdfsStore) -> None:
    """The small files of a run are written anew by themselves."""
    harmed.datanodes[0].kill()
    for number in range(5):
        store.put(f"runs/{number}", b"data")
    assert [(stat.path, stat.size) for stat in store.list("runs")] == [(f"runs/{n}", 4) for n in range(5)]


# ---- a node hangs


def test_a_node_that_hangs_costs_a_read_at_most_the_deadline(harmed: Cluster, store: HdfsStore) -> None:
    """Whichever of a block's nodes it is, and it is waited for once, not at each read."""
    _write(store, "file", DATA)
    for node in harmed.holders(store.at("file")):
        harmed.datanodes[node].hang()
        try:
            began = time.monotonic()
            wrong, longest = _slices(store, "file", 25)
            assert (wrong, longest < DEADLINE) == (0, True)
            assert time.monotonic() - began < 25 * DEADLINE / 10
            assert store.read_all("file") == DATA
        finally:
            harmed.datanodes[node].resume()


@pytest.mark.parametrize("harm", ["kill", "hang"])
def test_a_node_that_goes_while_an_exam_is_read(harmed: Cluster, store: HdfsStore, harm: str) -> None:
    """Neighbouring extents out of one stream: every one comes, and is right; what follows too."""
    _write(store, "file", DATA)
    extents = [Extent(at, 300_000) for at in range(0, len(DATA) - 300_000, 300_100)]
    with store.open("file") as source:
        began, found = time.monotonic(), list[bytes]()
        for data in source.each(extents):
            if len(found) == 3:
                getattr(harmed.datanodes[harmed.holders(store.at("file"))[0]], harm)()
            found.append(data)
        assert found == [DATA[extent.offset : extent.end] for extent in extents]
        assert time.monotonic() - began < 2 * DEADLINE
        assert list(source.each(extents[:2])) == found[:2]


def test_all_nodes_of_a_file_hang(harmed: Cluster, store: HdfsStore) -> None:
    """There is no way to the bytes: the read says so by the deadline."""
    _write(store, "file", DATA[:1_000_000])
    file = HdfsStore(store.url, Hdfs(root="", deadline_seconds=3)).open("file")
    for node in harmed.datanodes:
        node.hang()
    began = time.monotonic()
    with pytest.raises(Unavailable) as told:
        file.read(0, 1000)
    assert time.monotonic() - began < 4
    assert told.value.path == "file"


def test_a_file_is_written_while_all_nodes_hang(harmed: Cluster, store: HdfsStore) -> None:
    """The attempt is given up by the deadline, and is garbage."""
    for node in harmed.datanodes:
        node.hang()
    sink = HdfsStore(store.url, Hdfs(root="", deadline_seconds=3)).create("file")
    began = time.monotonic()
    sink.write(DATA[:1_000_000])
    with pytest.raises(Unavailable):
        sink.close()
    assert time.monotonic() - began < 7
    with pytest.raises(Unavailable):
        sink.close()


@pytest.mark.long
def test_files_are_written_while_a_node_hangs(harmed: Cluster, store: HdfsStore) -> None:
    """Each is whole or fails by the deadline, and is written anew."""
    harmed.datanodes[0].hang()
    for number in range(4):
        store.put(f"file{number}", DATA[number * 1000 : number * 1000 + 1000])
    harmed.datanodes[0].resume()
    for number in range(4):
        assert store.read_all(f"file{number}") == DATA[number * 1000 : number * 1000 + 1000]
    assert len(list(store.list())) == 4


def test_another_file_at_the_name_is_not_read_instead(hadoop: Cluster, store: HdfsStore) -> None:
    """Once an open file's blocks are gone, its name is looked up again: what lies there now is another file."""
    _write(store, "file", DATA[:1_000_000])
    with store.open("file") as file:
        blocks = hadoop.replicas(store.at("file"))
        store.delete("file")
        _write(store, "file", DATA[1_000_000:2_000_000])
        for block in blocks:
            block.unlink(missing_ok=True)
        with pytest.raises((Unavailable, Missing)):
            file.read(0, 1000)
    assert store.read_all("file") == DATA[1_000_000:2_000_000]


# ---- a damaged replica


def test_a_damaged_replica(hadoop: Cluster, store: HdfsStore) -> None:
    """HDFS's own checksums notice it, and the other replica is read."""
    _write(store, "file", DATA[:3_000_000])
    blocks = hadoop.replicas(store.at("file"))
    assert len(blocks) == 2
    damaged = bytearray(blocks[0].read_bytes())
    damaged[1_000_000:1_000_512] = bytes(512)
    blocks[0].write_bytes(damaged)
    for _ in range(4):
        assert store.read_all("file") == DATA[:3_000_000]


# ---- the NameNode


def test_safe_mode(harmed: Cluster, store: HdfsStore) -> None:
    """Every change is postponed with its cause; what is there can be read."""
    store.put("file", b"data")
    harmed.safe_mode(True)
    for change in (
        lambda: store.create("new"),
        lambda: store.create("new/folder/file"),
        lambda: store.put("new", b""),
        lambda: store.rename("file", "new"),
        lambda: store.rename("file", "folder/new"),
        lambda: store.delete("file"),
        lambda: store.protect("runs"),
    ):
        with pytest.raises(Postponed) as told:
            change()
        assert told.value.exit_code == 75
        assert "safe mode" in str(told.value)
    assert store.read_all("file") == b"data"
    assert [stat.path for stat in store.list()] == ["file"]


def test_a_namenode_that_is_gone_and_comes_back(harmed: Cluster, store: HdfsStore) -> None:
    """Meanwhile each call says so by the deadline; afterwards the same store goes on, and everything is there."""
    _write(store, "a/file")
    file = store.open("a/file")
    harmed.namenode.kill()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        HdfsStore(store.url, Hdfs(root="", deadline_seconds=3)).create("b")
    assert time.monotonic() - began < 4
    assert file.read(100, 1000) == DATA[100:1100]  # the nodes have the blocks, and the source knows which
    harmed.mend()
    assert store.read_all("a/file") == DATA
    store.put("b", b"data")
    assert [stat.path for stat in store.list()] == ["a/file", "b"]


def test_a_namenode_that_hangs(harmed: Cluster, store: HdfsStore) -> None:
    """Costs a call the deadline, and the next ones find it again."""
    store.put("file", b"data")
    hasty = HdfsStore(store.url, Hdfs(root=store.url, deadline_seconds=3))
    harmed.namenode.hang()
    for ask in (hasty.stat, hasty.open):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            ask("file")
        assert time.monotonic() - began < 4
    harmed.namenode.resume()
    assert store.read_all("file") == hasty.read_all("file") == b"data"


# ---- forks


def test_parent_and_child_read_at_once(store: HdfsStore) -> None:
    """After a fork neither gets the other's bytes: the child inherits connections, and must let them expire."""
    _write(store, "parent", DATA[:4_000_000])
    _write(store, "child", DATA[4_000_000:8_000_000])
    assert _same(store, "parent", DATA[:4_000_000])  # which leaves connections that are kept for a while
    began, child = time.monotonic(), os.fork()
    if child == 0:
        right = _same(store, "child", DATA[4_000_000:8_000_000])
        os._exit(0 if right and time.monotonic() - began > 3 else 1)  # they expire after three seconds
    try:
        assert _same(store, "parent", DATA[:4_000_000])
    finally:
        assert os.waitpid(child, 0)[1] == 0


def _same(store: HdfsStore, path: str, data: bytes) -> bool:
    """Read by four threads at once, a little at a time."""

    def same(start: int) -> bool:
        return all(file.read(at, 900) == data[at : at + 900] for at in range(start, len(data) - 900, 20_000))

    with store.open(path) as file, ThreadPoolExecutor(4) as pool:
        return all(pool.map(same, range(0, 4000, 1000)))


def test_a_file_being_written_does_not_cross_a_fork(store: HdfsStore) -> None:
    """The child is told so instead of waiting for ever; the parent finishes its file."""
    with store.create("file") as sink:
        sink.write(b"one")
        child = os.fork()
        if child == 0:
            try:
                sink.write(b"child")
            except Exception:  # noqa: BLE001 whatever it is, the child must end here
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        sink.write(b"two")
    assert store.read_all("file") == b"onetwo"


# ---- the client


def test_a_panic_of_the_client_is_an_error_like_any(store: HdfsStore) -> None:
    """It is no Exception in Python. This one comes from a read that the store itself refuses before it is made."""
    store.put("file", b"data")
    with pytest.raises(Unavailable) as told:
        store.call("file", lambda: store.client.read(store.at("file")).read_range(3, 2))
    assert "past end" in str(told.value)
    assert type(told.value.__cause__).__name__ == "PanicException"
    assert store.read_all("file") == b"data"


def test_one_client_for_all_stores_of_a_process(store: HdfsStore) -> None:
    """Clients cost threads: a store of the same cluster shares it, one with another deadline does not."""
    other = HdfsStore(f"{store.url}/below", Hdfs(root="", deadline_seconds=DEADLINE))
    assert other.client is store.client
    assert HdfsStore(store.url).client is not store.client
    assert store.client is clients.client(store.url.rpartition("/test/")[0], DEADLINE)
