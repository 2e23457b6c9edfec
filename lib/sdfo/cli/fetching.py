"""`get` of what is on tape: it is recalled before anything is written, and waited for if that is wished.

No longer than `limits.receipt_age_hours`: by then `status` tells a person of it, and the recall goes on without whoever waited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdfo.cli.progress import showing
from sdfo.cli.show import note
from sdfo.cli.tape import told
from sdfo.errors import NotFound, Postponed

if TYPE_CHECKING:
    from sdfo.client import Archive
    from sdfo.model import Location
    from sdfo.nightly.place import Place


def bring_back(place: Place, archive: Archive, uid: str, wait: bool) -> None:
    """Have the volumes here without which a file cannot be read, or say which recall waits for them: `Postponed`.

    From then on the archive's reader asks for others too, where a nearer copy turns out to be damaged.
    """
    from sdfo.nightly.tape.recall import away, volumes_of

    def recalled(location: Location) -> bool:
        _fetch(place, uid, volumes_of([[location]]), wait)
        return True

    archive.reader.recall = recalled
    volumes = volumes_of(archive.locator.files(uid), alone=True)
    if volumes and away(place, volumes):
        _fetch(place, uid, volumes, wait)


def _fetch(place: Place, uid: str, volumes: list[str], wait: bool) -> None:
    from sdfo.catalog.recalls import DONE, FAILED
    from sdfo.nightly.tape.recall import ask
    from sdfo.nightly.tape.recall import wait as waited

    row = ask(place, uid, volumes)
    if wait and row.state not in (DONE, FAILED):
        note(f"it is on tape; {told(row)}")  # whoever is interrupted knows which
        most = place.settings.limits.receipt_age_hours * 3600
        with showing(f"recall {row.id}") as progress:
            row = waited(place, row.id, progress, most=most)
    if row.state == FAILED:
        raise NotFound(told(row), next_command="sdfo recalls, and ask whoever keeps the tapes")
    if row.state != DONE:
        after = f"sdfo recalls; then sdfo get {uid} again, or now with --wait"
        raise Postponed(f"it is on tape; {told(row)}", next_command=after)
