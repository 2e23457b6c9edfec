"""Every way a whole DICOM file may be written, and DICOM that is no image."""

from __future__ import annotations

import struct
from io import BytesIO
from itertools import chain

from pydicom import dcmread
from pydicom.uid import UID, EncapsulatedPDFStorage, MultiFrameGrayscaleByteSecondaryCaptureImageStorage

from sdfo.model import Kind
from sdfo.testing.odd import surgery
from sdfo.testing.odd.surgery import PATIENT_NAME, PIXELS, SERIES, SOP, STUDY
from sdfo.testing.odd.tree import Builder
from sdfo.testing.shipped import shipped

_SYNTAXES = {
    "MR_small_implicit.dcm": "implicit VR",
    "MR_small_expb.dcm": "big endian",
    "SC_rgb_small_odd_big_endian.dcm": "big endian, 27 bytes of pixels",
    "MR_small_padded.dcm": "padding after the pixels",
    "CT_small.dcm": "data set trailing padding",
    "SC_rgb_jpeg_dcmtk.dcm": "JPEG",
    "JPGExtended.dcm": "JPEG extended, 12 bits",
    "SC_rgb_jpeg_gdcm.dcm": "JPEG lossless",
    "MR_small_jpeg_ls_lossless.dcm": "JPEG-LS",
    "MR_small_jp2klossless.dcm": "JPEG 2000 lossless",
    "693_J2KI.dcm": "JPEG 2000",
    "JPEG2000-embedded-sequence-delimiter.dcm": "JPEG 2000 whose code stream holds a sequence delimiter's bytes",
    "MR_small_RLE.dcm": "RLE",
    "SC_rgb_rle_2frame.dcm": "RLE, two frames",
    "examples_ybr_color.dcm": "JPEG, 30 frames",
    "SC_ybr_full_422_uncompressed.dcm": "YBR_FULL_422: two samples a pixel",
    "rtdose_expb.dcm": "big endian, 32 bits, 15 frames",
    "liver_1frame.dcm": "one bit a pixel",
}
_LACKING = {
    "badVR.dcm": "its Number of Frames is no number",
    "nested_priv_SQ.dcm": "pixel data of unknown rows and columns, no UIDs",
    "UN_sequence.dcm": "an image class without pixel data",
    "no_meta_group_length.dcm": "an image class without pixel data, File Meta Information without its length",
}
_BARE = {
    "ExplVR_BigEndNoMeta.dcm": "big endian",
    "ExplVR_LitEndNoMeta.dcm": "explicit VR, other tags first",
    "rtstruct.dcm": "implicit VR",
}
_NO_PIXELS = {
    "test-SR.dcm": "structured report",
    "reportsi.dcm": "structured report",
    "rtplan.dcm": "treatment plan",
    "waveform_ecg.dcm": "electrocardiogram, over 64 KiB",
}


def syntaxes(tree: Builder) -> None:
    """Transfer syntaxes of PS3.5 annex A, as pydicom ships them."""
    folder = b"transfer syntaxes"
    series = tree.series()
    tree.whole(folder, series.images(2))
    for number, (name, note) in enumerate(_SYNTAXES.items()):
        data = surgery.renamed(shipped(name).read_bytes(), series.study_uid, number)
        tree.file(folder, name.encode(), data, Kind.DICOM, note)
    for number, (name, note) in enumerate(_LACKING.items(), 100):
        data = surgery.renamed(shipped(name).read_bytes(), series.study_uid, number)
        tree.file(folder, name.encode(), data, Kind.DAMAGED, note)
    tree.file(folder, b"deflated.dcm", _deflated(next(series.images(1, first=3))), Kind.DICOM, "deflated")
    data = shipped("image_dfl.dcm").read_bytes()
    tree.file(folder, b"image_dfl.dcm", data, Kind.DICOM, "deflated, and after it gzip's trailer of CRC-32 and length")


def _deflated(data: bytes) -> bytes:
    ds = dcmread(BytesIO(data))
    ds.file_meta.TransferSyntaxUID = UID(surgery.DEFLATED)
    return _saved(ds)


def _saved(ds: object) -> bytes:
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)  # type: ignore[attr-defined]
    return file.getvalue()


def bare(tree: Builder) -> None:
    """Without preamble, without File Meta Information: not PS3.10, and read by everyone."""
    folder = b"bare data sets"
    series = tree.series()
    images = list(series.images(6))
    tree.whole(folder, images[:2])
    tree.file(folder, b"no-preamble.dcm", images[2][132:], Kind.DICOM, "begins with the group length of its meta")
    tree.file(folder, b"no-meta.dcm", images[3][surgery.meta_end(images[3]) :], Kind.DICOM, "begins with its data set")
    tree.file(folder, b"no-extension", images[4], Kind.DICOM, "a name without .dcm")
    for number, (name, note) in enumerate(_BARE.items()):
        data = surgery.renamed(shipped(name).read_bytes(), series.study_uid, number)
        tree.file(folder, name.encode(), data, Kind.DICOM, f"no File Meta Information: {note}")
    without_length = surgery.PREAMBLE + images[5][144:]
    tree.file(folder, b"no-group-length.dcm", without_length, Kind.DICOM, "File Meta Information without its length")


def icons(tree: Builder) -> None:
    """The pixel data in an Icon Image Sequence (PS3.3 section F.7) is not the image's."""
    folder = b"icons"
    images = tree.images(5)
    tree.whole(folder, images[:2])
    for name, image, length in ((b"defined", images[2], None), (b"undefined", images[3], surgery.UNDEFINED)):
        data = surgery.before_pixels(image, _icon(length))
        tree.file(folder, b"icon-%b-length.dcm" % name, data, Kind.DICOM, "an icon before the image")
    at = surgery.value_at(images[4], PIXELS)[0] - 12
    cut = surgery.before_pixels(images[4], _icon(None))[: at + len(_icon(None))]
    tree.file(folder, b"icon-only.dcm", cut, Kind.DAMAGED, "cut after the icon: the image's own pixels are missing")


def _icon(length: int | None) -> bytes:
    """Icon Image Sequence with one item of 8 × 8 pixels, of defined or of undefined length."""
    numbers = (((0x28, 2), 1), ((0x28, 0x10), 8), ((0x28, 0x11), 8), ((0x28, 0x100), 8), ((0x28, 0x101), 8),
               ((0x28, 0x102), 7), ((0x28, 0x103), 0))  # fmt: skip
    elements = [surgery.element(tag, b"US", struct.pack("<H", value)) for tag, value in numbers]
    elements.insert(1, surgery.element((0x28, 4), b"CS", b"MONOCHROME2 "))
    body = b"".join(elements) + surgery.element(PIXELS, b"OB", bytes(range(64)))
    if length is None:
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body
    else:
        ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        item = struct.pack("<HHI", 0xFFFE, 0xE000, length) + body + ends
    return surgery.element((0x0088, 0x0200), b"SQ", item, length)


def no_pixels(tree: Builder) -> None:
    """DICOM that is no image."""
    folder = b"no pixels"
    series = tree.series()
    for number, (name, note) in enumerate(_NO_PIXELS.items()):
        data = surgery.renamed(shipped(name).read_bytes(), series.study_uid, number)
        tree.file(folder, name.encode(), data, Kind.DICOM, note)
    study = series.study_uid
    tree.file(folder, b"report-pdf.dcm", _pdf(study, series.sop_uid(1)), Kind.DICOM, "encapsulated PDF", study=study)


def _pdf(study: str, sop: str) -> bytes:
    """Encapsulated PDF (PS3.3 section A.45.1)."""
    pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    uids = ((0x0008, 0x0016), EncapsulatedPDFStorage), (SOP, sop)
    return b"".join(
        (
            surgery.file_meta(
                surgery.EXPLICIT,
                surgery.element((2, 2), b"UI", surgery.uid(EncapsulatedPDFStorage)),
                surgery.element((2, 3), b"UI", surgery.uid(sop)),
            ),
            *(surgery.element(tag, b"UI", surgery.uid(value)) for tag, value in uids),
            surgery.element((0x0008, 0x0060), b"CS", b"DOC "),
            surgery.element(PATIENT_NAME, b"PN", b"SYNTHETIC^PDF "),
            surgery.element(STUDY, b"UI", surgery.uid(study)),
            surgery.element(SERIES, b"UI", surgery.uid(f"{study}.1")),
            surgery.element((0x0042, 0x0011), b"OB", pdf + b"\0" * (len(pdf) % 2)),
            surgery.element((0x0042, 0x0012), b"LO", b"application/pdf "),
        )
    )


def multiframe(tree: Builder, mib: int) -> None:
    """One file of `mib` MiB: beside its S-DICOM file, not in it, where that is above `hdfs.max_record_mib`."""
    folder = b"multi-frame"
    images = tree.images(2)
    tree.whole(folder, images[:1])
    ds = dcmread(BytesIO(images[1]))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    ds.Rows = ds.Columns = 512
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.NumberOfFrames = 7, 0, 4 * mib
    ds["PixelData"].VR, ds.PixelData = "OB", b""
    frames = (bytes([n % 251]) * 1024 + bytes(range(256)) * 1020 for n in range(4 * mib))
    head = _saved(ds)[:-4] + struct.pack("<I", 4 * mib * 512 * 512)
    tree.file(folder, b"multi-frame.dcm", chain([head], frames), Kind.DICOM, f"{mib} MiB")


GROUPS = (syntaxes, bare, icons, no_pixels)
