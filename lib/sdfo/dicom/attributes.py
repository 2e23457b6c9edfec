"""The whole of a head, by pydicom: every attribute, nested ones too."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import pydicom
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.valuerep import IS, DSdecimal, ISfloat, PersonName

from sdfo.dicom.filemeta import FileMeta, data_start, read_file_meta
from sdfo.dicom.inflate import Inflated
from sdfo.dicom.transfer import DEFLATED
from sdfo.dicom.vr import TRANSFER_SYNTAX
from sdfo.dicom.window import Window
from sdfo.errors import DicomError

# pydicom warns of values that break their VR's rules, and quotes them: patients' names would stand in the log
config.settings.reading_validation_mode = config.IGNORE

PYDICOM_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    pydicom.errors.BytesLengthException,
    pydicom.errors.InvalidDicomError,
)
"""What pydicom raises for bytes that it cannot make sense of."""


def attributes(head: bytes) -> Dataset:
    """The attributes in `head`: a file's bytes before its pixel data's value, or the file itself if it has none.

    A Dataset with its `file_meta`; pixel data and what follows is left out. The head of a deflated file is the file;
    it is inflated within the bounds of `inflate`. Values are decoded when they are looked at: a look may raise what
    pydicom raises for a value that is none. `DicomError` if the head is no DICOM, or too broken or too deep to read.
    """
    try:
        return _read(head)
    except PYDICOM_ERRORS as error:
        raise DicomError(f"pydicom cannot read the head: {type(error).__name__}") from None


def _read(head: bytes) -> Dataset:
    window, meta = Window.over(head), FileMeta()
    start = data_start(window)
    if start is None:
        raise DicomError("no DICOM head")
    read_file_meta(window, start, meta)
    if meta.values.get(TRANSFER_SYNTAX) not in DEFLATED:
        return pydicom.dcmread(BytesIO(head), stop_before_pixels=True, force=True)
    inflated = Inflated(window.source, meta.end)
    ds = pydicom.dcmread(BytesIO(inflated.read(0, inflated.size)), stop_before_pixels=True, force=True)
    ds.file_meta = pydicom.dcmread(BytesIO(head[: meta.end]), force=True).file_meta
    return ds


def plain(value: Any) -> Any:
    """A value of pydicom's as plain Python: what `select` promises to return."""
    if isinstance(value, MultiValue | list | tuple | pydicom.Sequence):
        return [plain(item) for item in value]
    if isinstance(value, Dataset):
        return {int(element.tag): plain(element.value) for element in value}
    for kinds, convert in _PLAIN:
        if isinstance(value, kinds):
            return convert(value)
    return value


_PLAIN: tuple[tuple[Any, Any], ...] = (
    ((str, PersonName), str),
    ((IS, BaseTag), int),
    ((ISfloat, DSdecimal, float), float),
)
