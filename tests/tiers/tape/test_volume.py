"""A volume is the tar that its manifest says, and no bit of it changes unnoticed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdfo.errors import Missing, OnTape, OutOfRange, StoreError, VolumeError
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.testing.volumes import LABEL, LONG, Written, originals
from sdfo.tiers import tape
from sdfo.tiers.tape import contents, proving, recovering
from sdfo.tiers.tape.contents import Entry, Label
from sdfo.tiers.tape.reading import TapeStore, VolumeStore, own_manifest
from sdfo.tiers.tape.volume import plan, write

SAME_FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def test_the_manifest_tells_where_each_file_lies(volume: Written) -> None:
    """Label first, manifest second; offset, size and digest of every file as Python's own tar reader finds them."""
    with tarfile.open(volume.path) as tar:
        members = tar.getmembers()
        assert [member.name for member in members[:5]] == [
            "LABEL.json",
            "MANIFEST.json",
            "READ_ME.txt",
            "restore.py",
            "SHA256SUMS",
        ]
        label, manifest = (json.load(tar.extractfile(member)) for member in members[:2])  # type: ignore[arg-type]
    assert (label["volume"], label["codec"]) == (LABEL.volume, "original")
    told = [(row["path"], row["offset"], row["size"]) for row in manifest["files"]]
    assert told == [(member.name, member.offset_data, member.size) for member in members[5:]]
    assert {row["study"] for row in manifest["files"]} == set(volume.files)
    assert any(len(row["path"]) > 100 for row in manifest["files"])
    assert own_manifest(volume.store, volume.at) == volume.manifest
    assert volume.path.stat().st_size == volume.planned.size
    assert proving.digest_of(volume.store, volume.at) == volume.sha256


def test_it_is_a_pax_tar_of_whole_files(volume: Written) -> None:
    """Every member is the file as it lies on HDFS, byte for byte; nothing is compressed."""
    with tarfile.open(volume.path, "r:", format=tarfile.PAX_FORMAT) as tar:
        for entry in volume.manifest.entries:
            assert tar.extractfile(entry.path).read() == volume.store.read_all(entry.path)  # type: ignore[union-attr]


def test_parts_are_read_out_of_it(volume: Written, tmp_path: Path) -> None:
    """Through a store, with the files beside them; by another name if it lies elsewhere; never past a member's end."""
    assert proving.unreadable(volume.store, volume.at, volume.manifest) == {}
    store = TapeStore(volume.store)
    path = f"{LABEL.volume}/{volume.manifest.parts[0].path}"
    with Part.open(store, path) as part:
        assert part.study == LONG
        assert part.check(deep=True).aparts == 1
    with store.open(path) as source, pytest.raises(OutOfRange):
        source.read(source.size - 1, 2)
    with pytest.raises(Missing):
        store.open(f"{LABEL.volume}/exams/none.sdicom")
    with pytest.raises(OnTape):
        store.open("another/exams/none.sdicom")
    with pytest.raises(StoreError, match="never changed"):
        store.put(path, b"")


def test_a_volume_that_came_back_is_not_read_before_it_was_proven(volume: Written, tmp_path: Path) -> None:
    """It may still be arriving."""
    store = LocalStore(tmp_path)
    store.put(tape.tar(tape.IN, LABEL.volume), volume.path.read_bytes())
    path = f"{LABEL.volume}/{volume.manifest.parts[0].path}"
    with pytest.raises(OnTape):
        TapeStore(store).open(path)
    store.put(tape.proven(LABEL.volume), b"")
    with Part.open(TapeStore(store), path) as part:
        assert part.study == LONG


_NAMES = st.text("abc/._-0", min_size=1, max_size=120).filter(
    lambda name: all(part and part.strip(".") for part in name.split("/"))
)


@settings(max_examples=60)
@given(files=st.dictionaries(_NAMES, st.binary(max_size=2000), max_size=6), study=st.text(max_size=70))
def test_any_files_make_a_volume(files: dict[str, bytes], study: str) -> None:
    """Whatever the names, sizes and studies: what was planned is what is written, and the manifest comes back the same."""
    rows = [
        Entry(f"exams/{n}/{name}", len(data), hashlib.sha256(data).hexdigest(), 0, study)
        for n, (name, data) in enumerate(files.items())
    ]
    values = dict(zip((row.path for row in rows), files.values(), strict=True))
    planned = plan(LABEL, rows)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        with store.create("v.tar") as sink:
            digest = write(planned, sink, lambda entry: [values[entry.path][:7], values[entry.path][7:]])
        assert store.stat("v.tar").size == planned.size
        assert own_manifest(store, "v.tar") == planned.manifest
        assert proving.digest_of(store, "v.tar") == digest
        assert proving.faults(store, "v.tar", planned.manifest) == {}
        members = VolumeStore(store, "v.tar", planned.manifest)
        assert {entry.path: members.read_all(entry.path) for entry in planned.manifest.entries} == values


@pytest.mark.parametrize("given", [b"short", b"longer than was said", b"other bytes"])
def test_a_file_that_changed_is_not_written(tmp_path: Path, given: bytes) -> None:
    """Shorter, longer, or of other bytes than the plan says: the volume is not made, and the file is named."""
    row = Entry("exams/a.sdicom", 11, "0" * 64, 0, "1.2")
    with pytest.raises(VolumeError, match=r"^exams/a.sdicom: a file"), LocalStore(tmp_path).create("v") as sink:
        write(plan(LABEL, [row]), sink, lambda entry: [given])


def test_two_files_never_have_one_path() -> None:
    """The second would hide the first."""
    row = Entry("exams/a.sdicom", 1, "0" * 64, 0, "1.2")
    with pytest.raises(VolumeError, match="one path"):
        plan(LABEL, [row, row])


def _spoilt(data: bytes, at: int, bit: int, cut: bool) -> bytes:
    return data[:at] if cut else data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


@SAME_FILES
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_any_flip_and_any_cut_is_noticed_and_named(volume: Written, share: float, bit: int, cut: bool) -> None:
    """The digest of the tar is another; exactly the files that are hit are named, and no other part is given up."""
    whole = volume.path.read_bytes()
    at = int(share * len(whole))
    with tempfile.TemporaryDirectory() as folder:
        store = volume.again(_spoilt(whole, at, bit, cut), Path(folder))
        assert proving.digest_of(store, volume.at) != volume.sha256
        hit = {e.path for e in volume.manifest.entries if e.offset + e.size > at and (cut or e.offset <= at)}
        assert set(proving.faults(store, volume.at, volume.manifest)) == hit
        unreadable = set(proving.unreadable(store, volume.at, volume.manifest))
        parts = {entry.path for entry in volume.manifest.parts}
        assert hit & parts <= unreadable <= parts
        assert bool(unreadable) == bool(hit)
        _nothing_wrong_is_restored(volume, store.root / volume.at, Path(folder))


def _nothing_wrong_is_restored(volume: Written, tar: Path, folder: Path) -> None:
    """restore.py on a spoilt volume: every file that it writes is an original, and it ends with 1 if one is missing."""
    code = _restore(str(tar), "--to", str(folder / "out"))
    found = [file for file in (folder / "out").rglob("*") if file.is_file()]
    digests, expected = [hashlib.sha256(file.read_bytes()).hexdigest() for file in found], originals(volume.files)
    assert set(digests) <= set(expected)
    assert code == 1 or sorted(digests) == expected


def _restore(*words: str) -> int:
    """The volume's restore.py, in this process."""
    with (
        patch.object(sys, "argv", ["restore.py", *words]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        return recovering.main()


@pytest.mark.long
def test_every_cut_and_every_flip_is_noticed(volume: Written, tmp_path: Path) -> None:
    """At each 11th byte of the volume, once cut there and once with each of three bits flipped."""
    whole = volume.path.read_bytes()
    for at in range(0, len(whole), 11):
        for bit, cut in ((0, True), (0, False), (3, False), (7, False)):
            store = volume.again(_spoilt(whole, at, bit, cut), tmp_path)
            assert proving.digest_of(store, volume.at) != volume.sha256
            hit = {e.path for e in volume.manifest.entries if e.offset + e.size > at and (cut or e.offset <= at)}
            assert set(proving.faults(store, volume.at, volume.manifest)) == hit


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": "sdfo tape volume 2", "files": []}',
        b'{"format": "sdfo tape volume 1", "files": [{"path": "../x"}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    """Whatever lies there: an error that names the place."""
    with pytest.raises((VolumeError, RecursionError)):
        contents.decode(data, "manifests/v.json")


@pytest.mark.parametrize(
    "row", [{"path": "../../etc/passwd"}, {"size": -1}, {"offset": 1.5}, {"sha256": None}, {"study": 7}]
)
def test_an_impossible_row_is_refused(row: dict[str, object]) -> None:
    """A flipped bit may make anything of it; no path leaves the volume."""
    good = {"path": "exams/a", "size": 1, "sha256": "0" * 64, "offset": 512, "study": "1.2"}
    label = {"format": contents.FORMAT, "volume": "v", "site": "s", "archive": "a", "created": "c", "codec": "original"}
    assert contents.decode(json.dumps(label | {"files": [good]}).encode(), "v").entries[0].offset == 512
    with pytest.raises((VolumeError, StoreError)):
        contents.decode(json.dumps(label | {"files": [good | row]}).encode(), "v")


def test_a_tar_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """It has no label and manifest in front."""
    with tarfile.open(tmp_path / "v.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("x"))
    with pytest.raises(VolumeError, match="no tar with a label"):
        own_manifest(LocalStore(tmp_path), "v.tar")
    (tmp_path / "w.tar").write_bytes(b"no tar")
    with pytest.raises(VolumeError, match="no tar"):
        own_manifest(LocalStore(tmp_path), "w.tar")


def test_sizes_that_the_plan_must_know_beforehand() -> None:
    """A file of 9 GiB gets a pax header of its own (an octal size field ends at 8 GiB): the next one's place allows for it."""
    rows = [Entry("exams/a", 9 * 2**30, "0" * 64, 0, "1"), Entry("exams/b", 1, "0" * 64, 0, "1")]
    first, second = plan(Label("v", "s", "a", "2026-01-01T00:00:00+00:00", "original"), rows).manifest.entries
    assert second.offset - first.offset == 9 * 2**30 + 512
