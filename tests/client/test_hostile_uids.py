"""UIDs that are none: what came under them is found, read and archived under what the file says, or under a name of its own."""

from __future__ import annotations

import pytest

from sdfo.catalog import Query
from sdfo.testing.exams import Series
from sdfo.testing.odd import unmounted
from sdfo.testing.odd.surgery import SOP, STUDY, with_value

SERIES = Series("CT", 1, 16)
UIDS = {
    "too long": "1." + "2" * 70,
    "spaces": "1.2 3",
    "a value of two": "1.2\\3.4",
    "a zero byte": "1.2\0.3",
    "a path": "../../etc/x",
    "markup": "<b>1.2</b>",
    "wild": "1.2.*?%_",
}


def _image(study: str, sop: str | None = None) -> bytes:
    data = with_value(next(SERIES.images(1)), STUDY, (study + "\0" * (len(study) % 2)).encode())
    return data if sop is None else with_value(data, SOP, (sop + "\0" * (len(sop) % 2)).encode())


@pytest.mark.parametrize("what", UIDS)
def test_a_study_uid_that_is_none(archive, client, tmp_path, what):
    """On the SAN before its night, and on HDFS after it: one study, one image, the same bytes."""
    data = _image(UIDS[what])
    (archive.san / "a").mkdir()
    (archive.san / "a" / "IM1").write_bytes(data)
    assert archive.night().good
    (study,) = [row.study for row in client.find(Query())]
    for number in range(2):
        assert client.get(study, tmp_path / str(number)).files == 1
        assert [bytes_ for _, bytes_ in client.exam(study)] == [data]
        assert client.open(SERIES.sop_uid(1)) == data
        if number == 0:
            archive.san.rename(archive.folder / "away")
    assert all(path.startswith("exams/20") and ".." not in path for path in archive.parts())
    assert [p.relative_to(tmp_path / "0").parts[1:] for p in (tmp_path / "0").rglob("IM1")] == [("IM1",)]


@pytest.mark.parametrize("what", UIDS)
def test_a_sop_uid_that_is_none(archive, client, what):
    """Stored, found and read at once; archived, and read when the SAN is gone."""
    data = _image(SERIES.study_uid, UIDS[what])
    stored = client.store(data)
    assert stored.study == SERIES.study_uid
    assert client.open(stored.sop) == data
    assert archive.night().good
    with unmounted(archive.san):
        assert client.open(stored.sop) == data
