"""Figures as people read them: on the night's page and on the command line."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: float) -> str:
    """Bytes in decimal units, as disks are sold and networks are measured: 999 B, 1.00 kB, 12.3 GB."""
    value, unit = float(count), 0
    while unit < len(_UNITS) - 1 and abs(value) >= 999.5:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{value:.0f} B"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def rate(per_second: float | None) -> str:
    return "–" if per_second is None else f"{size(per_second)}/s"


def duration(seconds: float | None) -> str:
    """0.42 s, 4.2 s, 12 s, 3 min 05 s, 2 h 07 min, 3 d 04 h."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02} h"


def until_full(days: float | None) -> str:
    """When a tier is full; a guess beyond ten years says no more than that."""
    if days is None:
        return "does not fill up"
    return f"in about {count(round(days))} days" if days < 3650 else "in more than ten years"


def count(number: int) -> str:
    """Thousands apart by a narrow space, which no locale takes for a decimal point."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def many(number: int, thing: str, things: str = "") -> str:
    """1 file, 12 files; `things` where an s does not make the plural."""
    return f"{count(number)} {thing if number == 1 else things or thing + 's'}"


def printable(text: str) -> str:
    """`text` without what would move a cursor, change colours or turn the writing round: names come from outside.

    Such characters are shown as `\\xNN` or `\\uNNNN`; a line break too.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
