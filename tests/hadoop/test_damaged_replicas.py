"""Bytes that rot on a DataNode's disk: one replica costs nobody anything, all of them are told as what they are."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdfo.client import Archive as Client
from sdfo.errors import NotFound
from sdfo.model import Tier
from sdfo.stores.hdfs import HdfsStore
from sdfo.testing.archive import Archive, images_off_the_san, new_archive
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop

IMAGES = 6


class Rot:
    """An archived exam that lies on HDFS alone, and the replicas of its one part."""

    def __init__(self, archive: Archive, hadoop: Cluster, images: dict[str, str]) -> None:
        self.archive, self.images = archive, images
        (self.part,) = archive.parts()
        store = archive.place().store
        assert isinstance(store, HdfsStore)
        self.replicas = hadoop.replicas(store.at(self.part))
        client = Client(archive.settings())
        (self.place,) = [each for each in client.locate(next(iter(images))) if each.tier is Tier.HDFS]
        self.study = self.place.study

    def flip(self, replica: Path) -> None:
        """In the middle of the first image's bytes. Again, and it is as it was."""
        assert self.place.extent is not None
        data, at = bytearray(replica.read_bytes()), self.place.extent.offset + self.place.extent.length // 2
        data[at] ^= 0x10
        replica.write_bytes(data)

    def read(self) -> list[str]:
        """The images whose bytes were given; none of them may be wrong."""
        client, given = Client(self.archive.settings()), list[str]()
        for sop, digest in self.images.items():
            try:
                data = client.open(sop)
            except NotFound:
                continue
            assert hashlib.sha256(data).hexdigest() == digest
            given.append(sop)
        return given


@pytest.fixture(scope="module")
def rot(hadoop: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rot]:
    """Each test leaves it as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", str(hadoop.conf))
        patch.setenv("SDFO__HDFS__ROOT", f"{hadoop.url}/rot/{secrets.token_hex(6)}")
        archive = new_archive(tmp_path_factory.mktemp("rot"))
        images = images_off_the_san(archive, 1, IMAGES)
        patch.setenv("SDFO__HDFS__DEADLINE_SECONDS", "2")  # for what reads from here on
        yield Rot(archive, hadoop, images)


def test_one_replica_is_damaged(rot: Rot) -> None:
    """Whichever it is: HDFS's own checksums notice, the other replica is read, and `check --deep` finds the part whole."""
    assert len(rot.replicas) == 2
    for replica in rot.replicas:
        rot.flip(replica)
        for _ in range(5):  # a client chooses the replica by chance
            assert rot.read() == list(rot.images)
        assert rot.archive.sdfo("check", rot.part, "--deep").returncode == 0
        rot.flip(replica)


def test_both_replicas_are_damaged(rot: Rot, tmp_path: Path) -> None:
    """Never wrong bytes: `get` and `check --deep` end with 1 and name the part; the images beside it are given."""
    for replica in rot.replicas:
        rot.flip(replica)
    assert rot.read() == list(rot.images)[1:]
    got = rot.archive.sdfo("get", rot.study, "--to", str(tmp_path / "got"))
    assert got.returncode == 1
    assert rot.part in got.stderr
    assert "all replicas are damaged" in got.stderr
    deep = rot.archive.sdfo("check", rot.part, "--deep")
    assert deep.returncode == 1
    assert json.loads(deep.stdout)["path"] == rot.part
    assert json.loads(deep.stdout)["next"].startswith("hdfs fsck")
    for replica in rot.replicas:
        rot.flip(replica)
    assert rot.read() == list(rot.images)
