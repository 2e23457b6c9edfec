"""The DICOM Inventory object (PS3.3 A.88, module C.38.1): which images there are, and where their files lie.

Each instance points into a container file by byte offset and length (Stored File Access Macro, C.38.2.2; container type BLOB of
annex P.1.2), with the SHA-256 of its file as MAC. A reader needs nothing of ours. Attributes of type 2 that the archive does
not keep are there and empty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from sdfo.model import derived_uid

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.201.1"
"""Inventory Storage."""
BLOB = "BLOB"
_IMPLEMENTATION = derived_uid(b"implementation", b"sdfo")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_NUMBER = re.compile(r"[+-]?\d{1,11}")


@dataclass(frozen=True, slots=True)
class ListedImage:
    """`uri` is complete, or begins with `./` and counts from the inventory's base; `sha256` of the file, in hex."""

    sop_class: str
    sop: str
    number: str
    transfer_syntax: str
    uri: str
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ListedSeries:
    series: str
    modality: str = ""
    number: str = ""
    description: str = ""
    body_part: str = ""
    images: tuple[ListedImage, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedStudy:
    study: str
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    date: str = ""
    time: str = ""
    description: str = ""
    accession: str = ""
    series: tuple[ListedSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which studies an inventory is of: all, those of a range of days (`YYYYMMDD-YYYYMMDD`, either end open), or one."""

    dates: str = ""
    study: str = ""


def inventory(
    studies: Sequence[ListedStudy], base: str, scope: Scope, at: datetime, station: str, *, complete: bool
) -> Dataset:
    """The object. `at`: when its making began, with its zone; `complete`: nothing of the scope could not be looked at."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.InstanceCreationDate, ds.InstanceCreationTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
    ds.SOPClassUID, ds.SOPInstanceUID = SOP_CLASS, generate_uid(prefix=None)
    ds.ContentDate, ds.ContentTime = f"{at:%Y%m%d}", f"{at:%H%M%S.%f}"
    ds.Manufacturer, ds.ManufacturerModelName, ds.StationName = "sdfo", "S-DICOM archive", _text(station, 16)
    ds.ScopeOfInventorySequence = _scope(scope)
    ds.InventoryPurpose = "Export of the archive's catalog"
    ds.InventoryLevel = "INSTANCE"
    ds.StoredInstanceBaseURI = base
    ds.InventoryCompletionStatus = "COMPLETE" if complete else "PARTIAL"
    ds.NumberOfStudyRecordsInInstance = ds.TotalNumberOfStudyRecords = len(studies)
    ds.IncorporatedInventoryInstanceSequence = []
    ds.InventoriedStudiesSequence = [_study(study, at) for study in studies]
    return ds


def encoded(ds: Dataset) -> bytes:
    """The object as a DICOM file (PS3.10)."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = UID(_IMPLEMENTATION)
    out = BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def _scope(scope: Scope) -> list[Dataset]:
    """Key attributes of the studies that are in (C.38.2.1); none is universal matching."""
    if not scope.dates and not scope.study:
        return []
    item = Dataset()
    item.ExtendedMatchingMechanisms = ["RANGE"] * bool(scope.dates) + ["UID_LIST"] * bool(scope.study)
    if scope.dates:
        item.RangeMatchingSequence = [_of(StudyDate=scope.dates)]
    if scope.study:
        item.ListOfUIDMatchingSequence = [_of(StudyInstanceUID=scope.study)]
    return [item]


def _study(study: ListedStudy, at: datetime) -> Dataset:
    return _of(
        ItemInventoryDateTime=f"{at:%Y%m%d%H%M%S.%f%z}",
        StudyUpdateDateTime="",
        StudyInstanceUID=study.study,
        StudyDate=study.date,
        StudyTime=_matching(_TIME, study.time),
        AccessionNumber=_text(study.accession, 16),
        StudyID="",
        StudyDescription=_text(study.description, 64),
        ReferringPhysicianName="",
        PatientName=_text(study.patient_name, 194).replace("\\", " "),
        PatientID=_text(study.patient_id, 64),
        IssuerOfPatientID="",
        PatientBirthDate=study.birth_date,
        PatientSex=study.sex if study.sex in ("M", "F", "O") else "",
        ModalitiesInStudy=sorted({code for each in study.series if (code := _matching(_CODE, each.modality))}),
        NumberOfStudyRelatedSeries=len(study.series),
        NumberOfStudyRelatedInstances=sum(len(each.images) for each in study.series),
        InventoriedSeriesSequence=[_series(each, at) for each in study.series],
    )


def _series(series: ListedSeries, at: datetime) -> Dataset:
    return _of(
        ItemInventoryDateTime=f"{at:%Y%m%d%H%M%S.%f%z}",
        Modality=_matching(_CODE, series.modality) or "OT",
        SeriesInstanceUID=series.series,
        SeriesNumber=_matching(_NUMBER, series.number),
        SeriesDescription=_text(series.description, 64),
        BodyPartExamined=_matching(_CODE, series.body_part),
        NumberOfSeriesRelatedInstances=len(series.images),
        InventoriedInstancesSequence=[_image(each, at) for each in series.images],
    )


def _image(image: ListedImage, at: datetime) -> Dataset:
    access = _of(
        FileAccessURI=image.uri,
        ContainerFileType=BLOB,
        FileOffsetInContainer=image.offset,
        FileLengthInContainer=image.length,
        StoredInstanceTransferSyntaxUID=image.transfer_syntax,
        MACAlgorithm="SHA256",
        MAC=bytes.fromhex(image.sha256),
    )
    return _of(
        ItemInventoryDateTime=f"{at:%Y%m%d%H%M%S.%f%z}",
        SOPClassUID=image.sop_class,
        SOPInstanceUID=image.sop,
        InstanceNumber=_matching(_NUMBER, image.number),
        FileAccessSequence=[access],
    )


def _of(**values: object) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def _text(value: str, most: int) -> str:
    """What a LO or SH may hold (PS3.5 section 6.2): no backslash, no control character."""
    return "".join(c if c.isprintable() and c != "\\" else " " for c in value)[:most].strip()


def _matching(pattern: re.Pattern[str], value: str) -> str:
    return value if pattern.fullmatch(value) else ""
