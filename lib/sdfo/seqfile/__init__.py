"""Hadoop's SequenceFile, version 6: uncompressed, Text keys, BytesWritable values.

The format is what org.apache.hadoop.io.SequenceFile reads and writes; this package knows nothing of what the values
hold. `Reader` reads whole files or splits as Hadoop does, `Writer` appends records, `Framing` tells where a record will
stand before a byte of it is known. All positions are in bytes.
"""

from __future__ import annotations

from sdfo.seqfile.framing import SYNC_INTERVAL, SYNC_SIZE, Framing, prefix
from sdfo.seqfile.header import PREAMBLE, Header, encode_header, read_header
from sdfo.seqfile.reader import Entry, Reader
from sdfo.seqfile.vint import decode_vint, encode_vint, text
from sdfo.seqfile.window import Window
from sdfo.seqfile.writer import Writer

__all__ = [
    "PREAMBLE",
    "SYNC_INTERVAL",
    "SYNC_SIZE",
    "Entry",
    "Framing",
    "Header",
    "Reader",
    "Window",
    "Writer",
    "decode_vint",
    "encode_header",
    "encode_vint",
    "prefix",
    "read_header",
    "text",
]
