"""Every error of the archive, in one tree, named for what happened.

    SdfoError                    anything below; exit code 1
    ├── SettingsError            a setting is missing, unknown or contradictory; exit code 2
    ├── UsageError               a command's words are off; exit code 2
    ├── Postponed                not now, repeat it later as it is; exit code 75
    │   └── LeaseHeld            another run is at work
    ├── Fenced                   this step's token is no longer the newest: a later one took over
    ├── Fuse                     a night stopped itself: too many files fail alike, or the SAN looks empty
    ├── EngineError              a worker of an engine died, and its work with it
    ├── NoEngine                 an engine could not be started at all
    ├── NotFound                 nothing in the catalog answers to this UID, id or name
    ├── Conflict                 two things claim one place in the catalog
    ├── OnlyCopy                 a lossy copy would stand alone: no verified lossless one is there
    ├── CatalogError             the catalog cannot be opened, is of another version, or lies on a network disk
    ├── StoreError               a store could not do what was asked
    │   ├── Exists               the target is there already: do not retry
    │   ├── Missing              the path is not there: do not retry
    │   ├── BadPath              a path with a part outside [A-Za-z0-9._-]: do not retry
    │   ├── OutOfRange           a positioned read beyond the end: do not retry
    │   ├── Full                 no room is left, or a quota is used up: do not retry before there is
    │   ├── WrongStore           the near-line or tape root lacks this archive's id: it may be unmounted
    │   ├── OnTape               a volume is not in the staging area: it must be recalled first
    │   └── Unavailable          the store did not answer: a new attempt, to a new name, may succeed
    ├── SanError                 the SAN itself
    │   ├── WrongSan             the root lacks `.sdfo-san`, or carries another id: it may be unmounted
    │   ├── Changed              a file is not what it was when it was described
    │   ├── Vanished             a file that was listed is gone
    │   └── Unreadable           a file cannot be opened or read
    └── FormatError              bytes are not what their format says; carries the offset
        ├── SequenceFileError    Hadoop's container
        │   └── SequenceFileTruncated  the file ends inside its header or inside a record
        ├── DicomError           a DICOM file is not whole
        ├── CodecError           a codestream, or an image that a codec cannot take
        ├── VolumeError          a tape volume is not what its manifest or digest says
        └── SdicomError          an S-DICOM file
            ├── NotSdicom        wrong magic, class names or version
            ├── HeaderMismatch   the header does not agree with its own digest
            ├── LengthMismatch   the file is shorter or longer than its index says
            └── RecordMismatch   a record's key, length or digest differs from the index

Each carries where (path and offset) and the two values that disagree, and the next command where there is one. No
message holds a folder or file name of the SAN: they are often patients' names.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator


class SdfoError(Exception):
    """The base. `exit_code` is what a command ends with when it meets this error."""

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        path: str | None = None,
        offset: int | None = None,
        expected: object = None,
        found: object = None,
        next_command: str | None = None,
    ) -> None:
        self.what, self.path, self.offset = what, path, offset
        self.expected, self.found, self.next_command = expected, found, next_command
        super().__init__(self._text())

    def _text(self) -> str:
        where = "" if self.path is None else f"{self.path}: "
        at = "" if self.offset is None else f" at offset {self.offset}"
        values = (("expected", self.expected), ("found", self.found))
        differ = ", ".join(f"{word} {value}" for word, value in values if value is not None)
        differ = f": {differ}" if differ else ""
        after = "" if self.next_command is None else f"; next: {self.next_command}"
        return f"{where}{self.what}{at}{differ}{after}"

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders (worker to parent) with their location."""
        return _rebuild, (type(self), dict(self.__dict__))


def _rebuild(kind: type[SdfoError], state: dict[str, object]) -> SdfoError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    Exception.__init__(error, error._text())
    return error


class SettingsError(SdfoError):
    exit_code = 2


class UsageError(SdfoError):
    exit_code = 2


class Postponed(SdfoError):
    exit_code = 75


class LeaseHeld(Postponed):
    pass


class Fenced(SdfoError):
    pass


class Fuse(SdfoError):
    pass


class EngineError(SdfoError):
    pass


class NoEngine(SdfoError):
    pass


class NotFound(SdfoError):
    pass


class Conflict(SdfoError):
    pass


class OnlyCopy(SdfoError):
    pass


class CatalogError(SdfoError):
    pass


class StoreError(SdfoError):
    pass


class Exists(StoreError):
    pass


class Missing(StoreError):
    pass


class BadPath(StoreError):
    pass


class OutOfRange(StoreError):
    pass


class Full(StoreError):
    pass


class WrongStore(StoreError):
    pass


class OnTape(StoreError):
    pass


class Unavailable(StoreError):
    pass


class SanError(SdfoError):
    pass


class WrongSan(SanError):
    pass


class Changed(SanError):
    pass


class Vanished(SanError):
    pass


class Unreadable(SanError):
    pass


class FormatError(SdfoError):
    pass


class SequenceFileError(FormatError):
    pass


class SequenceFileTruncated(SequenceFileError):
    pass


class DicomError(FormatError):
    pass


class CodecError(FormatError):
    pass


class VolumeError(FormatError):
    pass


class SdicomError(FormatError):
    pass


class NotSdicom(SdicomError):
    pass


class HeaderMismatch(SdicomError):
    pass


class LengthMismatch(SdicomError):
    pass


class RecordMismatch(SdicomError):
    pass


def places(error: BaseException) -> Iterator[str]:
    """Where an error arose, as lines of text, without the message of any exception in its chain: it may quote a name."""
    link: BaseException | None = error
    while link is not None:
        yield from traceback.format_list(traceback.extract_tb(link.__traceback__))
        yield f"{type(link).__module__}.{type(link).__qualname__}\n"
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
