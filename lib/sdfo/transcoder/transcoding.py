"""The two ways: a part's files compressed, and a compressed part's files as they were."""

from __future__ import annotations

from sdfo.errors import SdicomError
from sdfo.jpeg2000 import open_codec
from sdfo.model import Form
from sdfo.sdicom import Part, Plan, Record, described
from sdfo.sdicom.restoring import restored
from sdfo.stores import Store
from sdfo.transcoder.compressing import Made, Press
from sdfo.transcoder.copying import copy_part
from sdfo.transcoder.recipe import Recipe, Transcoded
from sdfo.transcoder.rewriting import own, rewrite

ORIGINAL = "original"
"""The codec of a part that is copied as it is."""


def transcode(part: Part, target: Store, attempts: str, recipe: Recipe, threads: int = 2) -> Transcoded:
    """Write `part` with another codec, as an attempt below the folder `attempts` of `target`.

    Nothing is written before every image was proven (`proof`). The same part, recipe and libraries give the same check.
    """
    if recipe.codec == ORIGINAL:
        return copy_part(part, target, attempts)
    press = Press(recipe, open_codec(recipe.codec))

    def make(item: tuple[Record, bytes]) -> Made:
        record, value = item
        edges = part.head(record)
        if record.original is None:
            return press.press(own(record), value, edges)
        original = restored(record, value, edges, part.path)
        plain = described(record.name, original)
        made = press.press(plain, original, _edges(plain, edges))
        return made if made.value is not None else Made(plain, original, reason=made.reason)

    return rewrite(part, target, attempts, make, recipe.form, threads, lambda planned: None)


def restore(part: Part, target: Store, attempts: str, check: str, threads: int = 2) -> Transcoded:
    """Write the part whose `sdicom.check` is `check` again, out of a compressed one.

    `SdicomError` if what comes out is another one; nothing is written then.
    """

    def make(item: tuple[Record, bytes]) -> Made:
        record, value = item
        if record.original is None:
            return Made(own(record))
        original = restored(record, value, part.head(record), part.path)
        return Made(described(record.name, original), original)

    def compare(planned: Plan) -> None:
        if planned.check != check:
            what = "what was restored is not the part that was published"
            raise SdicomError(what, path=part.path, expected=check, found=planned.check)

    return rewrite(part, target, attempts, make, Form.FILE, threads, compare)


def _edges(plain: Record, edges: tuple[bytes, bytes] | None) -> tuple[bytes, bytes] | None:
    """Head and tail of an original, of those that a compressed record of it has."""
    return None if edges is None else (edges[0], edges[1][len(edges[1]) - (plain.tail or 0) :])
