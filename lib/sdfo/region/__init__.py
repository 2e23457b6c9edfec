"""Which pixels of an image must be exact: the protected region. Nothing here finds a lesion."""

from sdfo.conf import Region as Plan
from sdfo.region.methods import METHODS, Method, find, open_method
from sdfo.region.values import Mask, Region, Shown

__all__ = ["METHODS", "Mask", "Method", "Plan", "Region", "Shown", "find", "open_method"]
