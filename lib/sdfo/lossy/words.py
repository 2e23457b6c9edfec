"""What a header says in words: Image Type and Frame Type by their values, descriptions by the words in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.multival import MultiValue

Words = frozenset[str]

LOCALIZER: Words = frozenset(
    {"LOCALIZER", "LOCALISER", "LOC", "SCOUT", "TOPOGRAM", "SURVIEW", "REF_SURVIEW", "SURVEY", "SCANOGRAM", "TOPO"}
)
DIFFUSION: Words = frozenset({"DIFFUSION", "DIFF", "DWI", "DTI", "ADC", "EADC", "TRACEW", "IVIM", "TENSOR"})
DIFFUSION_TYPES: Words = DIFFUSION | {"DIFFUSION_ANISO", "EXP_ADC", "REL_ADC", "TRACE", "FA"}
"""Of these `FA` stands for the flip angle in a description, so that they count as values only."""
PERFUSION: Words = frozenset(
    {
        "PERFUSION",
        "PERF",
        "ASL",
        "PASL",
        "PCASL",
        "DSC",
        "DCE",
        "CBF",
        "CBV",
        "RCBF",
        "RCBV",
        "MTT",
        "RMTT",
        "TTP",
        "TMAX",
    }
    | {"RELCBF", "RELCBV", "RELMTT", "KTRANS"}
)
PERFUSION_TYPES: Words = PERFUSION | {"REG_CBF", "REG_CBV", "REG_MTT", "REL_CBF", "REL_CBV", "REL_MTT", "T1_PERFUSION"}
SUBTRACTION: Words = frozenset({"SUBTRACTION", "SUBTRACTED", "SUB", "DSA"})
SCREEN: Words = frozenset(
    {"SCREEN SAVE", "SCREEN_SAVE", "SCREENSAVE", "SCREENSHOT", "DOSE_INFO", "PATIENT_INFO", "CAPTURE"}
)
PLANNING: Words = frozenset(
    {
        "RT",
        "RTP",
        "RADIOTHERAPY",
        "RADIATION",
        "THERAPY",
        "PLANNING",
        "PLANUNG",
        "BESTRAHLUNG",
        "STEREOTAXIS",
        "STEREOTAXY",
    }
    | {
        "STEREOTACTIC",
        "BRACHY",
        "BRACHYTHERAPY",
        "BESTRAHLUNGSPLANUNG",
        "PLANUNGSCT",
        "LINAC",
        "CYBERKNIFE",
        "SIMULATION",
    }
)
"""`RT` stands for "right" too: a CT of a right hand is then refused, which costs little."""
MAPS: Words = frozenset({"R2_STAR", "FAT_FRACTION", "VELOCITY", "QUANTITY", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY"})
"""Image Type values of images whose numbers are measurements, beside those that end in MAP."""

SERIES = ("SeriesDescription", "ProtocolName")
STUDY = (*SERIES, "StudyDescription", "RequestedProcedureDescription", "PerformedProcedureStepDescription")
_WORD = re.compile(r"[^\W_]+")
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_DERIVED_CONTRAST = 3
"""From this value on, Image Type says what kind of image it is; before it, whether it is an original (C.7.6.1.1.2)."""


def image_types(ds: Dataset) -> Words:
    """Values 3 and beyond of Image Type, and of Frame Type where frames have their own."""
    found = _values(ds.get("ImageType"))[_DERIVED_CONTRAST - 1 :]
    for item in _macros(ds):
        found += _values(item.get("FrameType"))[_DERIVED_CONTRAST - 1 :]
    return frozenset(found)


def typed(ds: Dataset, wanted: Words) -> bool:
    return bool(image_types(ds) & wanted)


def described(ds: Dataset, wanted: Words, keywords: tuple[str, ...] = SERIES) -> bool:
    """Whether a description holds one of the words, as a word of its own."""
    text = " ".join(str(ds.get(keyword) or "") for keyword in keywords)
    return not wanted.isdisjoint(_WORD.findall(text.upper()))


def anywhere(ds: Dataset, *keywords: str) -> bool:
    """Whether one of these attributes stands in the object itself or in its frames' functional groups (C.7.6.16)."""
    tags = {tag_for_keyword(keyword) for keyword in keywords}
    return any(not tags.isdisjoint(item.keys()) for item in (ds, *_groups(ds), *_macros(ds)))


def _groups(ds: Dataset) -> Iterator[Dataset]:
    for keyword in _GROUPS:
        yield from ds.get(keyword) or ()


def _macros(ds: Dataset) -> Iterator[Dataset]:
    """The items of all functional group macros."""
    for group in _groups(ds):
        for element in group:
            yield from element.value if element.VR == "SQ" else ()


def _values(value: object) -> list[str]:
    several = value if isinstance(value, MultiValue | list) else (value,)
    return [str(each).strip().upper() for each in several if each]
