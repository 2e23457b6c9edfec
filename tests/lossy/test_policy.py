"""What the settings allow: nothing by default, and by modality a ceiling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydicom import Dataset

from sdfo import conf
from sdfo.lossy import ceiling, refusal

ON = conf.Lossy(modalities=("CT", "MR", "US"))


def test_off_by_default(ct: Callable[..., Dataset]) -> None:
    """No modality is allowed unless somebody says so."""
    assert conf.Lossy().modalities == ()
    assert refusal(ct(), conf.Lossy()) == "modality CT is not in lossy.modalities"


def test_a_reason_quotes_no_name(ct: Callable[..., Dataset]) -> None:
    """A modality is quoted if it is a short code: anything may stand there by mistake, and reasons go into manifests."""
    assert refusal(ct(Modality="DOE^JANE"), ON) == "modality that is no code is not in lossy.modalities"


def test_modality_without_a_ceiling(ct: Callable[..., Dataset]) -> None:
    """Is refused though it is allowed: nobody has said how far one may go."""
    assert refusal(ct(Modality="US"), ON) == "modality US has no ceiling"
    assert refusal(ct(Modality="MR"), ON) is None


@pytest.mark.parametrize(
    ("attributes", "most"),
    [
        ({"BodyPartExamined": "CHEST"}, 8),
        ({"BodyPartExamined": "abdomen"}, 8),
        ({"BodyPartExamined": "HEAD"}, 5),
        ({"BodyPartExamined": "BRAIN"}, 5),
        ({"BodyPartExamined": "WHOLEBODY"}, 5),
        ({"BodyPartExamined": "a maker's own word"}, 5),
        ({"BodyPartExamined": ""}, 5),
        ({"BodyPartExamined": None}, 5),
        ({"Modality": "MR", "BodyPartExamined": None}, 7),
        ({"Modality": "CR"}, 10),
        ({"Modality": "DX"}, 10),
        ({"Modality": "XA"}, 6),
        ({"Modality": "RF"}, 6),
        ({"Modality": "US"}, None),
    ],
)
def test_ceilings_of_the_consensus(ct: Callable[..., Dataset], attributes: dict[str, Any], most: float | None) -> None:
    """German consensus conference of 2008; a CT that does not surely show another part may show a brain."""
    assert ceiling(ct(**attributes), conf.Lossy()) == most


def test_a_lower_general_ceiling_holds_for_the_brain(ct: Callable[..., Dataset]) -> None:
    """A site that allows CT 3 does not allow a brain more."""
    assert ceiling(ct(BodyPartExamined="BRAIN"), conf.Lossy(ceilings={"CT": 3})) == 3


def test_no_identity(ct: Callable[..., Dataset]) -> None:
    """An image without the UIDs that its derivation must name is refused."""
    assert refusal(ct(SeriesInstanceUID=None), ON) == "no SeriesInstanceUID"
