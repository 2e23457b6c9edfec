"""Listing exam folders: complete, in order, following nothing, and never stopped by what it meets."""

from __future__ import annotations

import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdfo.errors import SanError, Vanished, WrongSan
from sdfo.model import FileStamp
from sdfo.testing.odd import unmounted
from sdfo.tiers.san import Listing, San

_NAMES = (b"a", b"a.b", b"B", b"b", b"\xff", "é".encode(), b"%41", b"\n", b" ", b"z" * 255, b"-rf", b".hidden")
_TREES = st.recursive(
    st.sampled_from(["file", "empty", "link", "fifo"]),
    lambda below: st.dictionaries(st.sampled_from(_NAMES), below, max_size=4),
    max_leaves=12,
)


def _make(path: bytes, what: object) -> None:
    if isinstance(what, dict):
        os.mkdir(path)
        for name, below in what.items():
            _make(os.path.join(path, name), below)
    elif what == "link":
        os.symlink(b"/etc/passwd", path)
    elif what == "fifo":
        os.mkfifo(path)
    else:
        with open(path, "xb") as file:
            file.write(b"" if what == "empty" else path[-1:] * 3)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(_NAMES), _TREES, max_size=5))
def test_a_listing_shows_every_name_once_in_order(tree) -> None:
    """The judge is os.walk. Sizes and times are those of lstat."""
    with tempfile.TemporaryDirectory() as top:
        exam = os.path.join(os.fsencode(top), b"exam")
        _make(exam, tree)
        listing = San(top).list(b"exam")
        files, others, folders = set(), set(), {b""}
        for at, names, leaves in os.walk(exam):
            below = os.path.relpath(at, exam)
            inside = {os.path.normpath(os.path.join(below, n)) for n in names + leaves}
            folders |= {
                n for n in inside if os.path.isdir(os.path.join(exam, n)) and not os.path.islink(os.path.join(exam, n))
            }
            files |= {
                n for n in inside if os.path.isfile(os.path.join(exam, n)) and not os.path.islink(os.path.join(exam, n))
            }
            others |= inside
        assert [f.name for f in listing.files] == sorted(files)
        assert [name for name, _ in listing.irregular] == sorted(others - files - folders)
        assert {name for name, _ in listing.folders} == folders
        assert listing.closed == ()
        assert listing.seen == len(files) + len(listing.irregular)
        for stamp in listing.files:
            found = os.lstat(os.path.join(exam, stamp.name))
            assert stamp == FileStamp(stamp.name, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


_stamps = st.builds(FileStamp, st.binary(max_size=4), *[st.integers(-2, 20)] * 3)
_files = st.lists(_stamps, max_size=4, unique_by=lambda f: f.name).map(
    lambda fs: tuple(sorted(fs, key=lambda f: f.name))
)


def _listing(files: tuple[FileStamp, ...]) -> Listing:
    return Listing(files, (), (), ())


@given(_files, _files)
def test_digests_are_equal_for_the_same_files_alone(one, other) -> None:
    assert (_listing(one).digest() == _listing(other).digest()) == (one == other)


@given(_files.filter(bool), st.sampled_from(["size", "mtime_ns", "ctime_ns"]), st.integers(1, 9))
def test_any_change_of_a_file_changes_the_digest(files, field, step) -> None:
    changed = replace(files[0], **{field: getattr(files[0], field) + step})
    assert _listing(files).digest() != _listing((changed, *files[1:])).digest()
    renamed = replace(files[0], name=b"\0" + files[0].name)
    assert _listing(files).digest() != _listing((renamed, *files[1:])).digest()
    assert _listing(files).digest() != _listing(files[1:]).digest()


def test_a_name_cannot_pass_for_a_file(san: San) -> None:
    """Names are data: one that holds what the digest says of another file is not taken for it."""
    pair = (FileStamp(b"a", 1, 2, 3), FileStamp(b"b", 4, 5, 6))
    for length in (0, 1):
        forged = (FileStamp(b"a%d 4 5 6 b" % length, 1, 2, 3),)
        assert _listing(forged).digest() != _listing(pair).digest()


def test_the_newest_change_counts_by_ctime(san: San, root: Path) -> None:
    """A copy that brings its old mtime along is new all the same."""
    (root / "exam").mkdir()
    (root / "exam" / "copied").write_bytes(b"")
    os.utime(root / "exam" / "copied", ns=(0, 0))
    listing = san.list(b"exam")
    assert listing.files[0].mtime_ns == 0
    assert listing.newest_ns == listing.files[0].ctime_ns > 0
    assert listing.written_ns == 0
    assert _listing(()).newest_ns == _listing(()).written_ns == 0


def test_a_listing_that_nothing_touched_stays_unchanged(san: San, root: Path) -> None:
    """Names that come or go are seen by their folder's mtime, at any depth."""
    (root / "exam" / "sub").mkdir(parents=True)
    (root / "exam" / "sub" / "a").write_bytes(b"")
    folders = san.list(b"exam").folders
    assert san.unchanged(b"exam", folders)
    os.utime(root / "exam" / "sub", ns=(0, 0))
    folders = san.list(b"exam").folders
    (root / "exam" / "sub" / "b").write_bytes(b"")
    assert not san.unchanged(b"exam", folders)
    assert not san.unchanged(b"gone", folders)
    assert not san.unchanged(b"nul\0", folders)


def test_a_name_that_comes_while_its_folder_is_listed_is_not_overlooked(san: San, root: Path, monkeypatch) -> None:
    """It is not in the listing, so the folder's mtime in it must be the one from before."""
    listdir = os.listdir
    (root / "exam").mkdir()
    os.utime(root / "exam", ns=(0, 0))

    def late(fd: int) -> list[str]:
        found = listdir(fd)
        (root / "exam" / "late").write_bytes(b"")
        return found

    monkeypatch.setattr(os, "listdir", late)
    listing = san.list(b"exam")
    assert listing.files == ()
    assert not san.unchanged(b"exam", listing.folders)


def test_a_name_that_goes_while_its_folder_is_listed_is_left_out(san: San, root: Path, monkeypatch) -> None:
    listdir = os.listdir
    for name in ("file", "folder/inner", "link", "stays"):
        (root / "exam" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "exam" / name).write_bytes(b"")

    def gone(fd: int) -> list[str]:
        found = listdir(fd)
        if "stays" in found:
            (root / "exam" / "file").unlink()
            (root / "exam" / "folder").rename(root / "moved")
        return found

    monkeypatch.setattr(os, "listdir", gone)
    listing = san.list(b"exam")
    assert ([f.name for f in listing.files], listing.closed) == ([b"link", b"stays"], ())


def test_what_shows_no_folder_is_never_unchanged(san: San, root: Path) -> None:
    """An exam folder that could not be listed must not rest."""
    (root / "exam").mkdir()
    assert not san.unchanged(b"exam", ())


def test_links_are_not_followed_and_those_out_of_the_san_are_flagged(san: San, root: Path) -> None:
    """By their text, so that a link to a disk that does not answer cannot hold the night."""
    exam, outside = root / "exam", root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (exam / "sub").mkdir(parents=True)
    targets = {
        "dangling": "nowhere", "dangling-out": "/no/such/disk", "folder": str(outside), "file": str(outside / "secret"),
        "itself": "itself", "relative": "../../outside", "up": "..", "above": "../..", "root": str(root),
        "sub/up": "../..", "sub/relative": "../../../outside", "sibling": str(root) + "-2", "in": "../exam/sub",
        "through": "sub/../../../outside", "empty-part": ".//sub", "slashes": "//etc",
    }  # fmt: skip
    for name, target in targets.items():
        (exam / name).symlink_to(target)
    listing = san.list(b"exam")
    assert listing.files == ()
    assert len(listing.irregular) == len(targets)
    assert {name.decode() for name, leads_out in listing.irregular if leads_out} == {
        "dangling-out", "folder", "file", "relative", "above", "sub/relative", "sibling", "through", "slashes",
    }  # fmt: skip


def test_a_root_that_is_reached_by_a_link_is_a_root(san: San, root: Path) -> None:
    """`san.root` is the operator's own word; what lies below it is not."""
    (root / "exam").mkdir()
    (root / "exam" / "in").symlink_to(root / "exam" / "a")
    (root.parent / "mount").symlink_to(root)
    linked = San(str(root.parent / "mount"))
    assert linked.identity() == "tests"
    assert linked.list(b"exam").irregular == ((b"in", False),)


def test_a_chain_of_links_is_no_trap(san: San, root: Path) -> None:
    """1,200 links, each to the next: no recursion, and no time that grows with their square."""
    (root / "exam").mkdir()
    for n in range(1200):
        (root / "exam" / f"{n}").symlink_to(f"{n + 1}")
    listing = san.list(b"exam")
    assert len(listing.irregular) == 1200
    assert not any(leads_out for _, leads_out in listing.irregular)


def test_pipes_and_sockets_are_counted_and_not_opened(san: San, root: Path) -> None:
    (root / "exam").mkdir()
    os.mkfifo(root / "exam" / "fifo")
    os.mknod(root / "exam" / "socket", stat.S_IFSOCK | 0o600)
    assert san.list(b"exam").irregular == ((b"fifo", False), (b"socket", False))


def test_a_folder_that_is_gone_is_told_from_a_san_that_is(san: San, root: Path) -> None:
    (root / "exam").mkdir()
    with pytest.raises(Vanished):
        san.list(b"gone")
    with unmounted(root), pytest.raises(WrongSan):
        san.list(b"exam")
    assert san.list(b"exam").seen == 0


@pytest.mark.parametrize("make", ["file", "link", "fifo"])
def test_an_exam_folder_that_is_none_any_more_is_closed(san: San, root: Path, make: str) -> None:
    """It was a folder when the root was listed."""
    _make(os.fsencode(root / "exam"), make)
    listing = san.list(b"exam")
    assert (listing.seen, listing.closed) == (1, (b"",))
    assert not san.unchanged(b"exam", listing.folders)


@pytest.mark.parametrize("folder", [b"", b".", b"..", b"../outside", b"/etc", b"exam/../..", b"exam/", b"nul\0"])
def test_a_hostile_folder_is_refused(san: San, root: Path, folder: bytes) -> None:
    (root / "exam").mkdir()
    (root.parent / "outside").mkdir()
    with pytest.raises(SanError, match="no path below"):
        san.list(folder)


def test_deep_folders_are_listed_and_the_deepest_named_as_closed(san: San, root: Path) -> None:
    """200 levels: what is beyond reach is one thing that a person is told of, not nothing."""
    deep = root / "exam" / "/".join(["d"] * 200)
    deep.mkdir(parents=True)
    (deep / "out of reach").write_bytes(b"")
    near = root / "exam" / "/".join(["d"] * 90) / "file"
    near.write_bytes(b"")
    before = os.listdir("/proc/self/fd")
    listing = san.list(b"exam")
    assert [f.name.count(b"/") for f in listing.files] == [90]
    assert [name.count(b"/") for name in listing.closed] == [100]
    assert os.listdir("/proc/self/fd") == before


def test_names_longer_together_than_the_kernel_takes_are_listed(san: San, root: Path) -> None:
    """PATH_MAX is 4,096 bytes."""
    (root / "exam").mkdir()
    at = os.open(root / "exam", os.O_RDONLY)
    for _ in range(20):
        os.mkdir(b"p" * 250, dir_fd=at)
        inner = os.open(b"p" * 250, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    with open(os.open(b"file", os.O_WRONLY | os.O_CREAT, dir_fd=at), "wb") as file:
        file.write(b"deep")
    os.symlink(b"nowhere", b"link", dir_fd=at)
    os.close(at)
    listing = san.list(b"exam")
    (stamp,) = listing.files
    assert (len(stamp.name), stamp.size, listing.closed) == (20 * 251 + 4, 4, ())
    with san.open(b"exam", stamp.name) as opened:
        assert opened.read(0, 4) == b"deep"
    assert not san.unchanged(b"exam", listing.folders)  # os.stat takes no such path: it is listed again


@contextmanager
def _few_descriptors(more: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = set(map(int, os.listdir("/proc/self/fd")))
    free = [fd for fd in range(len(taken) + more) if fd not in taken][:more]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1] + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_what_is_left_is_closed(san: San, root: Path) -> None:
    """EMFILE is no foreign error, leaks nothing, and the next listing sees it all."""
    (root / "exam" / "/".join(["d"] * 60)).mkdir(parents=True)
    (root / "exam" / "file").write_bytes(b"")
    before = os.listdir("/proc/self/fd")
    with _few_descriptors(20):
        listing = san.list(b"exam")
    assert len(listing.closed) == 1
    assert [f.name for f in listing.files] == [b"file"]
    assert not san.unchanged(b"exam", listing.folders)
    assert os.listdir("/proc/self/fd") == before
    assert san.list(b"exam").closed == ()


_CLOSED = """
import sys
from sdfo.tiers.san import San
san = San(sys.argv[1])
shown = [san.list(name) for name in (b"closed", b"part", b"looked")]
rests = [san.unchanged(name, found.folders) for name, found in zip((b"closed", b"part", b"looked"), shown)]
print([([f.name for f in found.files], list(found.closed), found.seen) for found in shown], rests, sep=", ")
"""


def test_what_cannot_be_looked_into_or_at_is_closed_and_never_rests(root: Path, bound) -> None:
    """An exam folder, a folder in one, and a folder that shows names and lets nobody go on to them."""
    for name in ("closed", "part/open", "part/shut", "looked/in"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_bytes(b"")
    for name, mode in (("closed", 0), ("part/shut", 0), ("looked/in", 0o444)):
        (root / name).chmod(mode)
    listings, rests = bound(_CLOSED, str(root))
    for name in ("closed", "part/shut", "looked/in"):
        (root / name).chmod(0o755)
    assert listings == [
        ([], [b""], 1),
        ([b"open/file"], [b"shut"], 2),
        ([], [b"in/file"], 1),
    ]
    assert rests == [False, False, False]
