"""The outer edge: an answer or an error becomes output and an exit code."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import typer

from sdfo import errors
from sdfo.cli import show
from sdfo.errors import SdfoError

NEXT: dict[type[SdfoError], str] = {
    errors.SdfoError: "sdfo doctor",
    errors.SettingsError: "correct the settings; docs/operations.md explains each",
    errors.UsageError: "sdfo --help",
    errors.Postponed: "sdfo status, and again later",
    errors.Fenced: "sdfo status",
    errors.NotFound: "sdfo find",
    errors.Conflict: "sdfo quarantine",
    errors.Exists: "choose a place where nothing lies yet",
    errors.FormatError: "keep the file as it is; sdfo locate UID shows the other copies",
}
"""What to do about an error that does not say it itself: the nearest of its classes."""

_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


class Terminated(BaseException):
    """SIGTERM: what is open is closed on the way out; the lease is left to expire."""


def run(app: typer.Typer, words: Sequence[str]) -> int:
    """Run the command that `words` name; its exit code."""
    as_json, words = _hoisted(words)
    signal.signal(signal.SIGTERM, _terminate)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries quote a patient's data in theirs
    try:
        said = app(words, standalone_mode=False, prog_name="sdfo")
        if isinstance(said, show.Answer):
            show.answer(said, as_json=as_json)
            return said.exit_code
        return int(said or 0) if said != _INTERRUPTED else _stopped("interrupted", _INTERRUPTED, as_json)
    except SdfoError as error:
        return _told(_facts(error), str(error), error.exit_code, as_json)
    except typer.TyperException as error:
        return _usage(error, as_json)
    except KeyboardInterrupt:
        return _stopped("interrupted", _INTERRUPTED, as_json)
    except Terminated:
        return _stopped("terminated", _TERMINATED, as_json)
    except Exception as error:  # noqa: BLE001 the outer edge
        return _internal(error, as_json)


def _hoisted(words: Sequence[str]) -> tuple[bool, list[str]]:
    """`--json` may stand behind the command too; there it is taken for the same."""
    end = words.index("--") if "--" in words else len(words)
    as_json = "--json" in words[:end]
    rest = [word for n, word in enumerate(words) if word != "--json" or n > end]
    return as_json, ["--json", *rest] if as_json else rest


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated


def _facts(error: SdfoError) -> dict[str, Any]:
    default = next(NEXT[kind] for kind in type(error).__mro__ if kind in NEXT)
    facts = {
        "error": type(error).__name__,
        "what": error.what,
        "path": error.path,
        "offset": error.offset,
        "expected": None if error.expected is None else str(error.expected),
        "found": None if error.found is None else str(error.found),
        "next": error.next_command or default,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _told(facts: dict[str, Any], line: str, exit_code: int, as_json: bool) -> int:
    """One line for a person that ends with what to do, and the facts for a program."""
    after = f"; next: {facts['next']}"
    show.note(line if line.endswith(after) else line + after)
    if as_json:
        show.answer(show.Answer(facts, ()), as_json=True)
    return exit_code


def _usage(error: typer.TyperException, as_json: bool) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "sdfo"
    what = " ".join(error.format_message().split()).rstrip(".")
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        what = "a command is missing"
    facts = {"error": "UsageError", "what": what, "next": f"{command} --help"}
    return _told(facts, what, error.exit_code, as_json)


def _stopped(how: str, exit_code: int, as_json: bool) -> int:
    facts = {
        "error": how.capitalize(),
        "what": f"{how}: nothing is lost, every step may be repeated",
        "next": "sdfo status",
    }
    return _told(facts, facts["what"], exit_code, as_json)


def _internal(error: BaseException, as_json: bool) -> int:
    sys.stderr.writelines(errors.places(error))
    what = (
        f"internal error ({type(error).__name__}): a fault of this program; nothing is lost, every step may be repeated"
    )
    facts = {"error": "InternalError", "what": what, "next": "report the lines above; sdfo doctor"}
    return _told(facts, what, 1, as_json)
