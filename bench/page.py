"""The table as a page of the documentation."""

from __future__ import annotations

from bench.sizes import Sizes

_PAGE = """# Benchmarks

Written by `make bench ARGS='--markdown docs/benchmarks.md'`; do not edit. Each row names its two sides, "ours : reference".
The sides took turns within one run (A B A B …, the first turn not counted), with the same files in the same state of the page
cache, and both made durable what they wrote (fsync of the file and of its folder). Shown are medians over the rounds, and
beside the ratio its least and greatest. Rows in seconds give our speed as a share of the reference's: 1 is as fast, 0.5 takes
twice as long. All other ratios are our cost as a multiple of the reference's. Nothing here fails a build: `make bench` ends
well whatever it finds, because a machine that others use is no judge (the load is the one-minute average of all processes).

{table}

## What is measured

- **CT** is a generated exam of {exam} images, 512 × 512 × 16 bits, heads of 2 KB. **MR** is the real Siemens exam below
  `SDFO_REAL_EXAMS` (192 images of 227 KB, 100 KB of each the head), a generated one like it where that is not set.
- **conversion**: describe, merge and verify of one exam in this process, against a loop on one thread that reads and hashes
  the same files three times and writes them once into one file. The converter hashes four times, not three: the pixel data
  has a digest of its own. So with one thread it cannot come above 0.8; what the engine does is use the cores it has.
- **merge alone**: the descriptions are there; against reading, hashing and writing the same files once.
- **Spark**: {spark_exams} exams of {spark_slices} images. How much faster `local[2]` is than `local[1]`, divided by how much
  faster two plain processes are than one that do the same reads, hashes and writes. JVMs, Python workers and plain processes
  are started before and did the work once; what Spark does for every job (planning, tasks, shuffle, results) is counted.
  The second row is the time itself, for those who wonder what Spark costs.
- **one image**: lookup by SOP Instance UID, read, SHA-256 compared; against the bare read and SHA-256. Warm page cache, the
  index in memory, {images} images 512 × 512 spread over the exam, the median of them a round. **First image**: opening the
  file, reading and proving its header, and the same; images of 128 × 128.
- **ten tags**: `Part.heads` and `dicom.select`, against `dcmread(stop_before_pixels=True, specific_tags=…)` of the separate
  files; the values were compared. Cold: before each turn every file was written out (fsync) and given up
  (`POSIX_FADV_DONTNEED`); directories and inodes stay cached. Bytes are those that are asked of the store, against the size
  of the files.
- **peak memory**: of a process that converts one exam (VmHWM), the interpreter and its imports included, some 66 MB.
"""


def page(shown: str, sizes: Sizes, images: int) -> str:
    return _PAGE.format(
        table=shown.strip(),
        exam=sizes.exam,
        spark_exams=sizes.spark_exams,
        spark_slices=sizes.spark_slices,
        images=images,
    )
