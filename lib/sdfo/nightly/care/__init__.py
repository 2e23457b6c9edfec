"""Copies and catalog kept whole: read again, compared, made again, backed up."""
