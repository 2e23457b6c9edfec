"""`sdfo region`: a picture to judge the protected region by."""

from __future__ import annotations

import io
import json
import stat

import pydicom
from PIL import Image

from sdfo.testing.exams import Series, make_exam, study_uid


def test_an_image_with_its_outline(archived, tmp_path):
    """A PNG for the caller's eyes only, with nothing in it but pixels; what was found stands in the answer."""
    sop, to = Series("CT", 1).sop_uid(2), tmp_path / "region.png"
    said = archived.json("region", sop, "--to", to)
    (image,) = said["images"]
    assert image["sop"] == sop
    assert (image["image"], image["frame"]) == (2, None)
    assert set(image) >= {"method", "threshold", "area", "whole", "reason"}
    assert said["area"] == image["area"]
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["region.png"]
    picture = Image.open(to)
    assert picture.format == "PNG"
    assert max(picture.size) >= 640
    assert not picture.info


def test_wherever_the_image_lies(archived, tmp_path):
    """The same picture from HDFS as from the SAN."""
    sop, folder = Series("CT", 1).sop_uid(2), next(archived.san.glob("*_1"))
    archived.json("region", sop, "--to", tmp_path / "a.png")
    folder.rename(archived.folder / "away")
    try:
        archived.json("region", sop, "--to", tmp_path / "b.png")
    finally:
        (archived.folder / "away").rename(folder)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_sheet_of_a_series(archived, tmp_path):
    """All its images by number, of a series' or its study's UID; what is damaged is left out and counted."""
    said = archived.json("region", study_uid(1), "--to", tmp_path / "a.png")
    assert [image["image"] for image in said["images"]] == [1, 2, 3, 4]
    done = archived.run("region", study_uid(3), "--to", tmp_path / "b.png")
    assert done.returncode == 0
    assert "not on the sheet: 1 file of the series" in done.stderr
    assert "3 images" in done.stdout
    assert Image.open(tmp_path / "b.png").width > 2 * 192


def test_an_old_file_is_never_replaced(archived, tmp_path):
    """Not even by the same picture; a folder that is not there is told."""
    to = tmp_path / "old.png"
    to.write_text("old")
    assert archived.json("region", study_uid(1), "--to", to, code=1)["error"] == "Exists"
    assert to.read_text() == "old"
    assert archived.json("region", study_uid(1), "--to", tmp_path / "no" / "x.png", code=1)["error"] == "StoreError"
    assert [each.name for each in tmp_path.iterdir()] == ["old.png"]


def test_methods(archived, tmp_path):
    """Of the command line before that of the settings; one that is none ends with 2."""
    sop = Series("CT", 1).sop_uid(2)

    def method(name, *words, **variables):
        said = archived.json("region", sop, "--to", tmp_path / f"{name}.png", *words, **variables)
        return said["images"][0]["method"]

    assert method("a", SDFO__REGION__METHOD="whole") == "whole"
    assert method("b", SDFO__REGION__METHODS='{"CT": "whole"}') == "whole"
    assert method("c", "--method", "body", SDFO__REGION__METHODS='{"CT": "whole"}') == "body"
    for name in ("nosuch", "no such", "no.such:method"):
        archived.json("region", sop, "--to", tmp_path / "d.png", "--method", name, code=2)
    archived.json("region", sop, "--to", tmp_path / "d.png", code=2, SDFO__REGION__METHOD="Body!")


def test_a_frame_of_many(site, tmp_path):
    """`--frame N` counts from 1; a sheet shows every frame. A study of several series is asked which."""
    site.json("init")
    ds = pydicom.dcmread(io.BytesIO(next(Series("CT", 5, 16).images(1))))
    ds.PixelData, ds.NumberOfFrames = ds.PixelData * 3, 3
    ds.save_as(tmp_path / "multi.dcm")
    site.json("store", tmp_path / "multi.dcm")
    said = site.json("region", ds.SOPInstanceUID, "--frame", 3, "--to", tmp_path / "a.png")
    assert said["images"][0]["frame"] == 3
    site.json("region", ds.SOPInstanceUID, "--frame", 4, "--to", tmp_path / "b.png", code=2)
    sheet = site.json("region", ds.SeriesInstanceUID, "--to", tmp_path / "c.png")
    assert [image["frame"] for image in sheet["images"]] == [1, 2, 3]
    (tmp_path / "other").mkdir()
    for file in make_exam(tmp_path / "other", slices=1, modality="MR", seed=5, size=16, series=2):
        site.json("store", file)
    refused = site.json("region", ds.StudyInstanceUID, "--to", tmp_path / "d.png", code=2)
    assert ds.SeriesInstanceUID in refused["found"]


def test_no_name_is_told(archived, tmp_path):
    """Neither the picture nor the answer holds a name of the SAN or a patient's id."""
    patient = archived.json("find", "--study", study_uid(1))["studies"][0]["patient_id"]
    to = tmp_path / "region.png"
    said = (
        json.dumps(archived.json("region", study_uid(1), "--to", to))
        + archived.run("region", study_uid(2), "--to", tmp_path / "b.png").stdout
    )
    for name in ("Zwirbelhuber", patient):
        assert name not in said
        assert name.encode() not in to.read_bytes()


def test_no_such_image(archived, tmp_path):
    """Exit 1, and nothing is written."""
    assert archived.json("region", "1.2.3", "--to", tmp_path / "a.png", code=1)["error"] == "NotFound"
    assert not list(tmp_path.iterdir())
