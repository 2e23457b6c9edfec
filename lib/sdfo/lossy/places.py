"""Where lossy objects lie on near-line: below `derived/`, named by the copy that they were made beside."""

from __future__ import annotations

EXAMS, DERIVED = "exams/", "derived/"


def derived_path(copy: str) -> str:
    """Where the lossy objects of the near-line copy at `copy` lie, or would."""
    return f"{DERIVED}{copy.removeprefix(EXAMS)}"


def copy_path(derived: str) -> str:
    """The copy whose lossy objects lie at `derived`."""
    return f"{EXAMS}{derived.removeprefix(DERIVED)}"
