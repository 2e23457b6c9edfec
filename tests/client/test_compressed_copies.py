"""Files out of near-line copies that another codec wrote: the originals, the stored objects, and previews."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from io import BytesIO

import numpy as np
import pydicom
import pytest

from sdfo.client import Archive as Client
from sdfo.errors import NotFound, OutOfRange
from sdfo.jpeg2000 import decode
from sdfo.model import Tier
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import Series
from sdfo.testing.natives import HALVES, NativeImage, noise

SERIES = Series("CT", 1, 64)
COUNT = 5
LOOP = NativeImage(noise((3, 200, 260), 12, False), 12)
LOOP_UID = str(pydicom.dcmread(BytesIO(LOOP.file())).SOPInstanceUID)
FORMS = ["codestream", "file"]


def _near(form: str, codec: str = "j2k-roi") -> dict:
    near = {"root": "nearline", "workers": 0, "start": "00:00", "end": "00:00", "judged": 1}
    return {"nearline": near | {"codec": codec, "form": form}, "region": {"methods": HALVES.methods}}


@pytest.fixture
def backed_up(archive):
    """Runs a night and a backup over one exam of `COUNT` images, a note, and one of an ultrasound loop; the files."""

    def run(form: str = "codestream", codec: str = "j2k-roi") -> dict[str, bytes]:
        files = {f"IM{number}": data for number, data in enumerate(SERIES.images(COUNT))} | {"note.txt": b"a note"}
        for folder, members in (("a", files), ("b", {"loop": LOOP.file()})):
            (archive.san / folder).mkdir()
            for name, data in members.items():
                (archive.san / folder / name).write_bytes(data)
        assert archive.night().good
        done = archive.backup(**_near(form, codec))
        assert (done.parts, done.failed) == (2, 0)
        return files

    return run


def _gone(archive, *tiers: str) -> None:
    """The SAN's exams, forgotten; HDFS's, without a word."""
    if "san" in tiers:
        for folder in ("a", "b"):
            shutil.rmtree(archive.san / folder)
        archive.night("r2", limits={"shrink": 0})
    if "hdfs" in tiers:
        shutil.rmtree(archive.folder / "hdfs" / "exams")


def test_check_and_ls_tell_of_originals(archive, backed_up):
    """By the command: how many came out of compressed values; of which file a value stands for, and its layers."""
    files = backed_up()
    (path,) = {copy.path for copy in Client(archive.settings()).locate(SERIES.sop_uid(1)) if copy.tier is Tier.NEARLINE}
    file = str(archive.folder / "nearline" / path)
    checked = archive.sdfo("check", file, "--deep", "--originals")
    assert (checked.returncode, json.loads(checked.stdout)["restored"]) == (0, COUNT)
    rows = json.loads(archive.sdfo("ls", file).stdout)["records"]
    originals = [None if name == "note.txt" else sha256(data).hexdigest() for name, data in files.items()]
    assert [row["original"] for row in rows] == originals
    assert [row["layers"] for row in rows] == [1] * COUNT + [None]


def _damage(archive, client) -> None:
    """Bytes of the last image's value in the near-line copy."""
    (path,) = {copy.path for copy in client.locate(SERIES.sop_uid(COUNT)) if copy.tier is Tier.NEARLINE}
    with Part.open(client.reader.nearline, path) as part:
        at = part.extent(part.by_name(f"IM{COUNT - 1}")).end - 9
    with open(archive.folder / "nearline" / path, "r+b") as file:
        file.seek(at)
        file.write(b"\x55\xaa\x55")


@pytest.mark.parametrize(
    ("codec", "form"), [("j2k-roi", "codestream"), ("j2k-roi", "file"), ("htj2k", "codestream"), ("original", "file")]
)
def test_originals_come_from_near_line(archive, client, backed_up, codec, form):
    """One image and a whole exam, byte for byte, where HDFS has lost its copy; that is told and marked, near-line is not."""
    files = backed_up(form, codec)
    _gone(archive, "san", "hdfs")
    assert client.open(SERIES.sop_uid(1)) == files["IM0"]
    assert client.open(LOOP_UID) == LOOP.file()
    assert {location.name.decode(): data for location, data in client.exam(SERIES.study_uid)} == files
    assert {fault.tier for fault in client.faults} == {Tier.HDFS}
    copies = [client.catalog.copies(part.id) for part in client.catalog.parts(SERIES.study_uid)]
    assert [[(copy.tier, copy.state) for copy in each] for each in copies] == [
        [("hdfs", "damaged"), ("nearline", "verified")]
    ]


def test_get_writes_originals(archive, client, backed_up, tmp_path):
    """As they lay on the SAN."""
    files = backed_up()
    _gone(archive, "san", "hdfs")
    client.get(SERIES.study_uid, tmp_path / "to")
    written = {path.name: path.read_bytes() for path in (tmp_path / "to" / SERIES.study_uid).iterdir()}
    assert written == files


def test_an_exam_comes_out_of_one_opening(archive, client, backed_up, monkeypatch):
    """The part is opened once for all of its files, once HDFS's copy is known to be lost."""
    files, opened = backed_up(), list[str]()
    _gone(archive, "san", "hdfs")
    with pytest.raises(NotFound):  # of a SOP UID that is none: the loop's study is another
        client.open("1.2.3")
    assert len(list(client.exam(SERIES.study_uid))) == len(files)
    store = client.reader.nearline
    monkeypatch.setattr(store, "open", lambda path, real=store.open: opened.append(path) or real(path))
    assert [data for _, data in client.exam(SERIES.study_uid)] == list(files.values())
    assert len(opened) == 1


def test_a_head_comes_without_decoding(archive, client, backed_up, monkeypatch):
    """Out of the near-line copy's own heads: no value of it is read."""
    backed_up()
    _gone(archive, "san", "hdfs")
    monkeypatch.setattr(Part, "value", None)
    ds = client.head(SERIES.sop_uid(2))
    assert (ds.SOPInstanceUID, ds.PhotometricInterpretation) == (SERIES.sop_uid(2), "MONOCHROME2")
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_near_line_copy(archive, client, backed_up, form):
    """No bytes rather than wrong ones, and the catalog knows; what of it is whole is still served."""
    files = backed_up(form)
    _gone(archive, "san", "hdfs")
    _damage(archive, client)
    with pytest.raises(NotFound):
        client.open(SERIES.sop_uid(5))
    (part_id,) = [part.id for part in client.catalog.parts(SERIES.study_uid)]
    assert {copy.tier: copy.state for copy in client.catalog.copies(part_id)} == {
        "hdfs": "damaged",
        "nearline": "damaged",
    }
    assert client.open(SERIES.sop_uid(4)) == files["IM3"]
    found = list[bytes]()
    with pytest.raises(NotFound):
        found += (data for _, data in client.exam(SERIES.study_uid))
    assert found == [files[f"IM{number}"] for number in range(4)]


def test_hdfs_heals_what_near_line_lacks(archive, client, backed_up):
    """A near-line copy that is damaged falls through to the next whole one, whichever tier it is on."""
    files = backed_up()
    _damage(archive, client)
    copies = client.locator.files(SERIES.sop_uid(5))[0]
    near_first = sorted(copies, key=lambda copy: copy.tier is not Tier.NEARLINE)
    assert client.reader.read(near_first) == files["IM4"]
    assert [fault.tier for fault in client.faults] == [Tier.NEARLINE]


def test_a_near_line_store_that_is_not_mounted_marks_nothing(archive, client, backed_up):
    """An empty folder in its place misses every file; that says nothing about the copies."""
    backed_up()
    _gone(archive, "san", "hdfs")
    (archive.folder / "nearline").rename(archive.folder / "elsewhere")
    (archive.folder / "nearline").mkdir()
    with pytest.raises(NotFound):
        client.open(SERIES.sop_uid(1))
    (part_id,) = [part.id for part in client.catalog.parts(SERIES.study_uid)]
    assert {copy.tier: copy.state for copy in client.catalog.copies(part_id)}["nearline"] == "verified"


@pytest.mark.parametrize("form", FORMS)
def test_get_as_stored(archive, backed_up, tmp_path, form):
    """By the command: the DICOM object with the codestreams, and the original of what was not compressed."""
    files = backed_up(form)
    done = archive.sdfo("get", SERIES.study_uid, "--to", str(tmp_path / "to"), "--as-stored")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "to" / SERIES.study_uid
    assert (folder / "note.txt").read_bytes() == b"a note"
    for number in range(COUNT):
        before = pydicom.dcmread(BytesIO(files[f"IM{number}"]))
        after = pydicom.dcmread(folder / f"IM{number}")
        assert after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.90"
        assert after.SOPInstanceUID == before.SOPInstanceUID
        assert np.array_equal(after.pixel_array, before.pixel_array)


@pytest.mark.parametrize("form", FORMS)
def test_a_preview_reads_the_first_layers_alone(archive, client, backed_up, monkeypatch, form):
    """The region is exact in it; the bytes fetched are those of the layer. All layers are the image, out of the proven value."""
    backed_up(form)
    read = list[int]()
    monkeypatch.setattr(
        Part,
        "range",
        lambda part, record, at, length, real=Part.range: read.append(length) or real(part, record, at, length),
    )
    for frame in range(3):
        first, last = (client.preview(LOOP_UID, layers, frame) for layers in (1, 99))
        region = np.s_[:, : LOOP.samples.shape[2] // 2]
        assert np.array_equal(first.image.samples[region], LOOP.samples[frame][region])
        assert not np.array_equal(first.image.samples, LOOP.samples[frame])
        assert np.array_equal(last.image.samples, LOOP.samples[frame])
        assert (first.final, last.final, first.of, first.layers, last.layers) == (False, True, last.of, 1, last.of)
        assert first.fetched < first.whole == last.whole < last.fetched
        assert read == [first.fetched]
        read.clear()


def test_a_damaged_copy_is_no_final_preview(archive, client, backed_up):
    """Who asks for all layers gets the image or none; nothing else would tell of a byte that changed in a packet."""
    backed_up()
    (path,) = {copy.path for copy in client.locate(LOOP_UID) if copy.tier is Tier.NEARLINE}
    near = archive.folder / "nearline" / path
    with Part.open(client.reader.nearline, path) as part:
        (record,) = part.records
        at = part.extent(record).offset + record.frames[0][0].end - 40
    data = bytearray(near.read_bytes())
    data[at] ^= 1
    near.write_bytes(bytes(data))
    assert not client.preview(LOOP_UID).final
    with pytest.raises(NotFound):
        client.preview(LOOP_UID, 99)
    assert [fault.tier for fault in client.faults] == [Tier.NEARLINE]


@pytest.fixture
def swapped(archive):
    """Two exams whose files have the same names; each lies where the other's near-line copy should. HDFS has both."""
    series = Series("CT", 1, 64), Series("CT", 2, 64)
    for each in series:
        (archive.san / str(each.seed)).mkdir()
        (archive.san / str(each.seed) / "IM0").write_bytes(next(each.images(1)))
    assert archive.night().good
    halves = {"methods": {"CT": HALVES.methods["OT"]}}
    assert archive.backup(**_near("codestream") | {"region": halves}).parts == 2
    one, other = (archive.folder / "nearline" / path for path in archive.near())
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return series


def test_swapped_near_line_copies_give_no_other_patients_image(archive, client, swapped, tmp_path):
    """Whole files both, under each other's names: no preview, no stored object and no head comes out of them; they are marked."""
    for series in swapped:
        original = next(series.images(1))
        with pytest.raises(NotFound):
            client.preview(series.sop_uid(1))
        client.get(series.sop_uid(1), tmp_path, as_stored=True)
        assert (tmp_path / series.study_uid / "IM0").read_bytes() == original
        near = [copy for copy in client.locator.files(series.sop_uid(1))[0] if copy.tier is Tier.NEARLINE]
        with pytest.raises(NotFound):
            client.reader.head(near)
        (part_id,) = [part.id for part in client.catalog.parts(series.study_uid)]
        assert {copy.tier: copy.state for copy in client.catalog.copies(part_id)}["nearline"] == "damaged"


def test_a_preview_needs_layers(archive, client, backed_up):
    """Of a copy without them there is none, and the error says so; nor of a frame or a layer that is not there."""
    backed_up(codec="j2k")
    with pytest.raises(NotFound, match="has layers"):
        client.preview(LOOP_UID)
    assert client.faults == []


def test_a_preview_of_what_is_not_there(client, backed_up):
    """Frames count from 0, layers from 1."""
    backed_up()
    for layers, frame in ((0, 0), (1, 3), (1, -1)):
        with pytest.raises(OutOfRange):
            client.preview(LOOP_UID, layers, frame)


def test_any_sequence_file_reader_sees_codestreams(archive, backed_up):
    """Form codestream: a value is the frames one after the other, each decodable alone."""
    backed_up()
    store = LocalStore(archive.folder / "nearline")
    for path in archive.near():
        with Part.open(store, path) as part:
            for record, value in part.values():
                if record.original is not None:
                    frames = [part.frame(record, number) for number in range(len(record.frames))]
                    assert b"".join(frames) == value
                    assert all(decode(frame).precision in (12, 16) for frame in frames)
                    assert sha256(value).hexdigest() == record.sha256
