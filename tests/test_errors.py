"""The errors: one tree, each with its place, whole across process borders."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from sdfo import errors
from sdfo.errors import Exists, LeaseHeld, Missing, Postponed, SdfoError, SettingsError, UsageError

WHERE = {
    "path": "exams/2024/01/x.sdicom",
    "offset": 12,
    "expected": b"\x00\xff",
    "found": 7,
    "next_command": "sdfo check x",
}


def _all(kind: type[SdfoError] = SdfoError) -> Iterator[type[SdfoError]]:
    """Those of errors.py; a module may keep a class of its own for itself."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _all(below)


@pytest.mark.parametrize("kind", list(_all()), ids=lambda kind: kind.__name__)
def test_each_crosses_process_borders(kind: type[SdfoError]) -> None:
    """Class, text, place and values survive pickling and copying."""
    error = kind("a fact", **WHERE)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert (again.what, again.path, again.offset) == ("a fact", WHERE["path"], 12)
        assert (again.expected, again.found, again.next_command) == (b"\x00\xff", 7, "sdfo check x")
        assert str(again) == str(error)
        assert again.args == error.args


class _Told(Missing):
    """As a module's own error, with more to say than its base."""

    def __init__(self, name: bytes) -> None:
        super().__init__("gone", path="p")
        self.name = name


def test_an_error_with_a_constructor_of_its_own() -> None:
    """Crosses as well: its constructor is not called again."""
    again = pickle.loads(pickle.dumps(_Told(b"name")))
    assert (type(again), again.name, again.path, str(again)) == (_Told, b"name", "p", "p: gone")


def _raise() -> None:
    raise Exists("already there", path="a/b", expected=1, found=2)


def test_out_of_a_worker() -> None:
    """A real process pool raises it in the parent."""
    with ProcessPoolExecutor(1, get_context("fork")) as pool, pytest.raises(Exists) as answer:
        pool.submit(_raise).result()
    assert (answer.value.path, answer.value.expected, answer.value.found) == ("a/b", 1, 2)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SdfoError("a fact"), "a fact"),
        (SdfoError("a fact", path="p"), "p: a fact"),
        (SdfoError("a fact", offset=0), "a fact at offset 0"),
        (SdfoError("a fact", expected=0, found=1), "a fact: expected 0, found 1"),
        (SdfoError("a fact", next_command="sdfo init"), "a fact; next: sdfo init"),
        (
            SdfoError("a fact", path="p", offset=3, expected="x", found="y", next_command="sdfo init"),
            "p: a fact at offset 3: expected x, found y; next: sdfo init",
        ),
    ],
)
def test_texts(error: SdfoError, text: str) -> None:
    """Where, what, how the values disagree, what to do next."""
    assert str(error) == text


def test_exit_codes() -> None:
    """1 failed, 2 usage, 75 postponed; no command uses 99."""
    codes = {kind: kind.exit_code for kind in _all()}
    assert {kind for kind, code in codes.items() if code == 2} == {SettingsError, UsageError}
    assert {kind for kind, code in codes.items() if code == 75} == {Postponed, LeaseHeld}
    assert set(codes.values()) == {1, 2, 75}


def test_the_docstring_draws_the_tree() -> None:
    """Every class stands in it, at its place."""
    drawn, above = {}, dict[int, str]()
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ((?:[│├└ ][─ ]{2} )*)(\w+) {2,}\S", line):
            depth = len(found[1]) // 4
            above[depth] = found[2]
            drawn[found[2]] = above.get(depth - 1)
    bases = {kind.__name__: kind.__base__.__name__ if kind is not SdfoError else None for kind in _all()}
    assert drawn == bases
