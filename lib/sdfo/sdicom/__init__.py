"""The S-DICOM file: the files of one exam folder that belong to one study, as one SequenceFile (docs/format.md).

To write: `in_order` the records, `plan` with their heads, `write` with their values. To read: `Part.open`.
"""

from __future__ import annotations

from sdfo.sdicom.checking import CheckReport, check_aparts
from sdfo.sdicom.describing import described, edges
from sdfo.sdicom.last_part import LastPart
from sdfo.sdicom.names import apart_name, escape_name, part_name, unescape_name
from sdfo.sdicom.part import Part
from sdfo.sdicom.planning import Plan, in_order, plan
from sdfo.sdicom.record import HEAD_LIMIT, TAIL_LIMIT, WHOLE_LIMIT, Apart, Layers, Original, Record
from sdfo.sdicom.value import read_extent, read_value
from sdfo.sdicom.writing import write

__all__ = [
    "HEAD_LIMIT",
    "TAIL_LIMIT",
    "WHOLE_LIMIT",
    "Apart",
    "CheckReport",
    "LastPart",
    "Layers",
    "Original",
    "Part",
    "Plan",
    "Record",
    "apart_name",
    "check_aparts",
    "described",
    "edges",
    "escape_name",
    "in_order",
    "part_name",
    "plan",
    "read_extent",
    "read_value",
    "unescape_name",
    "write",
]
