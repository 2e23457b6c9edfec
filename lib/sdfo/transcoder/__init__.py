"""SDFO Transcoder: S-DICOM → S-DICOM with another codec, every image proven before anything is written; and back."""

from sdfo.transcoder.recipe import Recipe, Transcoded, Treated
from sdfo.transcoder.transcoding import restore, transcode

__all__ = ["Recipe", "Transcoded", "Treated", "restore", "transcode"]
