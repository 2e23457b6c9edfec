"""The header of a lossy second object: what DICOM asks of an image that was derived from another one.

PS3.3 sections C.7.6.1.1.2 (Image Type), C.7.6.1.1.5 (lossy compression), C.12.4 (derivation and its source), C.7.3.1 (its
own series). What was true of the original's bytes alone is dropped: dates of its making, since a re-run must give the
same bytes; ranges of its pixels; its small picture; its signatures.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO

import pydicom
from pydicom import Dataset, Sequence
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag

from sdfo.dicom.encapsulating import EXPLICIT
from sdfo.model import derived_uid

METHOD = "ISO_15444_1"
"""Lossy Image Compression Method: JPEG 2000 irreversible or truncated (PS3.3 section C.7.6.1.1.5.1)."""
LOSSY = ("113040", "Lossy Compression")
"""DCM, of CID 7203 Image Derivation."""
PREDECESSOR = ("121320", "Uncompressed predecessor")
"""DCM, of CID 7202 Source Image Purposes of Reference."""
PROCESSING = ("109102", "Processing Equipment")
"""DCM, of CID 7005 Contributing Equipment Purposes of Reference."""
IMPLEMENTATION = derived_uid(b"implementation", b"sdfo")
"""Implementation Class UID (PS3.10 section 7.1): this program wrote the file."""

SUFFIX = " (lossy)"
SERIES_STEP = 9000
"""What is added to Series Number: beyond those of scanners, and near none that viewers sort in between."""

_DROPPED = (
    "InstanceCreationDate",
    "InstanceCreationTime",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane",
    "IconImageSequence",
    "MACParametersSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
    "DataSetTrailingPadding",
)
_SIGNATURES = BaseTag(0xFFFAFFFA)
_DESCRIPTION_MOST, _SERIES_MOST = 1024, 64
"""Characters of ST and LO (PS3.5 section 6.2)."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """`sop` and `series`: the new object's UIDs. `text`: how it was made, in ASCII."""

    sop: str
    series: str
    ratio: float
    text: str


def derived(original: Dataset, how: Derivation) -> Dataset:
    """A header of its own for the lossy version of `original`, which is left as it is. Without pixel data."""
    ds = deepcopy(original)
    for keyword in _DROPPED:
        if keyword in ds:
            del ds[keyword]
    _unsign(ds)
    source = _source(original)
    ds.SOPInstanceUID, ds.SeriesInstanceUID = how.sop, how.series
    ds.InstanceCreatorUID = IMPLEMENTATION
    _name_series(ds)
    ds.ImageType = _derived_type(ds.get("ImageType"))
    ds.LossyImageCompression = "01"
    ds.LossyImageCompressionRatio = [*_several(ds.get("LossyImageCompressionRatio")), f"{how.ratio:.2f}"]
    ds.LossyImageCompressionMethod = [*_several(ds.get("LossyImageCompressionMethod")), METHOD]
    _say_derivation(ds, how.text, source)
    _say_frames(ds, how.text, source)
    _append(ds, "ContributingEquipmentSequence", _equipment())
    ds.file_meta = _file_meta(ds)
    return ds


def native_file(ds: Dataset, length: int, word: bool) -> bytes:
    """`ds` as a native file, with a place for `length` bytes of pixels, an even number, that
    `sdicom.restoring.encapsulate` fills otherwise."""
    whole = Dataset(ds)
    whole.file_meta = ds.file_meta
    whole.add_new(0x7FE00010, "OW" if word else "OB", bytes(length))
    written = BytesIO()
    pydicom.dcmwrite(written, whole, enforce_file_format=True, little_endian=True, implicit_vr=False)
    return written.getvalue()


def _file_meta(ds: Dataset) -> FileMetaDataset:
    """PS3.10 section 7.1. Whoever sent the original did not send this one."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = pydicom.uid.UID(EXPLICIT)
    meta.ImplementationClassUID, meta.ImplementationVersionName = pydicom.uid.UID(IMPLEMENTATION), "SDFO"
    return meta


def _name_series(ds: Dataset) -> None:
    description = str(ds.get("SeriesDescription") or "")
    ds.SeriesDescription = f"{description[: _SERIES_MOST - len(SUFFIX)]}{SUFFIX}".strip()
    number = ds.get("SeriesNumber")
    if number is not None and int(number) >= 0:
        ds.SeriesNumber = int(number) + SERIES_STEP


def _derived_type(value: object) -> list[str]:
    """Value 1 DERIVED; what follows stays. PRIMARY, where there was nothing: the patient was there (C.7.6.1.1.2)."""
    given = [str(each) for each in _several(value)]
    return ["DERIVED", *(given[1:] or ["PRIMARY"])]


def _say_derivation(ds: Dataset, text: str, source: Dataset) -> None:
    """One step more than there were: earlier ones stay, in order (C.7.6.1.1.3)."""
    before = str(ds.get("DerivationDescription") or "")
    joined = f"{before}; {text}" if before else text
    ds.DerivationDescription = joined if len(joined) <= _DESCRIPTION_MOST else text
    _append(ds, "DerivationCodeSequence", _code(*LOSSY))
    _append(ds, "SourceImageSequence", source)


def _say_frames(ds: Dataset, text: str, source: Dataset) -> None:
    """Enhanced objects say it in their functional groups too: C.7.6.16.2.6 Derivation Image, and each Frame Type."""
    shared = ds.get("SharedFunctionalGroupsSequence") or ()
    frames = ds.get("PerFrameFunctionalGroupsSequence") or ()
    for item in (item for group in (*shared, *frames) for item in _datasets(group)):
        if "FrameType" in item:
            item.FrameType = _derived_type(item.FrameType)
    apart = any("DerivationImageSequence" in group for group in frames)
    for group in frames if apart else shared:
        item = Dataset()
        item.DerivationDescription = text
        item.DerivationCodeSequence, item.SourceImageSequence = Sequence([_code(*LOSSY)]), Sequence([deepcopy(source)])
        _append(group, "DerivationImageSequence", item)


def _source(original: Dataset) -> Dataset:
    """PS3.3 table 10-3, Image SOP Instance Reference, with the purpose and that no information is lost in it."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = original.SOPClassUID, original.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = Sequence([_code(*PREDECESSOR)])
    return item


def _equipment() -> Dataset:
    """C.12.1, Contributing Equipment: who made this object of another's."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Sequence([_code(*PROCESSING)])
    item.Manufacturer, item.ManufacturerModelName = "sdfo", "sdfo lossy"
    item.ContributionDescription = "Lossy compression outside a protected region"
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _append(ds: Dataset, keyword: str, item: Dataset) -> None:
    setattr(ds, keyword, Sequence([*(ds.get(keyword) or ()), item]))


def _unsign(ds: Dataset) -> None:
    """Digital Signatures Sequence may stand in every item (C.12.1.1.3)."""
    for each in _datasets(ds):
        if _SIGNATURES in each:
            del each[_SIGNATURES]
        if each is not ds and "MACParametersSequence" in each:
            del each["MACParametersSequence"]


def _datasets(ds: Dataset) -> Iterator[Dataset]:
    yield ds
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from _datasets(item)


def _several(value: object) -> list[object]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple | pydicom.multival.MultiValue) else [value]
