"""One SAN tree with every odd input that a night must get through, and what is to become of each file in it."""

from __future__ import annotations

from pathlib import Path

from sdfo.testing.odd import broken, encodings, identity, names
from sdfo.testing.odd.moments import Growing, change_in_place, killing_readers, unmounted, unreadable
from sdfo.testing.odd.tree import Builder, OddFile, OddTree

__all__ = [
    "Growing",
    "OddFile",
    "OddTree",
    "change_in_place",
    "killing_readers",
    "odd_tree",
    "unmounted",
    "unreadable",
]

_GROUPS = (*broken.GROUPS, *encodings.GROUPS, *identity.GROUPS, *names.GROUPS)


def odd_tree(
    root: Path, seed: int = 0, *, slices: int = 60, size: int = 64, multiframe_mib: int = 3, bomb_mib: int = 1024
) -> OddTree:
    """Build the tree below `root`, which must be empty or absent; what links lead to lies beside it, in `<root>-outside`.

    `slices` images of `size` × `size` are the one exam that is merely long; `multiframe_mib` MiB of pixels are in one
    multi-frame file; `bomb_mib` MiB is what a deflated file of a thousandth of that size inflates to. The same arguments
    give the same names and bytes.
    """
    tree = Builder(root, root.parent / f"{root.name}-outside", seed)
    identity.long_exam(tree, slices, size)
    encodings.multiframe(tree, multiframe_mib)
    broken.deflate_bomb(tree, bomb_mib)
    for build in _GROUPS:
        build(tree)
    return tree.built()
