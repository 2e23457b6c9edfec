"""Each rule of the never-lossy table refuses its kind, and lets pass what only looks like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydicom import Dataset, Sequence
from pydicom.uid import UID, RLELossless

from sdfo import conf
from sdfo.lossy import RULES, Around, References, refusal

EVERYTHING = conf.Lossy(
    modalities=("CT", "MR", "CR", "DX", "XA", "RF", "MG", "PT", "NM", "OPT", "SM", "OT", "SEG"),
    ceilings=dict.fromkeys(("CT", "MR", "CR", "DX", "XA", "RF", "MG", "PT", "NM", "OPT", "SM", "OT", "SEG"), 8.0),
)
"""A policy that would allow every modality: what is refused, a rule refuses."""
_ = "1.2.840.10008.5.1.4.1.1"
MR, XA = f"{_}.4", f"{_}.12.1"


def _mr(**attributes: Any) -> dict[str, Any]:
    return {"SOPClassUID": MR, "Modality": "MR", "BodyPartExamined": "BRAIN"} | attributes


def _xa(**attributes: Any) -> dict[str, Any]:
    return {"SOPClassUID": XA, "Modality": "XA", "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]} | attributes


def _groups(**macro: Any) -> dict[str, Any]:
    """An enhanced MR whose frames say so in a functional group."""
    group, inner = Dataset(), Dataset()
    for keyword, value in macro.items():
        setattr(inner, keyword, value)
    name = "MRDiffusionSequence" if "DiffusionBValue" in macro else "MRImageFrameTypeSequence"
    setattr(group, name, Sequence([inner]))
    return _mr(SOPClassUID=f"{_}.4.1", PerFrameFunctionalGroupsSequence=Sequence([group]))


REFUSED: dict[str, list[dict[str, Any]]] = {
    "presentation state": [{"SOPClassUID": f"{_}.11.1"}],
    "structured report": [{"SOPClassUID": f"{_}.88.33"}, {"SOPClassUID": f"{_}.88.59"}],
    "encapsulated document": [{"SOPClassUID": f"{_}.104.1"}],
    "waveform": [{"SOPClassUID": f"{_}.9.1.1"}],
    "segmentation": [{"SOPClassUID": f"{_}.66.4"}],
    "radiotherapy object": [{"SOPClassUID": f"{_}.481.2"}, {"SOPClassUID": f"{_}.481.1"}],
    "positron emission tomography": [{"SOPClassUID": f"{_}.128"}, {"SOPClassUID": f"{_}.130"}],
    "nuclear medicine": [{"SOPClassUID": f"{_}.20"}],
    "whole-slide microscopy": [{"SOPClassUID": f"{_}.77.1.6"}],
    "optical coherence tomography": [{"SOPClassUID": f"{_}.77.1.5.4"}],
    "mammography": [{"SOPClassUID": f"{_}.1.2"}, {"SOPClassUID": f"{_}.1", "Modality": "MG"}],
    "parametric map": [
        {"SOPClassUID": f"{_}.30"},
        _mr(ImageType=["DERIVED", "PRIMARY", "T2 MAP"]),
        _groups(FrameType=["DERIVED", "PRIMARY", "VOLUME", "T1_MAP"]),
    ],
    "screen capture": [
        {"SOPClassUID": f"{_}.7"},
        {"ConversionType": "WSD"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    ],
    "already lossy": [
        {"LossyImageCompression": "01"},
        {"LossyImageCompression": "00", "LossyImageCompressionRatio": "9.1"},
    ],
    "one bit": [{"BitsAllocated": 1}, {"BitsStored": 1}],
    "palette colour": [{"PhotometricInterpretation": "PALETTE COLOR"}],
    "no native image": [{"SOPClassUID": "1.2.3"}, {"Rows": None}, {"SOPClassUID": f"{_}.4.2"}],
    "radiotherapy planning": [
        {"SeriesDescription": "RT Thorax"},
        {"StudyDescription": "CT Bestrahlungsplanung"},
        {"ProtocolName": "stereotaxis/Head"},
    ],
    "subtraction angiography": [
        _xa(MaskSubtractionSequence=Sequence([Dataset()])),
        _xa(RecommendedViewingMode="SUB"),
        _xa(ImageType=["DERIVED", "PRIMARY", "SINGLE PLANE", "SUBTRACTION"]),
    ],
    "localizer": [{"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, _mr(SeriesDescription="3-plane loc")],
    "diffusion": [
        _mr(DiffusionBValue=1000.0),
        _groups(DiffusionBValue=1000.0),
        _mr(ImageType=["DERIVED", "PRIMARY", "ADC"]),
        _mr(SequenceName="*ep_b1000t"),
        _mr(SeriesDescription="ep2d_DWI tra"),
    ],
    "perfusion": [
        _mr(ImageType=["DERIVED", "PRIMARY", "CBF"]),
        _mr(ArterialSpinLabelingContrast="PSEUDOCONTINUOUS"),
        {"SeriesDescription": "Perfusion 4D"},
    ],
}
PASSED: dict[str, dict[str, Any]] = {
    "presentation state": {"SOPClassUID": f"{_}.1.1"},  # 1.1 is not below .11
    "structured report": {"SOPClassUID": f"{_}.2.1"},
    "encapsulated document": {"SOPClassUID": f"{_}.1"},
    "waveform": {"SOPClassUID": f"{_}.12.1"},
    "segmentation": _mr(SeriesDescription="Segmentation"),
    "radiotherapy object": {"SOPClassUID": f"{_}.4"},
    "positron emission tomography": {"SOPClassUID": f"{_}.12.2"},
    "nuclear medicine": {"SOPClassUID": f"{_}.2.2"},
    "whole-slide microscopy": {"Rows": 20_000},
    "optical coherence tomography": {"SOPClassUID": f"{_}.1.1.1"},
    "mammography": {"SOPClassUID": f"{_}.1.1", "Modality": "DX"},
    "parametric map": _mr(ImageType=["ORIGINAL", "PRIMARY", "MAPLESS"]),
    "screen capture": {"ConversionType": ""},
    "already lossy": {"LossyImageCompression": "00"},
    "one bit": {"BitsStored": 8},
    "palette colour": {"PhotometricInterpretation": "MONOCHROME1"},
    "no native image": {"SOPClassUID": f"{_}.4.1"},
    "radiotherapy planning": _mr(SeriesDescription="RT knee"),  # of an MR it says "right"
    "subtraction angiography": _xa(RecommendedViewingMode="NAT"),
    "localizer": {"ImageType": ["ORIGINAL", "LOCALIZER", "AXIAL"]},  # value 2 says nothing of the kind
    "diffusion": _mr(SequenceName="*tfl3d1", SeriesDescription="T1 FA 15"),
    "perfusion": _mr(SeriesDescription="SuPERFusion"),
}


def _id(value: object) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("reason", "attributes"), [(r, a) for r, each in REFUSED.items() for a in each], ids=_id)
def test_refused(ct: Callable[..., Dataset], reason: str, attributes: dict[str, Any]) -> None:
    """With the rule's reason, though the policy allows every modality and ratio."""
    assert refusal(ct(**attributes), EVERYTHING) == reason


@pytest.mark.parametrize(("reason", "attributes"), PASSED.items(), ids=_id)
def test_passed(ct: Callable[..., Dataset], reason: str, attributes: dict[str, Any]) -> None:
    """What comes near a rule and is of no kind that any rule means."""
    assert refusal(ct(**attributes), EVERYTHING) is None


def test_every_rule_has_both() -> None:
    """A positive and a near-miss here, or tests of its own below; a source in DICOM and a reason that no other has."""
    others = {
        "under hold",
        "referenced by a key object, segmentation or radiotherapy object",
        "an object of the study cannot be read, and may refer to the image",
    }
    reasons = [rule.reason for rule in RULES]
    assert set(reasons) == set(REFUSED) | others == set(PASSED) | others
    assert len(reasons) == len(set(reasons))
    assert all(rule.source for rule in RULES)


def test_encapsulated_is_not_native(ct: Callable[..., Dataset]) -> None:
    """RLE, and deflated, which has no byte extent; implicit and big endian are native."""
    for syntax, reason in ((RLELossless, "no native image"), (UID("1.2.840.10008.1.2.1.99"), "no native image")):
        ds = ct()
        ds.file_meta.TransferSyntaxUID = syntax
        assert refusal(ds, EVERYTHING) == reason
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2"):
        ds = ct()
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        assert refusal(ds, EVERYTHING) is None


def test_hold(ct: Callable[..., Dataset]) -> None:
    """An image under hold gets none, the same image without does."""
    assert refusal(ct(), EVERYTHING, Around(held=True)) == "under hold"
    assert refusal(ct(), EVERYTHING, Around()) is None


def test_referenced(ct: Callable[..., Dataset]) -> None:
    """The very instance that is named, and no other of its series."""
    named = Around(References(instances=frozenset({str(ct(seed=1).SOPInstanceUID)})))
    assert refusal(ct(seed=1), EVERYTHING, named) == "referenced by a key object, segmentation or radiotherapy object"
    assert refusal(ct(seed=2), EVERYTHING, named) is None


def test_unread_object(ct: Callable[..., Dataset]) -> None:
    """One object that cannot be read may refer to any image of its study."""
    reason = "an object of the study cannot be read, and may refer to the image"
    assert refusal(ct(), EVERYTHING, Around(References(unread=1))) == reason


def test_planned_frame_of_reference(ct: Callable[..., Dataset]) -> None:
    """A CT in a treatment's frame of reference, whatever it is called; an MR in it is no planning CT."""
    around = Around(References(frames=frozenset({str(ct().FrameOfReferenceUID)})))
    assert refusal(ct(), EVERYTHING, around) == "radiotherapy planning"
    assert refusal(ct(**_mr()), EVERYTHING, around) is None
    assert refusal(ct(FrameOfReferenceUID=None), EVERYTHING, around) is None


def test_rows_that_are_no_number(ct: Callable[..., Dataset]) -> None:
    """Are no image's, and no error."""
    ds = ct()
    ds["Rows"]._value = "many"
    assert refusal(ds, EVERYTHING) == "no native image"
