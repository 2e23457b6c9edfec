"""Native images of every kind that DICOM allows, as files: what a transcoder must carry, or keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from sdfo.region import Plan, Region, Shown
from sdfo.testing.heads import ROOT

LITTLE, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.3.1"
"""Multi-frame: of a secondary capture the whole image is always the region."""


@dataclass(frozen=True, slots=True)
class NativeImage:
    """`samples`: (frames, rows, columns[, 3]), values as `signed` and `stored` allow; what they stand for is the image.

    `high_bit` and `raw` (the pixel data's value) are made of the others unless they are given. `more` are attributes.
    """

    samples: NDArray[Any]
    stored: int
    signed: bool = False
    photometric: str = "MONOCHROME2"
    allocated: int = 16
    syntax: str = LITTLE
    planar: bool = False
    high_bit: int | None = None
    raw: bytes | None = None
    number: int = 1
    more: dict[str, Any] = field(default_factory=dict)

    def value(self) -> bytes:
        """The pixel data's value, of an even length."""
        order, kind = ">" if self.syntax == BIG else "<", "i" if self.signed else "u"
        laid = np.moveaxis(self.samples, -1, 1) if self.planar else self.samples
        data = laid.astype(f"{order}{kind}{self.allocated // 8}").tobytes()
        return data + b"\0" * (len(data) % 2)

    def file(self) -> bytes:
        ds = self._dataset()
        for word, value in self.more.items():
            setattr(ds, word, value)
        ds.PixelData = self.value() if self.raw is None else self.raw
        ds["PixelData"].VR = "OB" if self.allocated == 8 and self.syntax != IMPLICIT else "OW"
        ds.file_meta = FileMetaDataset()
        ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = (
            ds.SOPClassUID,
            ds.SOPInstanceUID,
        )
        ds.file_meta.TransferSyntaxUID = UID(self.syntax)
        ds.file_meta.ImplementationClassUID = UID(f"{ROOT}.1")
        written = BytesIO()
        ds.save_as(written, enforce_file_format=True)
        return written.getvalue()

    def _dataset(self) -> Dataset:
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = UID(ULTRASOUND), UID(f"{ROOT}.9.{self.number}")
        ds.StudyInstanceUID, ds.SeriesInstanceUID = UID(f"{ROOT}.9"), UID(f"{ROOT}.9.0")
        ds.StudyDate, ds.Modality, ds.PatientName = "20240102", "OT", "SYNTHETIC^IMAGE"
        ds.SamplesPerPixel = self.samples.shape[3] if self.samples.ndim == 4 else 1
        ds.PhotometricInterpretation = self.photometric
        ds.NumberOfFrames = len(self.samples)
        ds.Rows, ds.Columns = self.samples.shape[1:3]
        ds.BitsAllocated, ds.BitsStored = self.allocated, self.stored
        ds.HighBit = self.stored - 1 if self.high_bit is None else self.high_bit
        ds.PixelRepresentation = int(self.signed)
        if ds.SamplesPerPixel > 1:
            ds.PlanarConfiguration = int(self.planar)
        if self.photometric == "PALETTE COLOR":
            self._add_palette(ds)
        return ds

    def _add_palette(self, ds: Dataset) -> None:
        """Lookup tables (PS3.3 section C.7.6.3.1.5), in the words of the file's own byte order."""
        for colour in ("Red", "Green", "Blue"):
            setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            table = np.arange(256, dtype=">u2" if self.syntax == BIG else "<u2") * 257
            setattr(ds, f"{colour}PaletteColorLookupTableData", table.tobytes())


def noise(shape: tuple[int, ...], bits: int, signed: bool, seed: int = 0) -> NDArray[Any]:
    """Samples over the whole range of so many bits, its ends among them."""
    least = -(1 << bits - 1) if signed else 0
    samples = np.random.default_rng(seed).integers(least, least + (1 << bits), shape, dtype=np.int32)
    samples.ravel()[0], samples.ravel()[-1] = least, least + (1 << bits) - 1
    return samples


def left_half(shown: Shown, plan: Plan) -> Region:
    """A region for images that have none: `region.Method`."""
    mask = np.zeros(shown.shape, dtype=bool)
    mask[:, : max(1, shown.shape[1] // 2)] = True
    return Region.of(mask, "left half", "for a test")


HALVES = Plan(methods={"OT": f"{__name__}:left_half"})
"""Of every generated image the left half is the region."""
