"""Which method counts for which image, and when none may: the whole image."""

from __future__ import annotations

import re
import sys
import tomllib
import types
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from sdfo.errors import SettingsError
from sdfo.region import METHODS, Plan, Region, Shown, find, open_method
from sdfo.testing.phantoms import Trunk

CT, MR = Trunk().ct().shown, Trunk().mr().shown
COLOUR = np.zeros((64, 64, 3), dtype=np.uint8)
OWN = f"{__name__}:left_half"


def left_half(shown: Shown, plan: Plan) -> Region:
    """A site's own."""
    mask = np.zeros(shown.shape, dtype=bool)
    mask[:, : shown.shape[1] // 2] = True
    return Region.of(mask, "left half", "because")


def too_small(shown: Shown, plan: Plan) -> Region:
    return Region.of(np.ones((2, 2), dtype=bool), "too small", "")


def empty(shown: Shown, plan: Plan) -> Region:
    return Region.of(np.zeros(shown.shape, dtype=bool), "empty", "")


def nothing(shown: Shown, plan: Plan) -> None:
    return None


WHOLE = {
    "radiograph": replace(CT, modality="DX"),
    "film": replace(CT, modality="CR"),
    "mammogram": replace(CT, modality="MG"),
    "angiogram": replace(CT, modality="XA"),
    "fluoroscopy": replace(CT, modality="RF"),
    "ultrasound": replace(CT, modality="US"),
    "other": replace(CT, modality="OT"),
    "PET": replace(CT, modality="PT"),
    "no modality": replace(CT, modality=""),
    "secondary capture": replace(CT, sop_class="1.2.840.10008.5.1.4.1.1.7"),
    "secondary capture, multi-frame": replace(CT, sop_class="1.2.840.10008.5.1.4.1.1.7.4"),
    "colour": replace(CT, samples=COLOUR, photometric="RGB"),
    "palette": replace(CT, photometric="PALETTE COLOR"),
    "scout of a CT": replace(CT, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")),
    "reference to a scout": replace(CT, image_type=("DERIVED", "SECONDARY", "REF_SURVIEW")),
    "dose page": replace(CT, image_type=("DERIVED", "SECONDARY", "DOSE_INFO")),
    "screen": replace(CT, image_type=("DERIVED", "SECONDARY", "SCREEN SAVE")),
    "burned in": replace(CT, burned_in=True),
    "CT without Hounsfield units": replace(CT, rescaled=False),
    "iodine map": replace(CT, unit="MGML"),
    "MR phase": replace(MR, image_type=("ORIGINAL", "PRIMARY", "P", "ND")),
    "MR subtraction": replace(MR, image_type=("DERIVED", "PRIMARY", "M", "SUB")),
    "MR projection": replace(MR, image_type=("DERIVED", "SECONDARY", "PROJECTION IMAGE", "MIP")),
    "MR of both signs": replace(MR, intercept=-50.0),
    "MR upside down": replace(MR, photometric="MONOCHROME1"),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("method", ["body", "otsu"])
def test_the_whole_image(name, method):
    """Nothing of these may be called background; the same pixels as a plain CT or MR have a region."""
    found = find(WHOLE[name], Plan(method=method))
    assert found.whole
    assert found.reason
    assert not find(CT).whole
    assert not find(MR).whole


def test_a_modality_that_settings_name_has_a_region():
    """PET by `body` is somebody's decision; a scout or a burned-in name is whole even so."""
    plan = Plan(methods={"PT": "body"})
    pet = replace(MR, modality="PT")
    assert find(pet).whole
    assert not find(pet, plan).whole
    assert find(replace(pet, burned_in=True), plan).whole


def test_methods_by_modality():
    """What stands under the modality counts, else the default."""
    plan = Plan(method="whole", methods={"MR": "body"})
    assert find(CT, plan).reason == "asked for"
    assert find(MR, plan).method == "body"


def test_a_sites_own_function():
    """Named in the settings as module:function; it is asked for colour and for any modality named, not for a scout."""
    plan = Plan(methods={"CT": OWN, "US": OWN})
    assert find(CT, plan).method == "left half"
    assert find(CT, plan).area == 0.5
    assert find(replace(CT, samples=COLOUR, photometric="RGB", modality="US"), plan).area == 0.5
    assert find(replace(CT, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")), plan).whole


def test_the_documented_function():
    """The example of docs/regions.md is one that can be named."""
    page = (Path(__file__).parents[2] / "docs" / "regions.md").read_text(encoding="utf-8")
    made = types.ModuleType("our_regions")
    exec(re.search(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1], made.__dict__)
    settings = tomllib.loads(re.search(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1])
    with patch.dict(sys.modules, {"our_regions": made}):
        found = find(replace(CT, modality="US"), Plan(**settings["region"]))
    assert (found.method, found.area) == ("upper half", 0.5)


@pytest.mark.parametrize("name", ["too_small", "empty", "nothing"])
def test_a_function_that_gives_no_region_is_refused(name):
    """A mask of another shape, an empty one, none: each would protect nothing."""
    with pytest.raises(SettingsError, match="no region"):
        find(CT, Plan(method=f"{__name__}:{name}"))


@pytest.mark.parametrize("name", ["nosuch", "no.such.module:function", f"{__name__}:nosuch"])
def test_a_method_that_is_not_there(name):
    """An error of the settings that says which there are, before any image is lost or done otherwise."""
    with pytest.raises(SettingsError, match="body, otsu, whole"):
        find(CT, Plan(method=name))


def test_the_table_opens():
    """Each name of the table is a function."""
    assert set(METHODS) == {"body", "otsu", "whole"}
    assert all(callable(open_method(name)) for name in METHODS)


def test_a_reason_quotes_no_name():
    """Neither of a modality nor of a rescale type that are none."""
    for shown in (replace(CT, modality="DOE^JANE"), replace(CT, unit="DOE^JANE")):
        assert "DOE" not in find(shown).reason
