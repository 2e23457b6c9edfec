"""Lossy second objects, by policy: another DICOM object beside the lossless one, exact in its protected region."""
