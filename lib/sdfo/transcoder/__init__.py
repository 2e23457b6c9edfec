"""SDFO Transcoder: S-DICOM → S-DICOM with another codec, every image proven before anything is written; and back."""
