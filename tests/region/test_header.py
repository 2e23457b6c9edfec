"""What is taken from a header, of plain and of enhanced objects, and from headers that are off."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from sdfo.errors import DicomError
from sdfo.region import Shown
from sdfo.region.frames import Frames

SAMPLES = np.zeros((4, 4), dtype=np.int16)


def plain(**attributes) -> Dataset:
    ds = Dataset()
    for word, value in {"Modality": "CT", "PixelRepresentation": 1, "BitsAllocated": 16, **attributes}.items():
        setattr(ds, word, value)
    return ds


def test_a_plain_ct():
    """Each attribute that a method may need."""
    shown = Shown.of(
        plain(
            RescaleSlope=2,
            RescaleIntercept=-1024,
            RescaleType="HU",
            PixelPaddingValue=-2000,
            PixelPaddingRangeLimit=-1990,
            PixelSpacing=[0.5, 0.7],
            ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER "],
            SOPClassUID="1.2.3",
            PhotometricInterpretation="MONOCHROME1",
            BurnedInAnnotation="YES",
        ),
        SAMPLES,
    )
    assert (shown.slope, shown.intercept, shown.unit, shown.rescaled) == (2, -1024, "HU", True)
    assert (shown.padding, shown.spacing) == ((-2000, -1990), (0.5, 0.7))
    assert shown.image_type == ("ORIGINAL", "PRIMARY", "LOCALIZER")
    assert (shown.modality, shown.sop_class, shown.photometric, shown.burned_in) == ("CT", "1.2.3", "MONOCHROME1", True)
    assert shown.stored(shown.real(17)) == 17


def test_what_is_absent():
    """Nothing is invented: no Hounsfield units without slope and intercept, no spacing, no padding."""
    shown = Shown.of(Dataset(), SAMPLES)
    assert (shown.modality, shown.rescaled, shown.spacing, shown.padding) == ("", False, None, None)
    assert (shown.slope, shown.intercept, shown.burned_in) == (1, 0, False)


@pytest.mark.parametrize("spacing", [[0, 0.5], ["", ""], 0.5, [0.5], None])
def test_a_spacing_that_is_none(spacing):
    """The next attribute that says it counts, else there is none."""
    ds = Dataset()
    ds.PixelSpacing = spacing
    assert Shown.of(ds, SAMPLES).spacing is None
    ds.ImagerPixelSpacing = [0.2, 0.2]
    assert Shown.of(ds, SAMPLES).spacing == (0.2, 0.2)


def test_padding_of_the_wrong_sign_is_turned():
    """63536 in a signed image of 16 bits is -2000; -2000 in an unsigned one is 63536."""
    assert Shown.of(plain(PixelPaddingValue=63536), SAMPLES).padding == (-2000, -2000)
    unsigned = plain(PixelRepresentation=0)
    unsigned.add_new("PixelPaddingValue", "SS", -2000)
    assert Shown.of(unsigned, SAMPLES).padding == (63536, 63536)


def test_frames_of_an_enhanced_object_have_their_own():
    """Spacing shared by all, rescale and frame type of each frame (PS3.3 section C.7.6.16)."""
    ds = plain(ImageType=["ORIGINAL", "PRIMARY"])
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = [plain(PixelSpacing=[0.3, 0.4])]
    ds.PerFrameFunctionalGroupsSequence = [Dataset(), Dataset()]
    for group, slope, word in zip(ds.PerFrameFunctionalGroupsSequence, (2, 3), ("AXIAL", "LOCALIZER"), strict=True):
        group.PixelValueTransformationSequence = [plain(RescaleSlope=slope, RescaleIntercept=-1000, RescaleType="HU")]
        group.CTImageFrameTypeSequence = [plain(FrameType=["ORIGINAL", "PRIMARY", word])]
    first, second = (Shown.of(ds, SAMPLES, frame) for frame in (0, 1))
    assert (first.slope, second.slope, first.spacing, second.spacing) == (2, 3, (0.3, 0.4), (0.3, 0.4))
    assert "LOCALIZER" not in first.image_type
    assert "LOCALIZER" in second.image_type


def test_no_image_is_told():
    """Bytes that are no DICOM file end with an error that quotes none of them."""
    with pytest.raises(DicomError):
        Frames.of(b"Mueller^Anna" * 100)
