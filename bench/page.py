"""The table as a page of the documentation."""

from __future__ import annotations

from bench import codecs
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
- **find**: `Catalog.find` of at most 1,000 studies, with what `sdfo find` shows of each, over {catalog_exams} exams of ten years, two series each, 1.25 parts,
  three copies of each part and {catalog_images} instances in it, half of all UIDs random. p50 and p95 of {queries} queries a round, each about another exam.
- **a night published**: `Catalog.publish` in batches of 50 exams with their SAN files and the journal on disk, {night_images} images an exam; into that catalog against
  into an empty one. With random UIDs (2.25) every exam lands on pages of the indexes that nobody has touched: no goal is set for these.
- **region first**: `j2k-roi` with the region as the archive finds it, and with a circle of 20 mm, against `j2k`, each on one thread;
  {codec_images} images an exam, evenly spread; both by OpenJPEG. **cutting**: a codestream in memory becomes that of its first layer.
- **an exam compressed**: an S-DICOM file read, its images encoded, each proven to come back to its SHA-256, every tenth read by
  FFmpeg too, the S-DICOM file for near-line written; by two threads. Against two processes that have the images (and regions)
  in memory, encode them, and decode, hash and judge them alike: they read, find and write nothing.
- **near-line**: the S-DICOM file with `j2k-roi` codestreams, against the files each by zstd at level 3. **preview**: bytes of the
  first layer, in which the region is exact, of all images that have layers.

On a real Hadoop (3.5.0), which the bench starts: NameNode and three DataNodes on this machine, two replicas, blocks of
128 MiB. Both sides of a row share with it the cores, the disk and the page cache.

- **NameNode objects**: files, folders and blocks that the NameNode has more (FSNamesystemState) after a night over exams of
  equal size in a new archive, divided by their number: parts, journal, manifests and report of the run are in, and what only
  a first night makes. Against the folder, files and blocks of one exam with an HDFS file for each image.
- **merge to HDFS**: as above, written by the store; against handing the same bytes, in pieces of 4 MiB that lie in memory, to
  the same client's writer and hashing them. Both end when the NameNode knows the file's length. Merging besides reads
  {exam} files from the SAN, looks three times whether each is still the one that was described, and compares digests.
- **whole exam**: the bytes of every file of an exam, each compared with its SHA-256, by `Part.open` and `Part.values`, and by
  `Archive.exam`, where the catalog is asked first (the exam has left the SAN); against the HDFS client's own stream of that
  S-DICOM file, hashed as it comes.
- **one image from HDFS**: lookup by SOP Instance UID in an open part, read, SHA-256 compared; against the client's positioned
  read of the same bytes and SHA-256. {hadoop_images} images a round, at random; the two sides change turns at each image.
- **1, 2, 4 clients**: processes, each with an exam of its own. Converting: describe and merge of files that lie on the SAN,
  against reading and hashing each file, then reading, hashing and writing it to HDFS. Reading: by `Archive.exam`. The paper
  (Table 1) had 20 servers: its figures are no goal here, its 1 to 2 s for an exam are.
- **layouts**: S-DICOM and a file per image through the same client; MapFile and HAR by Hadoop's classes in a JVM that had done
  the work before, HAR out of files that lay on HDFS already. All take each image's SHA-256 within the time, and gave the
  bytes of the originals. A HAR is written by a MapReduce job, counted whole; its objects are those of the archive alone.
"""


def page(shown: str, sizes: Sizes, images: int) -> str:
    return _PAGE.format(
        codec_images=codecs.IMAGES,
        table=shown.strip(),
        exam=sizes.exam,
        spark_exams=sizes.spark_exams,
        spark_slices=sizes.spark_slices,
        images=images,
        catalog_exams=f"{sizes.catalog_exams:,}",
        catalog_images=sizes.catalog_images,
        queries=sizes.queries,
        night_images=sizes.night_images,
        hadoop_images=sizes.images,
    )
