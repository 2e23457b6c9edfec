"""Which of several records with one SOP Instance UID is served."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdfo.catalog.versions import Claim, disputed, ranked
from sdfo.model import Kind

WHOLE, CUT = Kind.DICOM, Kind.DAMAGED


def places(claims: list[Claim]) -> list[tuple[int, int]]:
    return [(claim.ordinal, claim.number) for claim in claims]


@pytest.mark.parametrize(
    ("claims", "served_first", "told"),
    [
        pytest.param([(1, 0, WHOLE, "p"), (2, 0, WHOLE, "p")], [(2, 0), (1, 0)], [], id="a correction supersedes"),
        pytest.param(
            [(1, 0, WHOLE, "p"), (2, 0, WHOLE, "q")], [(1, 0), (2, 0)], [(2, 0)], id="other pixels wait for a person"
        ),
        pytest.param(
            [(1, 0, WHOLE, "p"), (2, 0, WHOLE, "q"), (3, 0, WHOLE, "p")],
            [(3, 0), (1, 0), (2, 0)],
            [(2, 0)],
            id="a correction after a conflict corrects the first",
        ),
        pytest.param(
            [(1, 0, WHOLE, "p"), (2, 0, WHOLE, "q"), (3, 0, WHOLE, "q")],
            [(1, 0), (2, 0), (3, 0)],
            [(2, 0), (3, 0)],
            id="the first stays first whatever comes twice",
        ),
        pytest.param(
            [(1, 0, WHOLE, "p"), (1, 4, WHOLE, "p")], [(1, 0), (1, 4)], [], id="in one folder the first name is served"
        ),
        pytest.param(
            [(1, 0, CUT, None), (2, 0, WHOLE, "p")], [(2, 0), (1, 0)], [], id="a whole file replaces a damaged one"
        ),
        pytest.param(
            [(1, 0, WHOLE, "p"), (2, 0, CUT, "q")], [(1, 0), (2, 0)], [], id="a damaged file replaces nothing"
        ),
        pytest.param([(1, 0, CUT, "p"), (2, 0, CUT, "q")], [(2, 0), (1, 0)], [], id="of damaged ones the newest"),
        pytest.param(
            [(1, 0, WHOLE, None), (2, 0, WHOLE, None)], [(2, 0), (1, 0)], [], id="no pixels at all are equal pixels"
        ),
    ],
)
def test_cases(
    claims: list[tuple[int, int, Kind, str | None]], served_first: list[tuple[int, int]], told: list[tuple[int, int]]
) -> None:
    """Each rule of format.md by itself."""
    made = [Claim(*claim) for claim in claims]
    assert places(ranked(made)) == served_first
    assert places(disputed(made)) == told


CLAIMS = st.lists(
    st.builds(
        Claim,
        ordinal=st.integers(1, 4),
        number=st.integers(0, 3),
        kind=st.sampled_from([WHOLE, CUT]),
        pixels=st.sampled_from(["p", "q", None]),
    ),
    min_size=1,
    unique_by=lambda claim: (claim.ordinal, claim.number),
)


@given(claims=CLAIMS, data=st.data())
def test_laws(claims: list[Claim], data: st.DataObject) -> None:
    """Every claim has one version; the order of asking does not matter; a whole one comes before any damaged; the served
    whole one has the first's pixels and none of those is newer."""
    order = ranked(claims)
    assert sorted(places(order)) == sorted(places(claims))
    assert ranked(data.draw(st.permutations(claims))) == order
    kinds = [claim.kind == CUT for claim in order]
    assert kinds == sorted(kinds)
    whole = sorted((claim for claim in claims if claim.kind == WHOLE), key=lambda claim: (claim.ordinal, claim.number))
    if whole:
        agreeing = [claim for claim in whole if claim.pixels == whole[0].pixels]
        assert order[0] in agreeing
        assert order[0].ordinal == max(claim.ordinal for claim in agreeing)
        assert set(disputed(claims)) == set(whole) - set(agreeing)


@given(claims=CLAIMS)
def test_an_earlier_answer_is_changed_by_a_correction_alone(claims: list[Claim]) -> None:
    """When a part arrives, what is served changes only to a whole record: with the same pixels, or after a damaged one."""
    for ordinal in range(2, 5):
        before = [claim for claim in claims if claim.ordinal < ordinal]
        after = [claim for claim in claims if claim.ordinal <= ordinal]
        if before and after != before:
            old, new = ranked(before)[0], ranked(after)[0]
            assert new == old or new.pixels == old.pixels or old.kind == CUT
