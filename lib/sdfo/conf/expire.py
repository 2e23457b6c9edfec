"""Settings of what may go, and of the reading again that must come first."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdfo.conf.sections import Section

GateTier = Literal["hdfs", "nearline", "tape"]
Modality = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]
"""A code string (PS3.5 section 6.2): a policy for "mg" would be one for no image, which nobody would notice."""

_MOST = 36500
"""Days: of more the calendar knows no beginning."""


class ExpirePolicy(Section):
    """What is other than `expire` says for exams with images of one modality; None: as it says."""

    san_days: float | None = Field(None, ge=0, le=_MOST)
    hdfs_days: float | None = Field(None, ge=0, le=_MOST)
    nearline_days: float | None = Field(None, ge=0, le=_MOST)
    copies: tuple[GateTier, ...] | None = None


class Expire(Section):
    san_days: float = Field(
        90, ge=0, le=_MOST, description="days that a file stays on the SAN: those in which most are looked at"
    )
    hdfs_days: float | None = Field(
        None,
        ge=0,
        le=_MOST,
        description="days that a part stays on HDFS, where Spark and MapReduce work; none = for ever",
    )
    nearline_days: float | None = Field(
        None,
        ge=0,
        le=_MOST,
        description="days that a part stays on near-line; none = for ever, for tape alone takes hours",
    )
    modalities: dict[Modality, ExpirePolicy] = Field(
        {},
        description='other days and copies for exams with images of a modality, {"MG": {"san_days": 365}}; of several the '
        "longest days and all copies count",
    )
    copies: tuple[GateTier, ...] = Field(
        ("hdfs", "nearline", "tape"),
        description="tiers that must have a copy before any other is removed: whole as read again, on tape with a receipt",
    )
    away: tuple[GateTier, ...] = Field(
        ("tape",),
        description="tiers that are off-line or in another building: one of them must have a copy, for a fire or an "
        "intruder reaches all others at once; () = not asked for",
    )
    verify_days: float = Field(
        100,
        gt=0,
        le=_MOST,
        description="days within which the copy that stays nearest was read again, every byte of it: those of a scrub, and "
        "ten that it may be late",
    )
    drill_days: float = Field(
        15,
        gt=0,
        le=_MOST,
        description="days within which the last drill must have ended well: it is due each week, and may fail once",
    )
    grace_days: float = Field(
        7,
        ge=0,
        le=_MOST,
        description="days that a removed file can still be fetched back from where it was put: somebody notices in a week",
    )
    gib_per_run: float = Field(
        1000, gt=0, description="GiB that one run takes away at most: each byte of them is read twice in its night"
    )
    unattended: bool = Field(
        False,
        description="whether the schedule removes anything by itself; false = it shows what would go, and a person approves",
    )
    scrub_days: float = Field(
        90,
        gt=0,
        le=_MOST,
        description="days within which a scrub reads each copy again: disks lose bits silently within years",
    )
    drill_parts: int = Field(
        20,
        ge=1,
        description="parts that a drill restores from each tier: a fault of one in ten is missed once in ten drills",
    )
