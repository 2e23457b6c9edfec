"""SDFO Locator: where the copies of a file lie, cheapest first. It answers from the catalog and opens no file."""

from __future__ import annotations

from collections.abc import Iterable

from sdfo.catalog import Catalog
from sdfo.errors import NotFound
from sdfo.model import Location, Tier


class Locator:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def copies(self, uid: str) -> list[Location]:
        """Every copy of every file of a study, series or SOP instance, in the order to try them; `NotFound` if none."""
        found = self.catalog.locate(uid)
        if not found:
            raise NotFound(f"nothing is known of UID {uid}", next_command="sdfo find …, or sdfo scan if it is new")
        return found

    def files(self, uid: str) -> list[tuple[Location, ...]]:
        """The files of a study, series or SOP instance, by folder and name: of each, its copies in the order to try.

        Of records that share a SOP Instance UID only the current one is among them; `NotFound` if it has no copy left.
        Where one name stood for several files in turn, all of them are, and the one that has it now is the last. An
        alias is no file of its own, but one copy more of the record whose bytes it has.
        """
        files: dict[tuple[bytes, bytes, str | None], tuple[Location, ...]] = {}
        for location in self.copies(uid):
            if location.version == 0:
                file = (location.folder, location.name, location.sha256)
                files[file] = (*files.pop(file, ()), location)  # so that the file with the newest part stands last
        if not files:
            raise NotFound(f"no copy is left of what is current under UID {uid}", next_command=f"sdfo locate {uid}")
        kept = _with_aliases(files.values())
        return sorted(kept, key=lambda file: (file[0].folder, file[0].name, file[0].tier is Tier.SAN))


def _with_aliases(files: Iterable[tuple[Location, ...]]) -> list[tuple[Location, ...]]:
    """The files, those that lie on the SAN alone behind the archived ones that have the same bytes."""
    archived = [file for file in files if file[-1].tier is not Tier.SAN]
    held = {(file[0].study, file[0].sha256): number for number, file in reversed(list(enumerate(archived)))}
    alone = list[tuple[Location, ...]]()
    for file in files:
        number = held.get((file[0].study, file[0].sha256))
        if file[-1].tier is not Tier.SAN:
            continue
        if number is None:
            alone.append(file)
        else:
            archived[number] += file
    return archived + alone
