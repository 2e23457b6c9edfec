"""`head` of every kind of file: what the header says, pixels unread, wherever the file lies."""

from __future__ import annotations

from contextlib import suppress

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from sdfo.catalog import Query
from sdfo.errors import DicomError
from sdfo.testing.exams import Series
from sdfo.testing.odd import unmounted

SERIES = Series("CT", 1, 16)

KINDS = {
    "explicit": "MR_small.dcm",
    "implicit": "MR_small_implicit.dcm",
    "big endian": "MR_small_bigendian.dcm",
    "deflated": "image_dfl.dcm",
    "JPEG 2000": "JPEG2000.dcm",
    "RLE": "MR_small_RLE.dcm",
    "a report": "test-SR.dcm",
    "a plan": "rtplan.dcm",
    "multi-frame": "SC_rgb_rle_2frame.dcm",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_says_what_pydicom_says(archive, client, kind):
    """From the SAN and from HDFS: all that pydicom reads before the pixels."""
    path = get_testdata_file(KINDS[kind], download=False)
    if path is None:
        pytest.fail(f"pydicom's wheel has no {KINDS[kind]}", pytrace=False)
    (archive.san / "a").mkdir()
    with open(path, "rb") as file:
        (archive.san / "a" / "x").write_bytes(file.read())
    archive.night()
    expected = dcmread(path, stop_before_pixels=True)
    assert client.head(expected.SOPInstanceUID) == expected
    with unmounted(archive.san):
        assert client.head(expected.SOPInstanceUID) == expected


def test_the_head_of_a_file_apart(archive, client):
    """A file beside its part."""
    (archive.san / "a").mkdir()
    (archive.san / "a" / "x").write_bytes(next(Series("CT", 1, 1024).images(1)))
    archive.night(hdfs={"root": "hdfs", "max_record_mib": 1})
    with unmounted(archive.san):
        assert client.head(SERIES.sop_uid(1)).Rows == 1024


def test_the_head_of_a_study_is_that_of_an_image(archive, client):
    """A note or DICOMDIR that stands first has none to show."""
    (archive.san / "a").mkdir()
    (archive.san / "a" / "00-note").write_bytes(b"a note that sorts first")
    (archive.san / "a" / "IM1").write_bytes(next(SERIES.images(1)))
    archive.night()
    assert client.head(SERIES.study_uid).SOPInstanceUID == SERIES.sop_uid(1)
    with unmounted(archive.san):
        assert client.head(SERIES.study_uid).SOPInstanceUID == SERIES.sop_uid(1)


def test_a_file_without_a_head_is_no_damaged_copy(archive, client):
    """Nothing can be shown of a damaged image; its copy, which has the bytes that were received, stays verified."""
    (archive.san / "a").mkdir()
    (archive.san / "a" / "IM1").write_bytes(next(SERIES.images(1))[:200])
    archive.night()
    study = next(client.find(Query())).study
    with unmounted(archive.san), suppress(DicomError):
        client.head(study)
    (part,) = client.catalog.parts(study)
    assert client.catalog.copies(part.id)[0].state == "verified"


def test_a_flipped_bit_in_a_value_changes_no_header(archive, client):
    """Of a copy on HDFS: the header comes from the heads, which have a digest of their own."""
    (archive.san / "a").mkdir()
    (archive.san / "a" / "IM1").write_bytes(next(SERIES.images(1)))
    archive.night()
    (path,) = archive.parts()
    part = archive.folder / "hdfs" / path
    data = bytearray(part.read_bytes())
    at = data.rindex(b"MONOCHROME2")
    data[at] ^= 1
    part.write_bytes(bytes(data))
    with unmounted(archive.san):
        assert client.head(SERIES.sop_uid(1)).PhotometricInterpretation == "MONOCHROME2"
