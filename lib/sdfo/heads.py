"""Reading the heads of new SAN files, so that `find` and `get` serve an image before its first night."""

from __future__ import annotations

from collections.abc import Iterable

from sdfo.catalog import SanFile, StudyAttributes
from sdfo.catalog.headers import Head, study_attributes
from sdfo.dicom import Structure, examine
from sdfo.errors import OutOfRange, SanError
from sdfo.model import FileStamp, Kind
from sdfo.sdicom import HEAD_LIMIT
from sdfo.tiers.san import San


def look(san: San, folder: bytes, stamps: Iterable[FileStamp]) -> tuple[list[SanFile], list[StudyAttributes]]:
    """What the files say of themselves, and the attributes of the studies among them, from one file a series.

    A file that cannot be read now is left out: convert meets it again and says why.
    """
    files, heads = list[SanFile](), dict[tuple[str, str | None], Head]()
    for stamp in stamps:
        try:
            with san.open(folder, stamp.name) as file:
                structure = examine(file)
                files.append(_file(stamp, structure))
                key = (structure.study or "", structure.series)
                if structure.study and structure.kind is not Kind.OTHER and key not in heads:
                    head = file.read(0, _head(structure, file.size))
                    heads[key] = (structure.series, head, structure.transfer_syntax)
        except (SanError, OutOfRange):
            continue
    studies = dict.fromkeys(study for study, _ in heads)
    return files, [study_attributes(study, (h for (of, _), h in heads.items() if of == study)) for study in studies]


def _head(structure: Structure, size: int) -> int:
    return min(size if structure.pixels is None else structure.pixels.offset, HEAD_LIMIT)


def _file(stamp: FileStamp, structure: Structure) -> SanFile:
    said = (structure.study, structure.series, structure.sop, structure.sop_class)
    return SanFile(stamp.name, stamp.size, stamp.mtime_ns, stamp.ctime_ns, *said)
