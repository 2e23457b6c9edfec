"""The catalog: what exists and where, over all tiers.

SQLite for one machine, PostgreSQL for real; the same code and the same tests for both. Executors never write to it and
never get its URL.
"""

from __future__ import annotations

from sdfo.catalog.attributes import SeriesAttributes, StudyAttributes
from sdfo.catalog.availability import Availability
from sdfo.catalog.catalog import Catalog
from sdfo.catalog.copies import CopyRow, NewCopy, PartRow
from sdfo.catalog.entries import FileMark, InstanceEntry, PartEntry
from sdfo.catalog.freeing import ExamFacts, Freed, InGrace, OldFolder
from sdfo.catalog.headers import entry_of, study_attributes
from sdfo.catalog.holds import Hold, HoldKind
from sdfo.catalog.leases import Lease
from sdfo.catalog.marks import Alias
from sdfo.catalog.publish import Published
from sdfo.catalog.quarantine import QuarantineNote, QuarantineRow
from sdfo.catalog.queries import Query, StudyRow
from sdfo.catalog.rebuild import RebuildReport, rebuild
from sdfo.catalog.recalls import RecallRow
from sdfo.catalog.runs import RunRow, StepRow
from sdfo.catalog.san import SanFile, SanFolder
from sdfo.catalog.volumes import VolumeRow
from sdfo.catalog.waiting import Queue, Waiting

__all__ = [
    "Alias",
    "Availability",
    "Catalog",
    "CopyRow",
    "ExamFacts",
    "FileMark",
    "Freed",
    "Hold",
    "HoldKind",
    "InGrace",
    "InstanceEntry",
    "Lease",
    "NewCopy",
    "OldFolder",
    "PartEntry",
    "PartRow",
    "Published",
    "QuarantineNote",
    "QuarantineRow",
    "Query",
    "Queue",
    "RebuildReport",
    "RecallRow",
    "RunRow",
    "SanFile",
    "SanFolder",
    "SeriesAttributes",
    "StepRow",
    "StudyAttributes",
    "StudyRow",
    "VolumeRow",
    "Waiting",
    "entry_of",
    "rebuild",
    "study_attributes",
]
