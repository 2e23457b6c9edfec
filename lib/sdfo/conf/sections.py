"""The sections of the settings file. Each field says its unit and why its default is what it is."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

_METHOD = r"^[a-z_]+$|^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
"""A method's name in sdfo.region's table, or where a function of the site's own is."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class San(Section):
    root: str = Field(description="folder of the SAN that holds the exam folders; the same path on every executor")
    exam_depth: int = Field(1, ge=1, le=8, description="an exam folder is a directory this many levels below the root")
    settle_minutes: float = Field(
        15,
        ge=0,
        description="minutes without a change before a folder counts as complete; a modality sends for less. 0 = one listing",
    )
    relist_days: float = Field(
        7, ge=0, description="days after which an archived folder is listed in full again, for late images"
    )


class Hdfs(Section):
    root: str = Field(description="URL (hdfs://…) or folder below which exams/, attempts/, runs/ and state/ lie")
    software: str | None = Field(
        None, description="URL of the folder for what a cluster's containers run, 600 MB; none = software/ below root"
    )
    max_record_mib: int = Field(
        64,
        ge=1,
        le=1024,
        description="MiB above which a file is its own plain file: a stock reader holds a record in its heap",
    )
    block_mib: int = Field(
        128, ge=1, le=1024, description="MiB of an HDFS block: an exam spans few, and a map task reads one in seconds"
    )
    deadline_seconds: float = Field(
        20,
        gt=0,
        le=600,
        description="seconds that a call to HDFS may take, whatever hangs; above the 15 in which a last block is awaited",
    )
    write_retry_seconds: float = Field(
        900,
        ge=0,
        description="seconds for which a file that HDFS did not take is written anew: a dead node is given new blocks "
        "until the NameNode has noticed, by default 630 s",
    )


class Catalog(Section):
    url: str = Field(description="SQLAlchemy URL; sqlite:///relative.db counts from the settings file's folder")
    backups_kept: int = Field(
        14,
        ge=1,
        description="backups of the catalog that stay on each tier: two weeks in which a fault of its contents may be noticed",
    )


NearlineCodec = Literal["j2k-roi", "j2k", "htj2k", "original"]


class Nearline(Section):
    root: str = Field(
        description="URL or folder of the near-line store (NAS); a folder is mounted at the same path on every executor"
    )
    codec: NearlineCodec = Field(
        "j2k-roi",
        description="how images are written there, lossless whatever the choice: j2k-roi = the region first, j2k and htj2k "
        "= without one (htj2k is several times faster and larger), original = the part as it is on HDFS",
    )
    codecs: dict[str, NearlineCodec] = Field(
        {}, description="another codec for parts that hold mostly images of a modality (MG, CT …)"
    )
    form: Literal["codestream", "file"] = Field(
        "codestream",
        description="what a compressed record holds: codestream = the frames, whose first layers are read without the "
        "rest; file = a DICOM file that any viewer opens",
    )
    judged: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of the images that a second decoder, of another make, reads as well before they are written; "
        "each one is restored and compared with its SHA-256 in any case",
    )
    batch_gib: float = Field(
        20, gt=0, description="GiB of S-DICOM files in one engine job; what a crash of the engine may cost to repeat"
    )
    workers: int = Field(
        1,
        ge=0,
        description="exams that the local engine backs up at once, each with two threads; 0 = in this process, where an "
        "exam that kills its worker kills the backup",
    )
    start: time = Field(
        time(22, 0),
        description="local time (night.timezone) from which the backup may work: two hours after the night has begun",
    )
    end: time = Field(
        time(6, 0), description="local time by which its last exam must have ended; equal to start = any time"
    )


class Tape(Section):
    root: str = Field(description="URL or folder of the tape staging area")
    codec: NearlineCodec = Field(
        "original",
        description="how parts are written to tape: original = as they are on HDFS, byte for byte, for drives compress and "
        "no decoder may be needed; any other must not be one of near-line's",
    )
    volume_gib: float = Field(
        100,
        gt=0,
        description="GiB of parts at which a volume is sealed: a tape holds many, and one is recalled in minutes",
    )
    volume_max_age_hours: float = Field(
        72, ge=0, description="hours that a part waits for others before its volume is sealed as it is: three nights"
    )
    capacity_gib: float = Field(0, ge=0, description="GiB that the staging area may take; 0 = what its file system has")
    report_at: float = Field(0.7, gt=0, le=1, description="share of the staging area above which a person is told")
    clear_at: float = Field(
        0.85,
        gt=0,
        le=1,
        description="share above which volumes that are on tape and that nobody needs here are removed",
    )
    close_at: float = Field(0.95, gt=0, le=1, description="share that no new volume may pass")
    pin_hours: float = Field(
        72, ge=0, description="hours that a recalled volume stays for certain: a weekend, for whoever asked for it"
    )


class Night(Section):
    start: time = Field(time(20, 0), description="local time when heavy work may begin: clinics are closed")
    end: time = Field(time(6, 0), description="local time when it must have ended; before start = the next morning")
    timezone: str = Field("Europe/Berlin", description="IANA name of the zone that start and end are in")

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no such time zone: {name}") from error
        return name


class Backfill(Section):
    days: float = Field(
        0,
        ge=0,
        description="days since an exam's newest file was written beyond which it is left to `sdfo backfill`, if nothing "
        "of it was ever archived; 0 = the night takes exams of any age",
    )
    gib_per_run: float = Field(
        100,
        gt=0,
        description="GiB of SAN files in one slice of the first load; what may stand between the night and its turn",
    )
    mib_per_second: float = Field(
        0,
        ge=0,
        description="MiB that a slice reads from the SAN per second, on average over a minute or an exam; 0 = no limit",
    )
    start: time = Field(
        time(20, 0), description="local time (night.timezone) from which slices may begin, as the night's"
    )
    end: time = Field(
        time(6, 0), description="local time by which the last one must have ended; equal to start = any time"
    )


class Convert(Section):
    batch_gib: float = Field(
        20, gt=0, description="GiB of SAN files in one engine job; what a crash of the engine may cost to repeat"
    )
    workers: int = Field(
        2,
        ge=0,
        description="worker processes of the local engine, and of Spark where nothing was submitted; 0 = in this "
        "process, where an exam that kills its worker kills the night",
    )


class Region(Section):
    method: str = Field(
        "body",
        pattern=_METHOD,
        description="how the protected region of an image is found: body = all that is not air around the patient, otsu = "
        "the bright half of a double peak, whole = no region, or package.module:function of your own",
    )
    methods: dict[str, Annotated[str, Field(pattern=_METHOD)]] = Field(
        {},
        description='other methods by modality, {"MR": "whole"}; one that is named here counts as you wish it: without, only '
        "CT and MR have a region, for a radiograph has no background that is safe to name",
    )
    margin_mm: float = Field(
        10.0,
        ge=0,
        le=100,
        description="mm around what was found that belong to the region too: skin folds, hair-thin parts, what a threshold "
        "cuts off",
    )
    smallest: float = Field(
        0.001,
        ge=0,
        lt=1,
        description="share of the image's pixels below which a part is a speck; a child's finger in a large field is larger",
    )
    valley: float = Field(
        0.5,
        gt=0,
        le=1,
        description="count in the valley of the histogram, as a share of the lower peak, above which there is no double "
        "peak: the region is then the whole image",
    )
    table_mm: float = Field(
        6.0,
        ge=0,
        le=50,
        description="mm of thickness up to which a long thing apart from the patient is the table or head holder of a CT and "
        "no part of the region; 0 = it belongs to it",
    )


class Spark(Section):
    master: Literal["local", "yarn"] = Field(
        "local",
        description="where the Spark engine runs: local = workers of this machine, yarn = HADOOP_CONF_DIR's cluster",
    )
    properties: dict[str, str] = Field(
        {}, description="Spark's own properties on YARN (queue, executors, memory …), on top of what sdfo sets"
    )


class Mrjob(Section):
    runner: Literal["local", "hadoop"] = Field(
        "local",
        description="where the mrjob engine runs: local = processes of this machine, hadoop = streaming on YARN",
    )
    conf: str | None = Field(
        None, description="mrjob's own settings (hadoop_bin, hadoop_streaming_jar, jobconf …); none = what mrjob finds"
    )


class Lossy(Section):
    modalities: tuple[str, ...] = Field(
        (),
        description="modalities (0008,0060) of whose images lossy second objects may be made; none = off, for it is a "
        "physician's decision that no default can take",
    )
    ceilings: dict[str, Annotated[float, Field(gt=1)]] = Field(
        {"CR": 10, "DX": 10, "CT": 8, "MR": 7, "XA": 6, "RF": 6},
        description="by modality: ratio of compression that no image may exceed, on the basis of Bits Stored; by default "
        "those of the German consensus conference of 2008. Images of a modality that has none are refused",
    )
    ct_brain_ceiling: float = Field(
        5,
        gt=1,
        description="the same for a CT of the brain, and for one that does not say which part of the body it shows: it "
        "may be a brain",
    )
    background_db: float = Field(
        40,
        ge=0,
        description="dB of PSNR that the background must have, by the range of the image's own values: at 40 its errors are "
        "a hundredth of that range. Without a limit a first layer shows grey instead of air",
    )


class Limits(Section):
    same_error: float = Field(
        0.05, gt=0, le=1, description="share of a run's files that may fail for one reason before the run stops"
    )
    same_error_files: int = Field(20, ge=1, description="… and the number of files that must fail so at the least")
    shrink: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of the known folders that a listing must show, else the SAN is taken for unmounted",
    )
    night_age_hours: float = Field(
        36, gt=0, description="hours after which `status` calls the last good night too old: a day and a late morning"
    )
    backup_age_hours: float = Field(
        72,
        gt=0,
        description="hours that a part may wait for its near-line copy before a person is told: three nights",
    )
    receipt_age_hours: float = Field(
        72,
        gt=0,
        description="hours that a volume may wait for its receipt, or a recall for its volume, before a person is told",
    )
    free: float = Field(0.15, ge=0, le=1, description="share of a tier that must be free for `status` to be content")
