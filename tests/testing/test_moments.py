"""The helpers that make something happen at the wrong moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sdfo.testing.odd import Growing, change_in_place, killing_readers, unmounted, unreadable
from sdfo.testing.unprivileged import unprivileged

READ = "import sys; open(sys.argv[1], 'rb').read()"


def test_growing(tmp_path: Path) -> None:
    """The file is longer at each look, until it is not."""
    file = tmp_path / "file"
    file.write_bytes(b"begin")
    with Growing(file):
        sizes = []
        while len(set(sizes)) < 3:
            sizes.append(file.stat().st_size)
            time.sleep(0.005)
    assert sizes == sorted(sizes)
    size = file.stat().st_size
    time.sleep(0.05)
    assert file.stat().st_size == size > 65536


def test_change_in_place(tmp_path: Path) -> None:
    """Size and mtime as before; ctime and one bit differ."""
    file = tmp_path / "file"
    file.write_bytes(b"bytes")
    before = file.stat()
    time.sleep(0.01)
    change_in_place(file)
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert after.st_ctime_ns > before.st_ctime_ns
    assert file.read_bytes() == b"byter"


def test_unreadable(tmp_path: Path) -> None:
    """EACCES for whom permissions bind, for files and for folders; as before afterwards."""
    file = tmp_path / "folder" / "file"
    file.parent.mkdir(mode=0o750)
    file.write_bytes(b"data")
    for path in (file, file.parent):
        mode = path.stat().st_mode
        with unreadable(path):
            refused = _run(unprivileged([sys.executable, "-c", READ, str(file)]))
            assert "PermissionError: [Errno 13]" in refused.stderr
        assert path.stat().st_mode == mode
    assert _run(unprivileged([sys.executable, "-c", READ, str(file)])).returncode == 0


def test_unprivileged_is_the_same_user() -> None:
    """Only the two capabilities are gone: what root owns it may still write."""
    command = unprivileged([sys.executable, "-c", "import os; print(os.geteuid())"])
    assert _run(command).stdout.strip() == str(os.geteuid())
    assert unprivileged(["a", "b"])[-2:] == ["a", "b"]


def test_unmounted(tmp_path: Path) -> None:
    """An empty folder, for a while."""
    root = tmp_path / "san"
    (root / "exam").mkdir(parents=True)
    with unmounted(root):
        assert list(root.iterdir()) == []
    assert [p.name for p in root.iterdir()] == ["exam"]


def test_killing_readers(tmp_path: Path) -> None:
    """Who opens the file dies of SIGKILL; who opens another does not."""
    deadly, harmless = tmp_path / "deadly", tmp_path / "harmless"
    for file in (deadly, harmless):
        file.write_bytes(b"x")
    hold = "import sys, time; f = open(sys.argv[1]); time.sleep(float(sys.argv[2]))"
    with killing_readers(deadly) as killed:
        lives = subprocess.Popen([sys.executable, "-c", hold, str(harmless), "0.3"])
        dies = subprocess.Popen([sys.executable, "-c", hold, str(deadly), "60"])
        assert dies.wait(20) == -signal.SIGKILL
        assert lives.wait(20) == 0
    assert killed[:1] == [dies.pid]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
