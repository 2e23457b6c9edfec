"""Whether the archive is well: for a person, and for a monitor that reads the exit code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from sdfo.cli import show
from sdfo.cli.app import given
from sdfo.cli.finding import Finding, table
from sdfo.cli.show import Answer
from sdfo.errors import Missing, Postponed, SettingsError, StoreError, Unavailable

if TYPE_CHECKING:
    from sdfo.nightly.place import Place
    from sdfo.stores import Store


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Care")(status)


def status(ctx: typer.Context) -> Answer:
    """Exit 1 when the last good night is too old, or what waits for near-line, a receipt or a recall, or a tier has too
    little room."""
    place = given(ctx).place("status")
    good, lines = None, [_newest(place), _work(place), _quarantine(place), *_first_load(place), _backup(place)]
    lines += [_catalog_backup(place), *_care(place)]
    try:
        good = last_good_night(place)
        lines = [
            _night(good, place.settings.limits.night_age_hours),
            _room(place),
            *_nearline(place),
            *_tape(place),
            *lines,
        ]
    except Unavailable as error:
        lines = [Finding("the HDFS store", False, f"does not answer: {error.what}", "sdfo doctor"), *lines]
    well = all(line.ok for line in lines)
    data: dict[str, Any] = {"ok": well, "last_good_night": good and good[0], "run": good and good[1], "lines": lines}
    return Answer(data, [table(lines)], 0 if well else 1)


def last_good_night(place: Place) -> tuple[datetime, str] | None:
    """What the file in the store's root says: when, and which run. None before the first."""
    from sdfo.nightly.place import GOOD_NIGHT

    try:
        when, _, run = place.store.read_all(GOOD_NIGHT).decode().strip().partition(" ")
        return datetime.fromisoformat(when), run
    except Missing:
        return None
    except ValueError as error:
        raise SettingsError("the file last_good_night is not what the report writes", path=GOOD_NIGHT) from error


def _night(good: tuple[datetime, str] | None, most: float) -> Finding:
    if good is None:
        return Finding("last good night", False, "none yet", "sdfo night")
    hours = (datetime.now(UTC) - good[0]).total_seconds() / 3600
    found = f"{show.moment(good[0])}, {hours:.1f} h ago (at most {most:g}), run {good[1]}"
    return Finding(
        "last good night", hours <= most, found, "" if hours <= most else "see the last run's page, then sdfo night"
    )


def _room(place: Place) -> Finding:
    return _free(place, "room in the HDFS store", place.store)


def _nearline(place: Place) -> list[Finding]:
    """Whether it is mounted, and its room; nothing before `init` has made it."""
    if not place.has_nearline:
        return []
    try:
        return [_free(place, "room in the near-line store", place.nearline)]
    except (StoreError, Postponed) as error:
        return [Finding("near-line store", False, error.what, error.next_command or "sdfo doctor")]


def _tape(place: Place) -> list[Finding]:
    """Room in the staging area, and what has waited for the tape system; nothing before `init` has made it."""
    from sdfo.tiers.tape.room import room

    if not place.has_tape:
        return []
    settings = place.settings.tape
    try:
        share = room(place.tape, settings).share
    except (StoreError, Postponed) as error:
        return [Finding("tape staging area", False, error.what, error.next_command or "sdfo doctor")]
    after = "sdfo tape ls: which volumes has the tape system not taken?" if share > settings.report_at else ""
    found = f"{share:.0%} full (at most {settings.clear_at:.0%})"
    return [Finding("tape staging area", share <= settings.clear_at, found, after), _waits_for_tapes(place)]


def _waits_for_tapes(place: Place) -> Finding:
    from sdfo.nightly.tape.awaited import awaited

    found, most = awaited(place), place.settings.limits.receipt_age_hours
    age = "" if found.hours is None else f", the oldest for {found.hours:.1f} h (at most {most:g})"
    late = found.late(most)
    return Finding("tape", not late, f"{found}{age}", "sdfo tape ls, sdfo recalls" if late else "")


def _catalog_backup(place: Place) -> Finding:
    """The last one that is done; the gate lets nothing go without tonight's."""
    from sdfo.nightly.care.catalog_backup import STEP

    row = place.catalog.last_step(STEP, "done")
    if row is None or row[1].ended is None:
        return Finding("catalog backup", True, "none yet", "sdfo catalog backup --run ID")
    most = place.settings.limits.night_age_hours
    hours = (datetime.now(UTC) - row[1].ended).total_seconds() / 3600
    found = f"{show.moment(row[1].ended)}, {hours:.1f} h ago (at most {most:g})"
    return Finding("catalog backup", hours <= most, found, "" if hours <= most else "sdfo catalog backup --run ID")


def _backup(place: Place) -> Finding:
    from sdfo.nightly import figures

    queue = place.catalog.queue()
    aside = f"; {queue.aside} set aside" if queue.aside else ""
    if queue.oldest is None:
        return Finding("near-line backup", True, f"nothing waits{aside}")
    hours, most = (datetime.now(UTC) - queue.oldest).total_seconds() / 3600, place.settings.limits.backup_age_hours
    waits = f"{figures.many(queue.parts, 'part')}, {figures.size(queue.bytes)} wait"
    found = f"{waits}, the oldest for {hours:.1f} h (at most {most:g}){aside}"
    return Finding("near-line backup", hours <= most, found, "" if hours <= most else "sdfo backup --run ID --any-time")


def _free(place: Place, what: str, store: Store) -> Finding:
    from sdfo.nightly import figures

    free, total = store.free()
    share = free / total if total else 0.0
    enough = share >= place.settings.limits.free
    found = (
        f"{figures.size(free)} of {figures.size(total)} free, {share:.0%} (at least {place.settings.limits.free:.0%})"
    )
    return Finding(what, enough, found, "" if enough else "sdfo gc, and more disks")


def _newest(place: Place) -> Finding:
    """How the newest run stands: it may be postponed, and nobody at work."""
    from sdfo.nightly.turn import POSTPONED

    run = next((newest.run for newest in place.catalog.runs(1)), None)
    row = next(reversed(place.catalog.steps(run).values()), None) if run else None
    if row is None:
        return Finding("newest run", True, f"{run}, no step has begun" if run else "none yet")
    why = f": {row.report['error']}" if "error" in row.report else ""
    again = f"sdfo {row.step.replace('-', ' ')} --run {run}" if row.state == POSTPONED else ""
    return Finding("newest run", True, f"{run}, {row.step} {row.state}{why}", again)


def _work(place: Place) -> Finding:
    from sdfo.nightly.turn import ARCHIVE

    lease = place.catalog.lease_holder(ARCHIVE)
    return Finding(
        "at work now", True, "nobody" if lease is None else f"run {lease.run}, lease until {show.moment(lease.expires)}"
    )


def _first_load(place: Place) -> list[Finding]:
    """While something waits."""
    waits = place.catalog.backlog()
    found = f"{waits.exams} exams wait, {waits.files} files"
    return [Finding("first load", True, found, "sdfo backfill --dry-run")] if waits.exams else []


def _care(place: Place) -> list[Finding]:
    """The last scrub, drill and expiry, and a gate that was shut by a rebuild."""
    from sdfo.catalog.freeing import SHUT
    from sdfo.nightly.care import standing

    next_ones = {"scrub": "sdfo restore --lost --dry-run", "drill": "sdfo drill --run ID --wait"}
    lines = [
        Finding(
            f"last {row.step}",
            not row.bad,
            f"{row.state} {row.ended}: {row.said}",
            next_ones.get(row.step, f"sdfo {standing.command(row.step)} --run ID") if row.bad else "",
        )
        for row in standing.rows(place)
    ]
    shut = place.catalog.gate_marks().get(SHUT)
    if shut is not None:
        lines.append(Finding("delete gate", True, f"shut by a rebuild, {show.moment(shut[0])}", "sdfo expire --reopen"))
    return lines


def _quarantine(place: Place) -> Finding:
    number = len(place.catalog.quarantine())
    return Finding("open quarantine entries", True, str(number), "sdfo quarantine" if number else "")
