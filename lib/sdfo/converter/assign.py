"""Which study each file of an exam folder belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sdfo.model import Description, Kind, derived_uid


def by_study(
    described: Sequence[Description], site: str, folder: bytes, home: str | None = None
) -> dict[str, list[Description]]:
    """The folder's files by Study Instance UID; nothing if none of them is DICOM and the folder has no `home`.

    A file without a study goes with the study that has most files (of those, the smallest UID), else with `home`, the
    study that the folder's earlier files belong to. Where nothing says a study, the folder is an exam of its own, under
    a UID that site and folder give.
    """
    if home is None and all(d.kind is Kind.OTHER for d in described):
        return {}
    counts = Counter(d.study for d in described if usable(d))
    home = min(counts, key=lambda uid: (-counts[uid], uid or ""), default=None) or home
    home = home or own_study(site, folder)
    studies: dict[str, list[Description]] = {}
    for d in described:
        studies.setdefault(d.study if d.study and usable(d) else home, []).append(d)
    return studies


def usable(d: Description) -> bool:
    """Whether a file says which study it belongs to. The UID need not be a valid one: modalities write others too.

    What is stored under an invalid one is named by its digest (sdicom.part_name).
    """
    return d.kind is not Kind.OTHER and bool(d.study) and len(d.study or "") <= 64 and (d.study or "").isprintable()


def own_study(site: str, folder: bytes) -> str:
    """The study of a folder in which nothing says one."""
    return derived_uid(b"exam", site.encode(), folder)


def flag(study: str, site: str, folder: bytes) -> str | None:
    """What a person should know of a part's identity."""
    if study != own_study(site, folder):
        return None
    return "no file says its study: the exam is named after site and folder"
