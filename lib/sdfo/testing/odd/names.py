"""Names that are legal on a disk and awkward elsewhere, and names that are no regular files."""

from __future__ import annotations

import os
import stat

from sdfo.model import Kind
from sdfo.testing.odd.tree import Builder

_LONGEST = 255  # NAME_MAX of Linux file systems

_NAMES = {
    b"%41.dcm": "a percent before two hex digits …",
    b"A.dcm": "… which must not become this",
    b"%2541.dcm": "… nor this it",
    b"100%.dcm": "a percent before none",
    b"caf\xe9.dcm": "Latin-1, not UTF-8 …",
    b"caf%E9.dcm": "… which must not become this",
    "café.dcm".encode(): "UTF-8, composed",
    "cafe\u0301.dcm".encode(): "UTF-8, decomposed: another name",
    b"two  spaces .dcm": "spaces",
    b" leading": "a space in front",
    b"line\nbreak.dcm": "a newline",
    b"tab\t\\back'\"$(x)`;|.dcm": "what a shell would take for its own",
    b"-rf": "an option, to a careless command",
    b"..dcm": "not the folder above",
    b".hidden": "a leading dot",
    "日本^太郎.dcm".encode(): "ideographs",
    b"\xff\xfe": "no text in any encoding",
    b"x" * (_LONGEST - 4) + b".dcm": "255 bytes",
    b"\xe9" * _LONGEST: "255 bytes, each escaped to three",
}
_FOLDERS = (
    b"M\xfcller^Hans 1970",
    b"%41",
    b"line\nbreak",
    b"-rf",
    "Ünï^cødé".encode(),
    b"y" * _LONGEST,
    b".hidden exam",
)


def file_names(tree: Builder) -> None:
    """All awkward names in one exam."""
    series = tree.series()
    for image, (name, note) in zip(series.images(len(_NAMES)), _NAMES.items(), strict=True):
        tree.file(b"names", name, image, Kind.DICOM, note, study=series.study_uid)


def folder_names(tree: Builder) -> None:
    """Exam folders with such names."""
    for folder in _FOLDERS:
        tree.whole(folder, tree.images(2))


def same_names(tree: Builder) -> None:
    """The same base name in several subfolders, names that differ by case, and a long way down."""
    series = tree.series()
    names = (b"IM1", b"CR/IM1", b"CT/IM1", b"ct/IM1", b"CT/im1", b"CT/IM1.d/IM1", b"d/" * 20 + b"IM1")
    for image, name in zip(series.images(len(names)), names, strict=True):
        tree.file(b"same names", name, image, Kind.DICOM, "a key is the whole path", study=series.study_uid)


def links(tree: Builder) -> None:
    """Symbolic links, none of which may be followed."""
    folder = b"links"
    series = tree.series()
    tree.whole(folder, series.images(2))
    secret = tree.outside / "folder" / "secret.dcm"
    secret.parent.mkdir()
    secret.write_bytes(next(series.images(1, first=3)))
    targets = {
        b"out-to-file": os.fsencode(secret),
        b"out-to-folder": os.fsencode(secret.parent),
        b"out-relative": os.path.join(b"..", b"..", os.fsencode(tree.outside.name), b"folder", b"secret.dcm"),
        b"inside": b"whole-1.dcm",
        b"up": b"..",
        b"dangling": b"nowhere",
        b"itself": b"itself",
    }
    for name, target in targets.items():
        os.symlink(target, tree.irregular(folder, name, f"a link: {name.decode()}"))
    os.symlink(os.fsencode(secret.parent), tree.stray(b"linked exam", "a link in the place of an exam folder"))


def strays(tree: Builder) -> None:
    """A file beside the exam folders."""
    with open(tree.stray(b"stray.txt", "a file above exam depth"), "xb") as file:
        file.write(b"no exam's file\n")


def pipes(tree: Builder) -> None:
    """A FIFO that would hold its reader for ever, and a socket."""
    folder = b"pipes"
    tree.whole(folder, tree.images(2))
    os.mkfifo(tree.irregular(folder, b"fifo.dcm", "a FIFO"))
    os.mknod(tree.irregular(folder, b"socket.dcm", "a socket"), stat.S_IFSOCK | 0o600)


GROUPS = (file_names, folder_names, same_names, links, strays, pipes)
