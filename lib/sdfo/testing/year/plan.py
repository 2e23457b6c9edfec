"""How long a simulation lasts, by which settings, and how much goes wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sdfo.testing.year.truth import HDFS


@dataclass(frozen=True, slots=True)
class Plan:
    """Chances are of one night, but `exams` and `late`: means. `pause`: that something is not done for longer than `san_days`.
    `quiet`: nights at the end in which nothing breaks any more. `every`: nights between two drills, of which each is followed by
    what else is not done nightly."""

    nights: int
    san_days: float
    grace_days: float
    hdfs_days: float
    every: int
    quiet: int
    relist_days: float = 7
    expire: dict[str, Any] = field(default_factory=dict)
    exams: float = 1.5
    late: float = 0.5
    fault: float = 0.4
    kill: float = 0.25
    away: float = 0.06
    full: float = 0.06
    changed: float = 0.1
    pause: float = 0.01

    def settings(self) -> dict[str, Any]:
        """MR exams go from HDFS too, once they are old, and need any two copies; everything else is as it comes."""
        own = {"san_days": self.san_days, "grace_days": self.grace_days}
        return {
            "expire": own | {"modalities": {"MR": {"hdfs_days": self.hdfs_days, "copies": [HDFS]}}} | self.expire,
            "san": {"root": "san", "settle_minutes": 0, "relist_days": self.relist_days},
        }


YEAR = Plan(nights=400, san_days=90, grace_days=7, hdfs_days=150, every=7, quiet=8, expire={"drill_parts": 5})
"""With the days of the default settings."""

SHORT = Plan(
    nights=18,
    san_days=3,
    grace_days=1,
    hdfs_days=5,
    every=3,
    quiet=2,
    relist_days=1,
    expire={"verify_days": 6, "scrub_days": 4, "drill_days": 7, "drill_parts": 2},
    exams=1.0,
    fault=0.5,
    kill=0.35,
    changed=0.2,
    pause=0.2,
)
"""Days in place of months: all happens that happens in a year."""
