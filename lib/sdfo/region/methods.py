"""Methods: one table, by the name that stands in the settings, and a site's own by `package.module:function`."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from sdfo.conf import Region as Plan
from sdfo.errors import SettingsError
from sdfo.region.doubt import always_whole, not_judged, unnamed
from sdfo.region.values import Region, Shown

METHODS = {
    "body": "sdfo.region.body:body",
    "otsu": "sdfo.region.otsu:otsu",
    "whole": "sdfo.region.methods:whole",
}
"""Name in settings → module:function."""


class Method(Protocol):
    """Finds the region of one frame. A function of its arguments alone, for several threads and any process."""

    def __call__(self, shown: Shown, plan: Plan) -> Region: ...


def find(shown: Shown, plan: Plan | None = None) -> Region:
    """The protected region of one frame, by the method that the settings name for its modality.

    Whole, with the reason, wherever the background cannot be told for sure. `SettingsError` if there is no such method,
    or a site's own gives no region of this image.
    """
    plan = plan or Plan()
    named = plan.methods.get(shown.modality)
    name = named or plan.method
    method = open_method(name)
    ours = name in METHODS
    why = always_whole(shown) or (unnamed(shown) if not named else None) or (not_judged(shown) if ours else None)
    if why and name != "whole":
        return Region.everything(shown.shape, name, why)
    return _checked(method(shown, plan), shown, name)


def whole(shown: Shown, plan: Plan) -> Region:
    """All of it."""
    return Region.everything(shown.shape, "whole", "asked for")


def open_method(name: str) -> Method:
    module, _, function = METHODS.get(name, name).partition(":")
    try:
        method: Method = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        known = f"{', '.join(METHODS)} or package.module:function"
        raise SettingsError("no such method to find a region", expected=known, found=name) from error
    return method


def _checked(region: Region, shown: Shown, name: str) -> Region:
    """A site's function may err; a mask that does not fit, or an empty one, would protect nothing."""
    mask = getattr(region, "mask", None)
    if mask is None or mask.shape != shown.shape or mask.dtype != bool or not mask.any():
        what = "a method gave no region of the image: wanted is a mask of its rows and columns, boolean, not empty"
        raise SettingsError(what, expected=shown.shape, found=name if mask is None else f"{name}: {mask.shape}")
    return region
