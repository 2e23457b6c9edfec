"""Reading the heads of new SAN files, so that `find` and `get` serve an image before its first night."""

from __future__ import annotations

from collections.abc import Iterable

from sdfo.catalog import Attributes, SeenFile, attributes_of
from sdfo.dicom import Structure, examine
from sdfo.errors import OutOfRange, SanError
from sdfo.model import FileStamp, Kind
from sdfo.tiers.san import San

HEAD_MOST = 256 * 1024
"""Bytes of a file in which its patient, study and series are looked for."""


def look(san: San, folder: bytes, stamps: Iterable[FileStamp]) -> tuple[list[SeenFile], list[Attributes]]:
    """What the files say of themselves, and the attributes of each series among them, from its first file.

    A file that cannot be read now is left out: convert meets it again and says why.
    """
    seen, series = list[SeenFile](), dict[tuple[str, str | None], Attributes]()
    for stamp in stamps:
        try:
            with san.open(folder, stamp.name) as file:
                structure = examine(file)
                seen.append(_seen(stamp, structure))
                key = (structure.study or "", structure.series)
                if structure.study and structure.kind is not Kind.OTHER and key not in series:
                    series[key] = attributes_of(file.read(0, _head(structure, file.size)))
        except (SanError, OutOfRange):
            continue
    return seen, list(series.values())


def _head(structure: Structure, size: int) -> int:
    end = size if structure.pixels is None else structure.pixels.offset
    return min(end, HEAD_MOST)


def _seen(stamp: FileStamp, structure: Structure) -> SeenFile:
    return SeenFile(stamp, structure.study, structure.series, structure.sop, structure.sop_class)
