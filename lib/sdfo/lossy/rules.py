"""The images that never get a lossy second object, whatever the settings say: one table, first match first.

By SOP Class where it tells, else by content. Where a header can only hint at something (that a CT plans a treatment, that
an MR is a scout), the hint is enough: a refusal costs some bytes, a mistake a diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydicom import Dataset

from sdfo.lossy import families, words
from sdfo.lossy.families import Family, within
from sdfo.lossy.references import References

NATIVE_SYNTAXES = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"))
"""Implicit and Explicit VR Little Endian, Explicit VR Big Endian (PS3.5 annex A)."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of an image's study. `held`: under a legal hold. `references`: what other objects of it rely on."""

    references: References = field(default=References())
    held: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """`reason` is what a report counts; `source` the place in DICOM that says how to tell."""

    reason: str
    source: str
    applies: Callable[[Dataset, Around], bool]


def broken(ds: Dataset, around: Around) -> Rule | None:
    """The first rule that forbids a lossy version of `ds`, None if none does. What pydicom raises for values that are none."""
    return next((rule for rule in RULES if rule.applies(ds, around)), None)


def _of(reason: str, family: Family, source: str = "PS3.4 table B.5-1") -> Rule:
    return Rule(reason, source, lambda ds, _: within(_sop_class(ds), family))


def _held(ds: Dataset, around: Around) -> bool:
    return around.held


def _unread(ds: Dataset, around: Around) -> bool:
    return around.references.unread > 0


def _referenced(ds: Dataset, around: Around) -> bool:
    return str(ds.get("SOPInstanceUID", "")) in around.references.instances


def _mammography(ds: Dataset, around: Around) -> bool:
    return within(_sop_class(ds), families.MAMMOGRAPHY) or _text(ds, "Modality") == "MG"


def _planning(ds: Dataset, around: Around) -> bool:
    """No attribute says so: that an RT object shares the CT's frame of reference does, or a word in a description."""
    if _text(ds, "Modality") != "CT":
        return False
    frame = str(ds.get("FrameOfReferenceUID", ""))
    return (bool(frame) and frame in around.references.frames) or words.described(ds, words.PLANNING, words.STUDY)


def _subtraction(ds: Dataset, around: Around) -> bool:
    modes = {_text(ds, "RecommendedViewingMode"), _text(ds, "Modality")}
    return bool(ds.get("MaskSubtractionSequence") or modes & {"SUB", "DS"}) or words.typed(ds, words.SUBTRACTION)


def _localizer(ds: Dataset, around: Around) -> bool:
    return words.typed(ds, words.LOCALIZER) or words.described(ds, words.LOCALIZER)


def _diffusion(ds: Dataset, around: Around) -> bool:
    measured = words.anywhere(ds, "DiffusionBValue", "MRDiffusionSequence", "DiffusionGradientOrientation")
    named = "ep_b" in _text(ds, "SequenceName").lower()  # as Siemens names its sequences by their b-value: *ep_b1000t
    return measured or named or words.typed(ds, words.DIFFUSION_TYPES) or words.described(ds, words.DIFFUSION)


def _perfusion(ds: Dataset, around: Around) -> bool:
    labelled = words.anywhere(ds, "ArterialSpinLabelingContrast", "MRArterialSpinLabelingSequence")
    return labelled or words.typed(ds, words.PERFUSION_TYPES) or words.described(ds, words.PERFUSION)


def _map(ds: Dataset, around: Around) -> bool:
    if within(_sop_class(ds), families.PARAMETRIC):
        return True
    values = words.image_types(ds)
    return any(value.endswith(("MAP", "MAPS")) for value in values) or bool(values & words.MAPS)


def _capture(ds: Dataset, around: Around) -> bool:
    converted = bool(_text(ds, "ConversionType"))
    return within(_sop_class(ds), families.CAPTURE) or converted or words.typed(ds, words.SCREEN)


def _one_bit(ds: Dataset, around: Around) -> bool:
    return 1 in (ds.get("BitsAllocated"), ds.get("BitsStored"))


def _palette(ds: Dataset, around: Around) -> bool:
    return _text(ds, "PhotometricInterpretation") == "PALETTE COLOR" or "RedPaletteColorLookupTableDescriptor" in ds


def _lossy(ds: Dataset, around: Around) -> bool:
    said = _text(ds, "LossyImageCompressionRatio") + _text(ds, "LossyImageCompressionMethod")
    return _text(ds, "LossyImageCompression") == "01" or bool(said)


def _not_native(ds: Dataset, around: Around) -> bool:
    """No image, or one in fragments, deflated or of floats (PS3.3 section C.7.6.24), or of a class that nobody thought of."""
    syntax = str(getattr(ds, "file_meta", Dataset()).get("TransferSyntaxUID", ""))
    integers = all(isinstance(ds.get(word), int) for word in ("Rows", "Columns", "BitsAllocated", "BitsStored"))
    sop_class = _sop_class(ds)
    known = within(sop_class, families.NATIVE) and not within(sop_class, families.SPECTROSCOPY)
    return not known or not integers or syntax not in NATIVE_SYNTAXES


def _sop_class(ds: Dataset) -> str:
    return str(ds.get("SOPClassUID", ""))


def _text(ds: Dataset, keyword: str) -> str:
    return str(ds.get(keyword) or "").strip()


RULES: tuple[Rule, ...] = (
    Rule("under hold", "the archive's own", _held),
    _of("presentation state", families.PRESENTATION),
    _of("structured report", families.REPORTS),
    _of("encapsulated document", families.DOCUMENTS),
    _of("waveform", families.WAVEFORMS),
    _of("segmentation", families.SEGMENTATION),
    _of("radiotherapy object", families.RADIOTHERAPY),
    _of("positron emission tomography", families.PET),
    _of("nuclear medicine", families.NUCLEAR),
    _of("whole-slide microscopy", families.WHOLE_SLIDE),
    _of("optical coherence tomography", families.TOMOGRAPHY_OF_THE_EYE),
    Rule("mammography", "PS3.4 table B.5-1; Modality (0008,0060), PS3.3 section C.7.3.1.1.1", _mammography),
    Rule(
        "parametric map", "PS3.4 table B.5-1; Image Type (0008,0008), PS3.3 sections C.8.3.1.1.1 and C.8.13.3.1.1", _map
    ),
    Rule("screen capture", "PS3.4 table B.5-1; Conversion Type (0008,0064), PS3.3 section C.8.6.1", _capture),
    Rule("already lossy", "Lossy Image Compression (0028,2110) to (0028,2114), PS3.3 section C.7.6.1.1.5", _lossy),
    Rule("one bit", "Bits Allocated (0028,0100), Bits Stored (0028,0101), PS3.3 section C.7.6.3", _one_bit),
    Rule("palette colour", "Photometric Interpretation (0028,0004), PS3.3 section C.7.6.3.1.2", _palette),
    Rule("no native image", "Transfer Syntax UID (0002,0010), PS3.5 section A.4; PS3.3 section C.7.6.3", _not_native),
    Rule(
        "referenced by a key object, segmentation or radiotherapy object",
        "Referenced SOP Instance UID (0008,1155), PS3.3 table 10-11",
        _referenced,
    ),
    Rule("an object of the study cannot be read, and may refer to the image", "as above", _unread),
    Rule(
        "radiotherapy planning",
        "Frame of Reference UID (0020,0052), PS3.3 section C.7.4.1; Series Description (0008,103E)",
        _planning,
    ),
    Rule(
        "subtraction angiography",
        "Mask Subtraction Sequence (0028,6100), PS3.3 section C.7.6.10; Recommended Viewing Mode (0028,1090)",
        _subtraction,
    ),
    Rule("localizer", "Image Type (0008,0008), PS3.3 sections C.8.2.1.1.1 and C.8.16.1.3", _localizer),
    Rule(
        "diffusion",
        "Diffusion b-value (0018,9087), MR Diffusion Sequence (0018,9117), PS3.3 section C.8.13.5.9; Image Type",
        _diffusion,
    ),
    Rule("perfusion", "Arterial Spin Labeling Contrast (0018,9250), PS3.3 section C.8.13.5.14; Image Type", _perfusion),
)
