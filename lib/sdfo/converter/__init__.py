"""SDFO Converter: Map and Reduce of the night. `describe` reads one SAN file; `merge` writes an exam's S-DICOM files.

Together they are a function of the names and bytes of an exam folder's files: whatever engine runs them, in whatever
order the descriptions arrive, the files written are the same. Neither holds an exam in memory: a description has no
pixel, its head waits in a spool on local disk, and the second reading of a file goes straight into the sink.
"""

from sdfo.converter.describe import Problem, describe
from sdfo.converter.merge import Desk, merge

__all__ = ["Desk", "Problem", "describe", "merge"]
