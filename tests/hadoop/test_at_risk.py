"""Whether HDFS has as many replicas as it should is the NameNode's to say, and a line of the delete gate."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sdfo.stores.hdfs import HdfsStore

pytestmark = [pytest.mark.hadoop, pytest.mark.long]


def _soon(asked: Callable[[], str | None], expected: str | None) -> bool:
    """Within half a minute: what other tests did to the nodes is over by then."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = asked()
        if found is None if expected is None else expected in (found or ""):
            return True
        time.sleep(0.3)
    return False


def test_a_block_with_too_few_replicas_is_told(store: HdfsStore) -> None:
    """One that wants four, on three nodes; without it all is well."""
    store.put("a", b"data")
    assert _soon(store.at_risk, None)
    store.client.set_replication(store.at("a"), 4)
    assert _soon(store.at_risk, "1 blocks with too few replicas")
    store.delete("a")
    assert _soon(store.at_risk, None)
