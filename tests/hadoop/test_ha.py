"""Two NameNodes and a name service: the store follows whichever serves, and a night outlives the one it began with."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdfo.catalog import Query
from sdfo.conf import Hdfs
from sdfo.errors import Unavailable
from sdfo.nightly.care.gc import gc
from sdfo.nightly.summary import NightReport
from sdfo.stores import Store
from sdfo.stores.hdfs import HdfsStore, clients
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.contracts.store_reads import ReadContract
from sdfo.testing.contracts.store_writes import WriteContract
from sdfo.testing.exams import make_exam
from sdfo.testing.hadoop.cluster import kept
from sdfo.testing.hadoop.ha import HaCluster

pytestmark = pytest.mark.hadoop

DEADLINE = 8.0


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HaCluster]:
    """Instead of the other tests' cluster."""
    with kept(lambda: HaCluster(tmp_path_factory.mktemp("ha"))) as found:
        yield found


@pytest.fixture
def standby_first(hadoop: HaCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[HaCluster]:
    """The NameNode that the settings name first is on standby. Mended afterwards; nobody knows from an earlier test who serves."""
    monkeypatch.setattr(clients, "_here", clients._Process(0.0, {}))
    if hadoop.active == 0:
        hadoop.fail_over()
    yield hadoop
    hadoop.mend()


@pytest.fixture
def active_first(standby_first: HaCluster) -> HaCluster:
    standby_first.fail_over()
    return standby_first


@pytest.mark.long
class TestNameService(WriteContract, ReadContract):
    """The contract's basics by hdfs://archive, the NameNode on standby listed first."""

    @pytest.fixture
    def store(self, store: HdfsStore, standby_first: HaCluster) -> HdfsStore:
        self.cluster = standby_first
        return store

    def raw_bytes(self, store: Store, path: str) -> bytes:
        assert isinstance(store, HdfsStore)
        return self.cluster.raw(store.at(path))


# ---- the store


Harm = Callable[[HaCluster], None]


def _killed(hadoop: HaCluster) -> None:
    hadoop.namenode.kill()


def _hangs(hadoop: HaCluster) -> None:
    """As a machine that lost its power: no connection is closed, none refused."""
    hadoop.namenode.hang()


@pytest.mark.parametrize("harm", [_killed, pytest.param(_hangs, marks=pytest.mark.long)])
def test_a_store_goes_on_with_the_other(active_first: HaCluster, store: HdfsStore, harm: Harm) -> None:
    """One that was at work with the first. Until somebody makes the other serve, a call says by the deadline that nobody does."""
    store = HdfsStore(store.url, Hdfs(root="", deadline_seconds=DEADLINE, write_retry_seconds=0))
    store.put("a", b"data")
    harm(active_first)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        store.stat("a")
    assert time.monotonic() - began < DEADLINE + 1
    active_first.fail_over()
    began = time.monotonic()
    store.put("b", b"more")
    assert (store.read_all("a"), store.read_all("b")) == (b"data", b"more")
    assert time.monotonic() - began < DEADLINE
    assert store.free()[1] > 0
    assert "answers" not in (store.at_risk() or "")  # the other one is asked, which counts
    assert [stat.path for stat in store.list()] == ["a", "b"]


# ---- a night


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Exams on a SAN, and what local disk holds of them."""
    made = new_archive(tmp_path_factory.mktemp("local"))
    for seed in range(6):
        make_exam(made.san / f"exam{seed}", slices=20, modality="CT", seed=seed, size=512)
    assert made.night().good
    return made.san, made.parts()


@pytest.fixture
def archive(local, hadoop: HaCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setenv("SDFO__HDFS__ROOT", f"{hadoop.url}/night/{secrets.token_hex(6)}")
    monkeypatch.setenv("SDFO__SAN__ROOT", str(local[0]))
    return new_archive(tmp_path)


def _harmed_night(archive: Archive, hadoop: HaCluster, harm: Harm, folder: str) -> NightReport:
    """In which the other NameNode takes over once there is something in `folder`."""
    over, store, harmed = threading.Event(), archive.place().store, list[bool]()

    def fail_over() -> None:
        while not list(store.list(folder)):
            if over.wait(0.01):
                return
        harm(hadoop)
        harmed.append(not over.is_set())
        hadoop.fail_over()

    other = threading.Thread(target=fail_over)
    other.start()
    try:
        night = archive.night("r1")
    finally:
        over.set()
        other.join()
    assert harmed == [True]
    return night


def test_the_active_namenode_is_killed_in_the_night(archive: Archive, local, active_first: HaCluster) -> None:
    """kill -9 while attempts are written: the night ends well all the same, and nothing is wrong or left over.

    Images come back while the first is still dead.
    """
    night = _harmed_night(archive, active_first, _killed, "attempts")
    assert (night.good, night.ledger.lines["archived tonight"]) == (True, 120)
    assert archive.parts() == local[1]
    row = next(iter(archive.place().catalog.find(Query())))
    got = archive.sdfo("get", row.study, "--to", str(archive.folder / "got"))
    assert got.returncode == 0, got.stderr
    came = {_digest(file) for file in (archive.folder / "got").rglob("*.dcm")}
    assert (len(came), came <= {_digest(file) for file in local[0].glob("*/*.dcm")}) == (20, True)
    assert not active_first.daemons["namenode-0"].alive
    gc(archive.place(), keep_seconds=-60)
    assert not list(archive.place().store.list("attempts"))


@pytest.mark.long
@pytest.mark.parametrize(("harm", "folder"), [(_killed, "exams"), (_hangs, "attempts"), (_hangs, "exams")])
def test_no_night_leaves_anything_wrong(
    archive: Archive, local, active_first: HaCluster, monkeypatch: pytest.MonkeyPatch, harm: Harm, folder: str
) -> None:
    """A rename whose answer is lost fails its step, a call that waits for a NameNode that hangs may: the next run does the rest."""
    monkeypatch.setenv("SDFO__HDFS__DEADLINE_SECONDS", str(DEADLINE))
    night = _harmed_night(archive, active_first, harm, folder)
    states = {step: state["state"] for step, state in night.steps.items()}
    assert night.good or "failed" in states.values(), states
    assert archive.parts().items() <= local[1].items()
    again = archive.night("r2")
    assert (again.good, sum(again.ledger.lines[word] for word in ("archived tonight", "already archived"))) == (
        True,
        120,
    )
    assert archive.parts() == local[1]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
