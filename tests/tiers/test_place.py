"""Putting a received file onto the SAN: whole or not at all, durable, never over another."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sdfo.errors import SanError
from sdfo.tiers.san import San


def _incoming(root: Path) -> list[str]:
    return os.listdir(root / ".sdfo-incoming")


def test_a_placed_file_is_there_and_nothing_else(san: San, root: Path) -> None:
    assert san.place(b"exam", b"\xff.dcm", b"data")
    assert os.listdir(os.fsencode(root / "exam")) == [b"\xff.dcm"]
    assert (root / "exam" / "\udcff.dcm").read_bytes() == b"data"
    assert (root / "exam" / "\udcff.dcm").stat().st_nlink == 1
    assert _incoming(root) == []
    assert san.exams() == ((b"exam",), (), ())


def test_a_taken_name_is_kept_whatever_has_it(san: San, root: Path) -> None:
    assert san.place(b"exam", b"a", b"first")
    (root / "exam" / "folder").mkdir()
    (root / "exam" / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "exam" / "fifo")
    before = san.list(b"exam")
    for name in (b"a", b"folder", b"dangling", b"fifo"):
        assert not san.place(b"exam", name, b"second")
    assert (root / "exam" / "a").read_bytes() == b"first"
    assert san.list(b"exam") == before
    assert _incoming(root) == []


def test_of_many_that_place_one_name_one_wins(san: San, root: Path) -> None:
    """And its bytes are whole."""
    data = {n: bytes([n]) * 100_000 for n in range(8)}
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: San(str(root)).place(b"exam", b"a", data[n]), data))
    assert sum(won) == 1
    assert (root / "exam" / "a").read_bytes() == data[won.index(True)]
    assert _incoming(root) == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (b"..", b"a"), (b"../outside", b"a"), (b"/tmp", b"a"), (b"", b"a"), (b".", b"a"), (b"exam/..", b"a"),
        (b"exam/sub", b"a"), (b".sdfo-incoming", b"a"), (b".sdfo-expired", b"a"), (b".sdfo-san", b"a"),
        (b"nul\0", b"a"), (b"x" * 256, b"a"), (b"link", b"a"), (b"file", b"a"),
        (b"exam", b"../a"), (b"exam", b"sub/a"), (b"exam", b"/tmp/a"), (b"exam", b""), (b"exam", b"."),
        (b"exam", b".."), (b"exam", b"nul\0"), (b"exam", b"x" * 256),
    ],
)  # fmt: skip
def test_a_hostile_place_is_refused_and_nothing_is_written(san: San, root: Path, folder: bytes, name: bytes) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "exam").mkdir()
    (root / "link").symlink_to(outside)
    (root / "file").write_bytes(b"")
    before = sorted(root.parent.rglob("*"))
    with pytest.raises(SanError):
        san.place(folder, name, b"data")
    assert sorted(root.parent.rglob("*")) == before


def test_an_exam_folder_lies_at_exam_depth(root: Path) -> None:
    deep = San(str(root), 2)
    assert deep.place(b"received/1.2.3", b"a", b"")
    with pytest.raises(SanError, match="only an exam folder"):
        deep.place(b"received", b"a", b"")
    assert deep.exams() == ((b"received/1.2.3",), (), ())


def test_a_full_disk_leaves_nothing(san: San, root: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(SanError, match="cannot be placed"):
            san.place(b"exam", b"a", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert _incoming(root) == []
    assert os.listdir(root / "exam") == []
    assert san.place(b"exam", b"a", bytes(100_000))


def test_every_name_on_the_way_is_durable_before_true_is_returned(san: San, root: Path, monkeypatch) -> None:
    """The real calls, written down: bytes before the name, then the name, and each new folder in the one above it."""
    calls = list[str]()
    fsync, link = os.fsync, os.link

    def noted_fsync(fd: int) -> None:
        fsync(fd)
        calls.append(os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), root))

    def noted_link(*where: object, **how: object) -> None:
        link(*where, **how)
        calls.append("link")

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "link", noted_link)
    assert San(str(root), 2).place(b"received/1.2.3", b"a", b"data")
    incoming = [call for call in calls if call.startswith(".sdfo-incoming/")]
    assert len(incoming) == 1
    assert [call for call in calls[calls.index("received") - 1 :] if call not in incoming] == [
        ".", "received", "link", "received/1.2.3",
    ]  # fmt: skip
    assert calls.index(incoming[0]) < calls.index("link")
    calls.clear()
    assert not San(str(root), 2).place(b"received/1.2.3", b"a", b"data")
    assert calls[-1] == "received/1.2.3"


_FOR_EVER = """
import sys
from sdfo.tiers.san import San
print("ready", flush=True)
for n in range(100_000):
    San(sys.argv[1]).place(b"exam", b"%d" % n, bytes(300_000) + b"end")
"""


def test_a_killed_writer_leaves_no_half_file_where_a_scan_looks(san: San, root: Path) -> None:
    """SIGKILL at any moment: each name has all its bytes; what was under way lies where no exam is."""
    writer = subprocess.Popen([sys.executable, "-c", _FOR_EVER, str(root)], stdout=subprocess.PIPE)
    assert writer.stdout
    writer.stdout.readline()
    time.sleep(0.3)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    listing = san.list(b"exam")
    assert listing.files
    assert {f.size for f in listing.files} == {300_003}
    assert san.exams() == ((b"exam",), (), ())


def test_no_descriptor_is_left_open(san: San, root: Path) -> None:
    before = os.listdir("/proc/self/fd")
    san.place(b"exam", b"a", b"")
    san.place(b"exam", b"a", b"")
    for folder, name in ((b"exam", b"x" * 256), (b"x" * 256, b"a"), (b"..", b"a")):
        with pytest.raises(SanError):
            san.place(folder, name, b"")
    assert os.listdir("/proc/self/fd") == before
