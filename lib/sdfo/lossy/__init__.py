"""Lossy second objects, by policy: another DICOM object beside the lossless one, exact in its protected region."""

from sdfo.lossy.deriving import Derived, Policy, Refused, derive
from sdfo.lossy.parts import DerivedPart, LossyImage, derive_part
from sdfo.lossy.places import DERIVED, copy_path, derived_path
from sdfo.lossy.policy import ceiling, refusal
from sdfo.lossy.reading import LossyFiles
from sdfo.lossy.references import References, references, references_of
from sdfo.lossy.rules import RULES, Around, Rule

__all__ = [
    "DERIVED",
    "RULES",
    "Around",
    "Derived",
    "DerivedPart",
    "LossyFiles",
    "LossyImage",
    "Policy",
    "References",
    "Refused",
    "Rule",
    "ceiling",
    "copy_path",
    "derive",
    "derive_part",
    "derived_path",
    "references",
    "references_of",
    "refusal",
]
