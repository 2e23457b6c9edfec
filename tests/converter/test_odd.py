"""Every odd exam folder, listed, described and merged: each file has the fate that is expected of it, and its bytes."""

from __future__ import annotations

import pytest

from sdfo.model import ExamOutcome, Fate
from sdfo.sdicom import unescape_name
from sdfo.testing.odd import odd_tree


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, works_in):
    """Sizes at which everything odd still is: a bomb beyond what is inflated, a file that lies apart."""
    works = works_in(tmp_path_factory.mktemp("odd"), max_record=1 << 20)
    return works, odd_tree(works.root, slices=4, size=16, multiframe_mib=2, bomb_mib=300)


def _kept(works, outcome: ExamOutcome) -> dict[bytes, bytes]:
    """Every file in the outcome's parts and beside them, each once."""
    kept = list[tuple[bytes, bytes]]()
    for part in outcome.parts:
        kept += works.values(part).items()
        with works.part(part) as opened:
            beside = part.attempt.rpartition("/")[0]
            kept += [(unescape_name(a.name), works.store.read_all(f"{beside}/{a.path}")) for a in opened.aparts]
    assert len(kept) == len(dict(kept))
    return dict(kept)


def test_every_odd_file_has_its_fate_and_keeps_its_bytes(odd) -> None:
    works, tree = odd
    for folder in tree.folders:
        expected = {file.name: file for file in tree.of(folder)}
        irregular = {name for name, file in expected.items() if file.fate is Fate.IRREGULAR}
        listing = works.san.list(folder)
        assert {name for name, _ in listing.irregular} == irregular
        assert listing.seen == len(expected)
        outcome = works.convert(folder=folder)
        found, kept = {file.stamp.name: file for file in outcome.files}, _kept(works, outcome)
        assert outcome.reason is None
        assert found.keys() == expected.keys() - irregular
        for name, file in found.items():
            odd_file = expected[name]
            assert file.fate is odd_file.fate, odd_file.note
            assert odd_file.kind in (None, file.kind), odd_file.note
            assert odd_file.study in (None, file.study), odd_file.note
            if file.fate is Fate.ARCHIVED:
                with open(tree.path(odd_file), "rb") as original:
                    assert kept[name] == original.read(), odd_file.note
            else:
                assert name not in kept


def test_nothing_that_links_lead_to_is_archived(odd) -> None:
    works, tree = odd
    outcome = works.convert(folder=b"links")
    assert not {file.sha256 for file in outcome.files} & tree.outside


def test_strays_and_links_at_the_root_are_no_exams(odd) -> None:
    works, tree = odd
    exams, strays, closed = works.san.exams()
    assert exams == tree.folders
    assert strays == tuple(sorted(file.name for file in tree.files if file.fate is Fate.NO_EXAM and not file.folder))
    assert closed == ()
