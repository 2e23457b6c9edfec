"""Leases: another run waits, the same run takes over from its own zombie, and a token is given once."""

from __future__ import annotations

import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue

import pytest

from sdfo.catalog import Catalog, Lease
from sdfo.errors import Fenced, LeaseHeld


def test_the_same_run_takes_the_next_token(catalog: Catalog) -> None:
    """A step that begins again fences the one it replaces, at once."""
    first = catalog.take_lease("archive", "run-1", "host:1")
    second = catalog.take_lease("archive", "run-1", "host:2")
    assert second.token == first.token + 1
    catalog.check(second)
    with pytest.raises(Fenced, match="a later step holds the lease archive"):
        catalog.check(first)
    with pytest.raises(Fenced):
        catalog.renew(first)


def test_another_run_is_told_who_holds_it_and_until_when(catalog: Catalog) -> None:
    """Exit code 75: nothing changed, try later."""
    lease = catalog.take_lease("archive", "run-1", "host:1")
    with pytest.raises(LeaseHeld, match=f"held by run run-1 until {lease.expires:%Y-%m-%d %H:%M:%S} UTC") as caught:
        catalog.take_lease("archive", "run-2", "host:2")
    assert caught.value.exit_code == 75
    catalog.check(lease)


def test_names_are_independent(catalog: Catalog) -> None:
    """A backup does not wait for the archive."""
    catalog.check(catalog.take_lease("archive", "run-1", "h"))
    catalog.check(catalog.take_lease("backup", "run-2", "h"))


def test_an_expired_lease_is_good_until_it_is_taken(catalog: Catalog) -> None:
    """Expiry alone fences nobody; the run that takes it does."""
    old = catalog.take_lease("archive", "run-1", "h", ttl=0.05)
    time.sleep(0.1)
    assert catalog.lease_holder("archive") is None
    catalog.check(old)
    new = catalog.take_lease("archive", "run-2", "h")
    assert new.token > old.token
    with pytest.raises(Fenced):
        catalog.check(old)


def test_renewing_moves_the_end(catalog: Catalog) -> None:
    """By the database's clock, from now."""
    lease = catalog.take_lease("archive", "run-1", "h", ttl=5)
    renewed = catalog.renew(lease, ttl=500)
    assert renewed.token == lease.token
    assert timedelta(seconds=490) < renewed.expires - datetime.now(UTC) < timedelta(seconds=510)
    assert catalog.lease_holder("archive") == renewed


def test_a_released_lease_is_anybodys_and_its_token_is_spent(catalog: Catalog) -> None:
    """Who gave it back may do nothing more with it."""
    old = catalog.take_lease("archive", "run-1", "h")
    catalog.release(old)
    assert catalog.lease_holder("archive") is None
    with pytest.raises(Fenced):
        catalog.check(old)
    assert catalog.take_lease("archive", "run-2", "h").token == old.token + 1


def test_a_zombie_gives_nothing_back(catalog: Catalog) -> None:
    """An old token leaves its successor's lease alone."""
    old = catalog.take_lease("archive", "run-1", "h")
    new = catalog.take_lease("archive", "run-1", "h")
    catalog.release(old)
    catalog.check(new)


def test_tokens_are_not_repeated_by_a_new_catalog(catalog: Catalog) -> None:
    """A catalog built again from files begins above every token the old one can have given."""
    assert catalog.take_lease("archive", "run-1", "h").token > time.time() - 60


def _contend(url: str, run: str, results: Queue[tuple[str, list[int]]]) -> None:
    """Take and release as often as it can be had."""
    catalog = Catalog(url)
    tokens, until = [], time.monotonic() + 1.5
    while time.monotonic() < until:
        try:
            lease: Lease = catalog.take_lease("archive", run, run, ttl=60)
        except LeaseHeld:
            time.sleep(0.002)
            continue
        catalog.check(lease)  # nobody else may have it while we do
        tokens.append(lease.token)
        catalog.release(lease)
    results.put((run, tokens))


def test_processes_contend_and_no_token_is_given_twice(url: str) -> None:
    """Two processes take and give back for a while: each token one owner, all in ascending order, both have had some."""
    fork = multiprocessing.get_context("fork")
    results: Queue[tuple[str, list[int]]] = fork.Queue()
    processes = [fork.Process(target=_contend, args=(url, run, results)) for run in ("a", "b")]
    for process in processes:
        process.start()
    taken = dict(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    everything = taken["a"] + taken["b"]
    assert min(len(taken["a"]), len(taken["b"])) > 0
    assert len(set(everything)) == len(everything)
    assert all(tokens == sorted(tokens) for tokens in taken.values())
