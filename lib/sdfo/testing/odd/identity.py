"""Studies that share folders, folders that share studies, UIDs given twice, hostile ones, and none."""

from __future__ import annotations

from sdfo.model import Kind
from sdfo.testing.exams import Series
from sdfo.testing.odd import surgery
from sdfo.testing.odd.surgery import PATIENT_NAME, SERIES, SOP, STUDY
from sdfo.testing.odd.tree import Builder

HOSTILE = "../../etc/x"
TOO_LONG = "1.2.826.0.1.3680043.10.90210." + "1" * 41  # 70 characters; PS3.5 section 9.1 allows 64


def long_exam(tree: Builder, slices: int, size: int) -> None:
    """Merely many images."""
    small = tree.series()
    series = Series(small.modality, small.seed, size, head_bytes="siemens" if small.modality == "MR" else "small")
    tree.whole(b"long exam", series.images(slices), series.study_uid, prefix=b"I")


def studies_and_folders(tree: Builder) -> None:
    """Two studies in one folder, one study in two folders, and files that do not say."""
    most, fewer = tree.series(), tree.series()
    folder = b"two studies"
    tree.whole(folder, most.images(3), most.study_uid, prefix=b"most")
    tree.whole(folder, fewer.images(2), fewer.study_uid, prefix=b"fewer")
    silent = surgery.without(next(most.images(1, first=9)), STUDY)
    tree.file(folder, b"silent.dcm", silent, Kind.DICOM, "goes with the most files", study=most.study_uid)
    tree.file(folder, b"notes.txt", b"a note\n", Kind.OTHER, "goes with the most files", study=most.study_uid)

    folder, pair = b"two studies, a tie", (tree.series(), tree.series())
    for series in pair:
        tree.whole(folder, series.images(2), series.study_uid, prefix=series.study_uid[-4:].encode())
    smallest = min(series.study_uid for series in pair)
    tree.file(folder, b"notes.txt", b"a note\n", Kind.OTHER, "goes with the smallest UID", study=smallest)

    shared = tree.series()
    images = list(shared.images(5))
    tree.whole(b"one study, here", images[:3], shared.study_uid)
    tree.whole(b"one study, there", images[3:], shared.study_uid)
    again = "the same bytes as in the other folder"
    tree.file(b"one study, there", b"again.dcm", images[0], Kind.DICOM, again, study=shared.study_uid)


def repeated(tree: Builder) -> None:
    """One SOP Instance UID more than once."""
    folder = b"repeated UIDs"
    images = tree.images(3)
    sop, other = images[0], images[1]
    head = surgery.value_at(sop, surgery.PIXELS)[0]
    tree.file(folder, b"a.dcm", sop, Kind.DICOM, "the first of four")
    tree.file(folder, b"b.dcm", sop, Kind.DICOM, "the same bytes under another name: two records")
    corrected = surgery.with_value(sop, PATIENT_NAME, b"SYNTHETIC^CORRECTED ")
    tree.file(folder, b"c.dcm", corrected, Kind.DICOM, "another head, the same pixels: a correction")
    tree.file(folder, b"d.dcm", sop[:head] + other[head:], Kind.DICOM, "other pixels: a conflict, a person is told")
    tree.file(folder, b"e.dcm", images[2], Kind.DICOM, "an ordinary image")


def hostile(tree: Builder) -> None:
    """UIDs that would be paths, and that no field holds."""
    for name, text in ((b"hostile", HOSTILE), (b"too long", TOO_LONG), (b"leading zero", "1.2.03.4"), (b"empty", "")):
        for where, tag in ((b"study", STUDY), (b"SOP", SOP), (b"series", SERIES)):
            for number, image in enumerate(tree.images(2)):
                data = surgery.with_value(image, tag, surgery.uid(text))
                note = f"its {where.decode()} UID is {name.decode()}"
                tree.file(b"%b %b UID" % (name, where), b"%d.dcm" % number, data, Kind.DICOM, note)


def no_uids(tree: Builder) -> None:
    """DICOM that names no study, series or instance at all: an exam named after site and folder."""
    for number, image in enumerate(tree.images(2)):
        for tag in (SOP, STUDY, SERIES):
            image = surgery.without(image, tag)
        data = surgery.file_meta(surgery.EXPLICIT) + image[surgery.meta_end(image) :]
        tree.file(b"no UIDs", b"%d.dcm" % number, data, Kind.DICOM, "no UID but its transfer syntax")


GROUPS = (studies_and_folders, repeated, hostile, no_uids)
