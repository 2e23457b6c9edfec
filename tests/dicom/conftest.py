"""Files to examine: pydicom's, all of them, and small ones made to order."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

DATA = Path(pydicom.__file__).parent / "data"
CODE = {".py", ".pyc", ".json"}

SHIPPED = sorted(path for path in DATA.rglob("*") if path.is_file() and path.suffix not in CODE)
"""Every file in pydicom's wheel that is data: DICOM of all kinds, DICOMDIRs, and a few that are not DICOM."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shipped_file" in metafunc.fixturenames:
        metafunc.parametrize("shipped_file", SHIPPED, ids=[str(path.relative_to(DATA)) for path in SHIPPED])


@pytest.fixture(scope="session")
def shipped_files() -> list[Path]:
    return SHIPPED


@pytest.fixture(scope="session")
def real_files(real_exams: Path) -> list[Path]:
    """Every file of the three real exams."""
    return sorted(path for exam in real_exams.iterdir() if exam.is_dir() for path in exam.rglob("*") if path.is_file())


Image = Callable[..., bytes]


def _dataset(syntax: str, rows: int, columns: int, frames: int, attributes: dict[str, object]) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("1.2.3.4.1")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.4.2", "1.2.3.4.3"
    ds.StudyDate, ds.PatientName = "20240229", "SYNTHETIC^NAME"
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = rows, columns, 8, 8, 7
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    if frames != 1:
        ds.NumberOfFrames = frames
    for keyword, value in attributes.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return ds


def _written(ds: Dataset) -> bytes:
    file = BytesIO()
    dcmwrite(file, ds, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture(scope="session")
def write() -> Callable[[Dataset], bytes]:
    """A dataset with its file_meta as the bytes of a file, written by pydicom."""
    return _written


@pytest.fixture(scope="session")
def image() -> Image:
    """image(syntax, pixels=…, rows=, columns=, frames=, **attributes): a small image; an attribute of None is left out."""

    def make(
        syntax: str = "1.2.840.10008.1.2.1",
        pixels: bytes | None = None,
        rows: int = 4,
        columns: int = 6,
        frames: int = 1,
        **attributes: object,
    ) -> bytes:
        ds = _dataset(syntax, rows, columns, frames, attributes)
        ds.add_new(0x7FE00010, "OB", pixels if pixels is not None else bytes(range(rows * columns)) * frames)
        ds["PixelData"].is_undefined_length = UID(syntax).is_compressed and syntax != "1.2.840.10008.1.2.1.99"
        return _written(ds)

    return make


@pytest.fixture(scope="session")
def without_pixels() -> Image:
    """The same without pixel data and the attributes about it."""

    def make(syntax: str = "1.2.840.10008.1.2.1", **attributes: object) -> bytes:
        about = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel")
        none = dict.fromkeys((*about, "PhotometricInterpretation", "PixelRepresentation"))
        return _written(_dataset(syntax, 1, 1, 1, none | attributes))

    return make


@pytest.fixture(scope="session")
def element() -> Callable[..., bytes]:
    """element(tag, vr, value, length=None, order="<"): one explicit element; `vr` None = implicit; `length` may lie."""

    def make(tag: int, vr: str | None, value: bytes, length: int | None = None, order: str = "<") -> bytes:
        name = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
        size = len(value) if length is None else length
        if vr is None or tag >> 16 == 0xFFFE:
            return name + struct.pack(f"{order}L", size) + value
        if vr in ("OB", "OW", "SQ", "UN", "UT"):
            return name + vr.encode() + bytes(2) + struct.pack(f"{order}L", size) + value
        return name + vr.encode() + struct.pack(f"{order}H", size) + value

    return make
