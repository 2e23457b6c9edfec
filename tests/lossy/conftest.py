"""Small images with a body in air, whose headers a test changes, and a policy that allows them."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from sdfo import conf
from sdfo.lossy import Policy

CT, STUDY = "1.2.840.10008.5.1.4.1.1.2", "1.2.826.0.1.3680043.10.90210.5"
Change = Callable[[Dataset], None]


def pixels(size: int, frames: int = 1, seed: int = 1) -> np.ndarray[Any, np.dtype[np.int16]]:
    """HU: a body of soft tissue in air, both with noise."""
    down, across = np.mgrid[:size, :size] / size - 0.5
    body = (down / 0.3) ** 2 + (across / 0.2) ** 2 <= 1
    noise = np.random.default_rng(seed).normal(0, 9, (frames, size, size))
    return np.clip(np.where(body, 40, -1000) + noise, -1024, 3071).round().astype("<i2")


def dataset(size: int = 128, frames: int = 1, seed: int = 1, **attributes: Any) -> Dataset:
    """A CT of the chest, 16 bits stored, signed; `attributes` by keyword, None to leave one out."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CT, f"{STUDY}.1.{seed}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY, f"{STUDY}.1"
    ds.FrameOfReferenceUID = f"{STUDY}.9"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Modality, ds.BodyPartExamined = "CT", "CHEST"
    ds.StudyDate, ds.PatientID, ds.PatientName = "20240102", "P1", "Doe^Jane"
    ds.SeriesDescription, ds.SeriesNumber, ds.InstanceNumber = "Thorax 5 mm", 3, seed
    ds.InstanceCreationDate, ds.SmallestImagePixelValue, ds.LargestImagePixelValue = "20240102", -1024, 3071
    ds.Rows = ds.Columns = size
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.PixelSpacing = [2, 2]
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.PixelData = pixels(size, frames, seed).tobytes()
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def file_of(ds: Dataset) -> bytes:
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    written = BytesIO()
    dcmwrite(written, ds, enforce_file_format=True)
    return written.getvalue()


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.fixture(scope="session")
def ct() -> Callable[..., Dataset]:
    """`dataset`."""
    return dataset


@pytest.fixture(scope="session")
def written() -> Callable[[Dataset], bytes]:
    """`file_of`."""
    return file_of


@pytest.fixture(scope="session")
def an_item() -> Callable[..., Dataset]:
    """`item`."""
    return item


@pytest.fixture(scope="session")
def policy() -> Policy:
    """CT and MR, by the consensus's ceilings."""
    return Policy(conf.Lossy(modalities=("CT", "MR")))


@pytest.fixture(scope="session")
def key_object() -> Callable[..., bytes]:
    """A Key Object Selection Document that names these instances, as PS3.3 section C.17.6.2 has them."""

    def make(*instances: str, number: int = 1) -> bytes:
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.88.59"), f"{STUDY}.2.{number}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = STUDY, f"{STUDY}.2", "KO"
        named = [item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid) for uid in instances]
        series = item(SeriesInstanceUID=f"{STUDY}.1", ReferencedSOPSequence=Sequence(named))
        evidence = item(StudyInstanceUID=STUDY, ReferencedSeriesSequence=Sequence([series]))
        ds.CurrentRequestedProcedureEvidenceSequence = Sequence([evidence])
        ds.ValueType, ds.ContentSequence = "CONTAINER", Sequence([item(ValueType="TEXT", TextValue="Of interest")])
        return file_of(ds)

    return make


@pytest.fixture(scope="session")
def read() -> Callable[[bytes], Dataset]:
    return lambda data: dcmread(BytesIO(data))
