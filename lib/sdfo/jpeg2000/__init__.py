"""JPEG 2000 (ISO/IEC 15444-1 and -15): images to codestreams and back, with a region that is exact first. No DICOM here."""

from sdfo.jpeg2000.codecs import CODECS, Codec, Encoded, open_codec
from sdfo.jpeg2000.codestream import cut
from sdfo.jpeg2000.decoding import decode, judge
from sdfo.jpeg2000.image import Image, Mask

__all__ = ["CODECS", "Codec", "Encoded", "Image", "Mask", "cut", "decode", "judge", "open_codec"]
