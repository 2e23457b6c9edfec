"""What key objects, segmentations and radiotherapy objects of a study rely on is found in its parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, Sequence

from sdfo.lossy import References, references, references_of
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.testing.parts import write_part

_ = "1.2.840.10008.5.1.4.1.1"
STUDY = "1.2.3"


@pytest.fixture
def structures(
    ct: Callable[..., Dataset], written: Callable[[Dataset], bytes], an_item: Callable[..., Dataset]
) -> bytes:
    """An RTSTRUCT with a contour on an image, in a frame of reference (PS3.3 sections C.8.8.5 and C.8.8.6)."""
    ds = ct(SOPClassUID=f"{_}.481.3", Modality="RTSTRUCT", PixelData=None, FrameOfReferenceUID=None)
    for tag in [element.tag for element in ds if element.tag.group == 0x0028]:
        del ds[tag]
    ds.StructureSetLabel = "S"
    ds.RTROIObservationsSequence = Sequence([an_item(ObservationNumber=1)])
    ds.ReferencedFrameOfReferenceSequence = Sequence([an_item(FrameOfReferenceUID="1.2.7")])
    ds.StructureSetROISequence = Sequence([an_item(ROINumber=1, ReferencedFrameOfReferenceUID="1.2.8")])
    image = an_item(ReferencedSOPClassUID=f"{_}.2", ReferencedSOPInstanceUID="1.2.3.4")
    contour = an_item(ContourImageSequence=Sequence([image]))
    ds.ROIContourSequence = Sequence([an_item(ContourSequence=Sequence([contour]))])
    return written(ds)


def test_of_a_part(tmp_path: Path, key_object: Callable[..., bytes], structures: bytes) -> None:
    """Instances of both, frames of reference of the structure set; names of other files say nothing."""
    store = LocalStore(tmp_path)
    files = {b"ko": key_object("1.2.3.1", "1.2.3.2"), b"rs": structures, b"note": b"see 1.2.3.9"}
    with Part.open(store, write_part(store, STUDY, b"folder", files)) as part:
        found = references_of([part])
    assert found == References(frozenset({"1.2.3.1", "1.2.3.2", "1.2.3.4"}), frozenset({"1.2.7", "1.2.8"}))


def test_of_an_image(ct: Callable[..., Dataset], an_item: Callable[..., Dataset]) -> None:
    """An image that names its sources makes them no evidence; a segmentation that names images does."""
    named = Sequence([an_item(ReferencedSOPInstanceUID="1.2.3.1")])
    assert references(ct(SourceImageSequence=named)) == References()
    assert references(ct(SOPClassUID=f"{_}.66.4", SourceImageSequence=named)).instances == {"1.2.3.1"}


def test_kept_apart(tmp_path: Path, key_object: Callable[..., bytes]) -> None:
    """A large object beside the S-DICOM file is read there."""
    store = LocalStore(tmp_path)
    path = write_part(store, STUDY, b"folder", {b"ko": key_object("1.2.3.1"), b"note": b""}, largest=100)
    with Part.open(store, path) as part:
        assert len(part.aparts) == 1
        assert references_of([part]).instances == {"1.2.3.1"}


def test_damaged_objects(
    tmp_path: Path, ct: Callable[..., Dataset], written: Callable[[Dataset], bytes], key_object
) -> None:
    """A key object that was cut may have named any image; an image that was cut named none."""
    store = LocalStore(tmp_path)
    for cut, unread in ((key_object("1.2.3.1")[:-30], 1), (written(ct())[:-30], 0)):
        with Part.open(store, write_part(store, STUDY, b"folder", {b"cut": cut})) as part:
            assert part.records[0].kind == "damaged"
            assert references_of([part]).unread == unread
