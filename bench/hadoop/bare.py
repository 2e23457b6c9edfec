"""The references on HDFS: the same client, used in the shortest way."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hashlib import sha256

from hdfs_native import WriteOptions

from sdfo.conf import MIB
from sdfo.stores import CHUNK
from sdfo.stores.hdfs import HdfsStore


def pieces(data: bytes) -> list[bytes]:
    """Of the size in which the store writes."""
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


def fresh() -> str:
    """A new file's path, in a folder that is emptied before each turn."""
    return f"bare/{secrets.token_hex(6)}"


def write_and_hash(store: HdfsStore, path: str, data: Iterable[bytes], block_mib: int = 128) -> None:
    """A new file, closed: the NameNode knows its length."""
    options = WriteOptions(block_size=block_mib * MIB, overwrite=False, create_parent=True)
    digest, writer = sha256(), store.client.inner.create(store.at(path), options)
    for piece in data:
        digest.update(piece)
        writer.write(piece)
    writer.close()
    digest.hexdigest()


def stream_and_hash(store: HdfsStore, path: str) -> str:
    digest, reader = sha256(), store.client.read(store.at(path))
    for packet in reader.read_range_stream(0, len(reader)):
        digest.update(packet)
    return digest.hexdigest()
