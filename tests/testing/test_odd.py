"""The odd tree holds what it says, and what it expects of each file is what an outside reader finds."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from sdfo.dicom import MemorySource, examine
from sdfo.model import Fate, Kind
from sdfo.testing.odd import OddFile, OddTree, odd_tree
from sdfo.testing.odd.identity import HOSTILE, TOO_LONG


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> OddTree:
    return odd_tree(tmp_path_factory.mktemp("odd") / "san", seed=1, slices=8, bomb_mib=300)


def _data(tree: OddTree, file: OddFile) -> bytes:
    with open(tree.path(file), "rb") as opened:
        return opened.read()


def _one(tree: OddTree, folder: bytes, name: bytes) -> OddFile:
    return next(f for f in tree.of(folder) if f.name == name)


def test_every_name_is_accounted_for(tree: OddTree) -> None:
    """What lies on the disk and what is expected are the same names, each once."""
    root = os.fsencode(tree.root)
    found = []
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found += [os.path.join(folder, name) for name in (*files, *links)]
    assert sorted(found) == sorted(tree.path(file) for file in tree.files)
    assert len(set(found)) == len(found)
    on_disk = {name for name in os.listdir(root) if stat.S_ISDIR(os.lstat(os.path.join(root, name)).st_mode)}
    assert on_disk == set(tree.folders)
    assert {f.folder for f in tree.files} - {b""} <= set(tree.folders)


def test_fates(tree: OddTree) -> None:
    """Regular files have a kind, what is none has not; only a folder without DICOM is no exam."""
    for file in tree.files:
        regular = stat.S_ISREG(os.lstat(tree.path(file)).st_mode)
        if file.fate is Fate.IRREGULAR:
            assert not regular
            assert file.kind is None
        elif file.fate is Fate.NO_EXAM:
            assert file.kind in (None, Kind.OTHER)
            assert file.folder in (b"", b"no dicom")
        else:
            assert (regular, file.fate) == (True, Fate.ARCHIVED)
    assert Counter(f.kind for f in tree.files).keys() == {*Kind, None}


def test_pydicom_reads_what_is_whole(tree: OddTree) -> None:
    """Every element of it, by force where a file has no File Meta Information."""
    for file in tree.files:
        if file.kind is Kind.DICOM:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ds = dcmread(io.BytesIO(_data(tree, file)), force=True)
                assert len(list(ds.iterall())) > 2, file


def test_pydicom_knows_nothing_of_the_others(tree: OddTree) -> None:
    """Without force it refuses them, but for the DICOMDIR."""
    for file in tree.files:
        if file.kind is Kind.OTHER and file.name != b"DICOMDIR":
            with pytest.raises((InvalidDicomError, EOFError)):
                dcmread(io.BytesIO(_data(tree, file)))


def test_our_own_walk_agrees(tree: OddTree) -> None:
    """Kind by kind: what is whole, what is damaged and says why, what is something else."""
    for file in tree.files:
        if file.kind is not None:
            structure = examine(MemorySource(_data(tree, file)))
            assert structure.kind is file.kind, (file, structure.reason)
            assert (structure.reason is not None) == (file.kind is Kind.DAMAGED)


def test_the_same_seed_gives_the_same_tree(tmp_path: Path, tree: OddTree) -> None:
    """Another gives other images under the same names."""
    again = odd_tree(tmp_path / "1" / "san", seed=1, slices=8, bomb_mib=300)
    other = odd_tree(tmp_path / "2" / "san", seed=2, slices=8, bomb_mib=300)
    assert again.files == tree.files
    assert again.outside == tree.outside
    kept = [f for f in tree.files if f.kind is not None]
    assert [_data(again, f) for f in kept] == [_data(tree, f) for f in kept]
    assert {(f.folder, f.name) for f in other.files} >= {
        (f.folder, f.name) for f in tree.files if b"tie" not in f.folder
    }
    assert _data(other, _one(other, b"names", b"A.dcm")) != _data(tree, _one(tree, b"names", b"A.dcm"))


def test_sizes_are_as_asked(tmp_path: Path) -> None:
    """Slices, megabytes of frames, and a bomb of a thousandth."""
    tree = odd_tree(tmp_path / "san", slices=20, size=32, multiframe_mib=5, bomb_mib=2000)
    assert len(tree.of(b"long exam")) == 20
    frames = dcmread(os.fsdecode(tree.path(_one(tree, b"multi-frame", b"multi-frame.dcm"))))
    assert (frames.NumberOfFrames, len(frames.PixelData)) == (20, 5 << 20)
    assert os.path.getsize(tree.path(_one(tree, b"deflate bomb", b"bomb.dcm"))) < 4_000_000


def test_studies(tree: OddTree) -> None:
    """Where a study is expected and the file names one, it is that one."""
    expected = [f for f in tree.files if f.study and f.kind is Kind.DICOM]
    for file in expected:
        study = dcmread(io.BytesIO(_data(tree, file)), force=True, stop_before_pixels=True).get("StudyInstanceUID")
        assert study in (file.study, None)
    assert len({f.study for f in tree.of(b"two studies")}) == 2
    here, there = ({f.study for f in tree.of(folder)} for folder in (b"one study, here", b"one study, there"))
    assert here == there
    assert len(here) == 1


def test_no_two_images_share_a_uid_by_accident(tree: OddTree) -> None:
    """Only where that is the point."""
    meant = (b"repeated UIDs", b"one study, there", b"hostile SOP UID", b"too long SOP UID", b"leading zero SOP UID")
    sops = Counter()
    for file in tree.files:
        if file.kind is Kind.DICOM and file.folder not in meant:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sop = dcmread(io.BytesIO(_data(tree, file)), force=True, stop_before_pixels=True).get("SOPInstanceUID")
            sops[sop] += bool(sop)
    assert {sop: n for sop, n in sops.items() if n > 1} == {}


def test_repeated_uids(tree: OddTree) -> None:
    """One instance four times: the same bytes, another head, other pixels."""
    read = {f.name: dcmread(io.BytesIO(_data(tree, f))) for f in tree.of(b"repeated UIDs")}
    assert len({read[name].SOPInstanceUID for name in (b"a.dcm", b"b.dcm", b"c.dcm", b"d.dcm")}) == 1
    digests = [sha256(_data(tree, _one(tree, b"repeated UIDs", b"%c.dcm" % name))).digest() for name in b"abcd"]
    assert [digests.index(digest) for digest in digests] == [0, 0, 2, 3]
    assert read[b"c.dcm"].PixelData == read[b"a.dcm"].PixelData != read[b"d.dcm"].PixelData


def test_hostile_uids(tree: OddTree) -> None:
    """Stand in the files as they are."""
    for folder, text in ((b"hostile study UID", HOSTILE), (b"too long study UID", TOO_LONG)):
        for file in tree.of(folder):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert dcmread(io.BytesIO(_data(tree, file))).StudyInstanceUID == text
    for file in tree.of(b"no UIDs"):
        ds = dcmread(io.BytesIO(_data(tree, file)))
        assert not {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"} & set(ds.dir())


def test_links_lead_out(tree: OddTree) -> None:
    """To a file whose bytes may be nowhere in an archive of this tree."""
    inside = {sha256(_data(tree, f)).hexdigest() for f in tree.files if f.kind is not None}
    assert len(tree.outside) == 1
    assert not tree.outside & inside
    reached = [f.name for f in tree.of(b"links") if f.kind is None and os.path.isfile(tree.path(f))]
    assert sorted(reached) == [b"inside", b"out-relative", b"out-to-file"]
