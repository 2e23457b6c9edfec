"""A night over one SAN tree that holds every odd input at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from hashlib import sha256

import pytest

from sdfo.model import Fate, Kind
from sdfo.nightly import ledger
from sdfo.nightly.convert import outcomes
from sdfo.sdicom import Part, unescape_name
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import make_exam
from sdfo.testing.odd import OddTree, odd_tree, unreadable
from sdfo.testing.unprivileged import unprivileged


def _tree(archive, **sizes: int) -> OddTree:
    """The odd tree as this archive's SAN."""
    shutil.rmtree(archive.san)
    tree = odd_tree(archive.san, **sizes)
    (archive.san / ".sdfo-san").write_text(archive.place().san_id + "\n")
    return tree


def _archived(store: LocalStore) -> dict[tuple[bytes, bytes], tuple[str, Kind, str]]:
    """Study, kind and digest of every archived file, by folder and name, from the S-DICOM files alone."""
    found = {}
    for stat in store.list("exams"):
        if stat.path.endswith(".sdicom"):
            with Part.open(store, stat.path) as part:
                part.check(deep=True)
                for row in (*part.records, *part.aparts):
                    found[part.folder, unescape_name(row.name)] = (part.study, row.kind, row.sha256)
    return found


def _check(archive, tree: OddTree, run: str) -> None:
    store = LocalStore(archive.folder / "hdfs")
    found, wrong = _archived(store), []
    place = archive.place(run)
    judged = {(o.folder, f.stamp.name): f for o in outcomes(place) for f in o.files}
    for file in tree.files:
        key = (file.folder, file.name)
        if file.fate is Fate.ARCHIVED:
            with open(tree.path(file), "rb") as source:
                digest = sha256(source.read()).hexdigest()
            study, kind, stored = found.get(key, (None, None, None))
            if stored != digest or (file.kind and kind is not file.kind) or (file.study and study != file.study):
                wrong.append((file, kind, study, judged.get(key)))
        elif key in found:
            wrong.append((file, "archived all the same"))
        elif key in judged and judged[key].fate is not file.fate:
            wrong.append((file, judged[key]))
    assert wrong == []
    assert set(found) <= {(f.folder, f.name) for f in tree.files}


def test_the_ledger_balances_over_every_odd_input(archive):
    """Each odd file has the fate expected of it, bytes unchanged, nothing outside the tree was read, the night is good."""
    tree = _tree(archive)
    found = archive.night("r1")
    assert found.good, (found.todo, found.ledger)
    expected = Counter(f.fate for f in tree.files)
    assert {name: n for name, n in found.ledger.lines.items() if n} == {str(fate): n for fate, n in expected.items()}
    assert found.ledger.seen == len(tree.files)
    _check(archive, tree, "r1")
    digests = {digest for _, _, digest in _archived(LocalStore(archive.folder / "hdfs")).values()}
    assert not digests & tree.outside
    damaged = sum(f.kind is Kind.DAMAGED for f in tree.files if f.fate is Fate.ARCHIVED)
    assert found.ledger.damaged >= damaged > 0
    before = archive.parts()
    again = archive.night("r2")
    assert again.good
    assert again.ledger.balanced
    assert again.ledger.lines["archived tonight"] == 0
    assert archive.parts() == before


@pytest.mark.long
def test_the_odd_tree_at_full_size(archive):
    """The same with an exam of 2,000 slices and a 100 MB multi-frame file, kept apart."""
    tree = _tree(archive, slices=2000, size=256, multiframe_mib=100)
    found = archive.night("r1")
    assert found.good, (found.todo, found.ledger)
    _check(archive, tree, "r1")
    assert any(path.endswith(".dcm") for path in archive.parts())


def test_an_unreadable_file_leaves_the_others_to_be_archived(archive):
    """Permission denied: that file alone is unreadable, quarantined, and archived once it can be read."""
    paths = make_exam(archive.san / "a", slices=3, modality="CT", seed=1, size=32)
    command = [sys.executable, "-m", "sdfo.cli", "--conf", str(archive.toml), "--json", "night", "--run", "r1"]
    with unreadable(paths[1]):
        done = subprocess.run(unprivileged(command), capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    lines = json.loads((archive.folder / "hdfs/runs/r1/report.json").read_text())["ledger"]["lines"]
    assert (lines["unreadable"], lines["archived tonight"]) == (1, 2)
    assert [row.kind for row in archive.place().catalog.quarantine()] == ["unreadable"]
    assert paths[1].name not in done.stdout + done.stderr
    found = archive.night("r2")
    assert found.good
    assert found.ledger.lines["archived tonight"] == 1
    assert archive.place().catalog.quarantine() == [], "what was set aside because it could not be read is archived now"
    assert not found.attention


def test_a_link_out_of_the_tree_is_quarantined_not_followed(archive):
    """Its target's bytes are nowhere in the archive."""
    make_exam(archive.san / "a", slices=1, modality="CT", seed=1, size=32)
    secret = archive.folder / "outside.txt"
    secret.write_bytes(b"not for the archive" * 100)
    os.symlink(secret, archive.san / "a" / "link.dcm")
    found = archive.night()
    assert found.ledger.lines[Fate.IRREGULAR] == 1
    assert [row.kind for row in archive.place().catalog.quarantine()] == ["link"]
    assert all(b"not for the archive" not in p.read_bytes() for p in (archive.folder / "hdfs/exams").rglob("*.sdicom"))


def test_the_sum_of_folders_is_the_night(archive):
    """The ledger of the night is the sum of its folders' ledgers."""
    a = ledger.Ledger(2, {"x": 1, "y": 1}, damaged=1)
    assert a + a == ledger.Ledger(4, {"x": 2, "y": 2}, damaged=2)
    assert not ledger.Ledger(3, {"x": 1}).balanced
