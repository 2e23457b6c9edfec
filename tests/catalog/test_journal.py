"""The state journal: lines in, the same lines out, in the order in which they were put."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdfo.catalog import journal
from sdfo.errors import CatalogError
from sdfo.stores.local import LocalStore

AT = datetime(2024, 1, 2, 3, 4, 5, 6, UTC)


def test_a_file_is_named_by_day_time_and_token(store: LocalStore) -> None:
    """One JSON object a line, ASCII."""
    path = journal.append(store, AT, 17, [{"what": "a", "name": "ä\udc80"}, {"what": "b"}])
    assert path == "state/2024-01-02/030405.000006-17.jsonl"
    assert [json.loads(line) for line in store.read_all(path).decode("ascii").splitlines()] == [
        {"v": 1, "what": "a", "name": "ä\udc80"},
        {"v": 1, "what": "b"},
    ]


def test_lines_come_back_in_order(store: LocalStore) -> None:
    """By time, over midnight and within a microsecond; what a killed put left is passed over."""
    moments = [AT, AT, AT + timedelta(microseconds=1), AT + timedelta(days=300), AT + timedelta(hours=21)]
    for number, moment in enumerate(moments):
        journal.append(store, moment, 5, [{"what": "n", "n": number}])
    with store.create("state/2024-01-02/030405.000000-5.jsonl.0123456789abcdef.part") as sink:
        sink.write(b'{"v": 1, "wha')
    assert [line["n"] for _, line in journal.read(store)] == [0, 1, 2, 4, 3]


@pytest.mark.parametrize("text", [b"{\n", b"[]\n", b'{"what":"a"}\n', b'{"v":2,"what":"a"}\n'])
def test_a_line_that_is_not_ours_is_named(store: LocalStore, text: bytes) -> None:
    """Nothing is guessed: a rebuild stops and says at which file."""
    store.put("state/2024-01-02/x.jsonl", text)
    with pytest.raises(CatalogError, match=r"state/2024-01-02/x.jsonl"):
        list(journal.read(store))


def test_a_folder_that_takes_no_file_is_an_error(store: LocalStore) -> None:
    """Where the name of the day is taken by a file, waiting would not end."""
    store.put("state/2024-01-02", b"")
    with pytest.raises(CatalogError, match="takes no new file"):
        journal.append(store, AT, 1, [{"what": "a"}])


@given(st.binary())
def test_any_name_survives(name: bytes) -> None:
    """Bytes → JSON → bytes."""
    assert journal.as_name(json.loads(json.dumps(journal.as_text(name)))) == name
