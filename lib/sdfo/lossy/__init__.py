"""Lossy second objects, by policy: another DICOM object beside the lossless one, exact in its protected region."""

from sdfo.lossy.deriving import Derived, Policy, Refused, derive
from sdfo.lossy.parts import DerivedPart, LossyImage, copy_path, derive_part, derived_path
from sdfo.lossy.policy import ceiling, refusal
from sdfo.lossy.references import References, references, references_of
from sdfo.lossy.rules import RULES, Around, Rule

__all__ = [
    "RULES",
    "Around",
    "Derived",
    "DerivedPart",
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
