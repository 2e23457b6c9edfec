"""A person with `tar`, `sha256sum` and Python gets every original file back, with no package installed."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sdfo.testing.volumes import LABEL, LONG, MR, Written, originals

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
READ_ME = (Path(__file__).parents[3] / "lib/sdfo/tiers/tape/READ_ME.txt").read_text(encoding="utf-8")


@pytest.fixture
def folder(volume: Written, tmp_path: Path) -> Path:
    """Where a person has put a volume and its .sha256."""
    shutil.copy(volume.path, tmp_path / f"{LABEL.volume}.tar")
    (tmp_path / f"{LABEL.volume}.sha256").write_text(f"{volume.sha256}  {LABEL.volume}.tar\n")
    return tmp_path


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """As a person types it, with nothing of ours in the environment, and the Python that runs the tests."""
    words = [sys.executable if word == "python3" else word for word in shlex.split(command)]
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


def restored(folder: Path) -> list[str]:
    return sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file())


def test_the_commands_of_the_page_restore_everything(folder: Path, volume: Written) -> None:
    """docs/operations.md, "A tape volume, without us": each command as it stands there, but for the volume's name."""
    block = PAGE.partition("### A tape volume, without us")[2].partition("```sh\n")[2].partition("```")[0]
    commands = block.replace("20261124-0a1b2c3d", LABEL.volume).splitlines()
    assert {command.split()[0] for command in commands} == {"sha256sum", "tar", "python3"}
    for command in commands:
        done = run(command, folder)
        assert done.returncode == 0, command + done.stdout + done.stderr
    assert restored(folder / "returned") == originals(volume.files)
    assert {path.name.rpartition("-")[0] for path in (folder / "returned").iterdir()} == {LONG, MR.study_uid}


def test_the_commands_of_its_own_page_restore_everything(folder: Path, volume: Written) -> None:
    """READ_ME.txt, which is on the volume: with tar alone, then each file's digest, then the program on what was unpacked."""
    (mkdir, tar, cd, *rest) = READ_ME.partition("each file of it:\n")[2].partition("What is on")[0].split("\n    ")[1:]
    assert cd == "cd unpacked"
    for command in (mkdir, tar.replace("VOLUME", LABEL.volume)):
        assert run(command, folder).returncode == 0
    for command in rest:
        done = run(command.strip().split("\n")[0], folder / "unpacked")
        assert done.returncode == 0, done.stdout + done.stderr
    assert restored(folder / "unpacked" / "FOLDER") == originals(volume.files)


def test_names_are_the_files_own(folder: Path, volume: Written) -> None:
    """With bytes that are no UTF-8, with a `%`, and in folders of the exam's."""
    run(f"tar xf {LABEL.volume}.tar restore.py", folder)
    assert run(f"python3 -I restore.py {LABEL.volume}.tar --to out --study {LONG}", folder).returncode == 0
    (place,) = (folder / "out").iterdir()
    found = {os.fsencode(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert found == volume.files[LONG]


def test_nothing_is_replaced(folder: Path) -> None:
    """A second time over: each file is named as there already, and the end is 1."""
    run(f"tar xf {LABEL.volume}.tar restore.py", folder)
    command = f"python3 -I restore.py {LABEL.volume}.tar --to out"
    assert run(command, folder).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}
    again = run(command, folder)
    assert again.returncode == 1
    assert again.stderr.count("a file is there already") == 5
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")} == before


def test_a_damaged_file_is_named_and_not_written(folder: Path, volume: Written) -> None:
    """By its part's path and its number there, for its own name may be a patient's; the others are restored."""
    tar, entry = folder / f"{LABEL.volume}.tar", volume.manifest.parts[0]
    data = bytearray(tar.read_bytes())
    data[entry.offset + entry.size - 1] ^= 1
    tar.write_bytes(data)
    assert run(f"sha256sum --check {LABEL.volume}.sha256", folder).returncode == 1
    run(f"tar xf {tar.name} restore.py", folder)
    done = run(f"python3 -I restore.py {tar.name} --to out", folder)
    assert done.returncode == 1
    assert re.findall(r"NOT RESTORED: (.*)", done.stderr) == [f"{entry.path}, record 2: its SHA-256 is another"]
    assert len(restored(folder / "out")) == 4
    assert "ller" not in done.stderr


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9, 1.0])
def test_a_cut_volume_is_told_of(folder: Path, volume: Written, share: float) -> None:
    """At any place, before the blocks of zeros that end it too: the program says so and ends with 1; what it wrote is whole."""
    tar = folder / f"{LABEL.volume}.tar"
    run(f"tar xf {tar.name} restore.py", folder)
    end = max(-(-(entry.offset + entry.size) // 512) * 512 for entry in volume.manifest.entries)
    tar.write_bytes(tar.read_bytes()[: int(share * end)])
    done = run(f"python3 -I restore.py {tar.name} --to out", folder)
    assert done.returncode == 1
    assert "NOT RESTORED" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_header_loses_no_file(folder: Path, volume: Written) -> None:
    """A flipped bit in any block between the files, the first of all too: the program says that the volume is damaged, ends with
    1, and restores everything, for the manifest tells where each file lies; and where the manifest is hit, the headers do."""
    tar, whole = folder / f"{LABEL.volume}.tar", volume.path.read_bytes()
    run(f"tar xf {tar.name} restore.py", folder)
    with tarfile.open(volume.path) as opened:
        members = opened.getmembers()
    blocks = {at for member in members for at in range(member.offset, member.offset_data, 512)}
    hit = sorted(blocks | {members[1].offset_data})
    for number, at in enumerate(hit):
        data = bytearray(whole)
        data[at] ^= 1
        tar.write_bytes(data)
        done = run(f"python3 -I restore.py {tar.name} --to out{number}", folder)
        assert restored(folder / f"out{number}") == originals(volume.files), at
        ours = members[2].offset <= at < members[5].offset  # our own texts: the files of the exams are all listed
        assert (done.returncode, "NOT RESTORED: the volume" in done.stderr) == (1, True) or ours, at
        assert "Traceback" not in done.stderr


def test_a_disk_without_links_takes_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As exFAT answers, on a stick; and there, too, nothing is replaced."""
    from sdfo.tiers.tape import recovering

    def refusing(*words: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refusing)
    place, digest = os.fsencode(tmp_path / "a/b"), hashlib.sha256(b"x").hexdigest()
    recovering.keep(place, [b"x"], digest)
    (tmp_path / "a/c").mkdir()
    with pytest.raises(recovering.Bad, match="there already"):
        recovering.give(os.fsencode(tmp_path / "a/b"), os.fsencode(tmp_path / "a/c"))
    assert [path.name for path in (tmp_path / "a").iterdir() if path.is_file()] == ["b"]


def test_a_hostile_name_stays_in_its_folder(tmp_path: Path, volume: Written) -> None:
    """A part made by hand whose key climbs out: nothing is written outside."""
    from sdfo.tiers.tape.recovering import Bad, below

    for name in (b"../x", b"/etc/x", b"a/../../x", b"a//b", b"", b"a\0b"):
        with pytest.raises(Bad):
            below(str(tmp_path), name)
    (tmp_path / "link").symlink_to("/tmp")
    with pytest.raises(Bad, match="link"):
        below(str(tmp_path), b"link/x")
    assert below(str(tmp_path), b"a/b") == os.fsencode(tmp_path / "a/b")


def test_a_volume_of_another_version_of_tar_is_read(volume: Written, folder: Path) -> None:
    """GNU tar lists every member with its size."""
    done = run(f"tar tvf {LABEL.volume}.tar", folder)
    with tarfile.open(volume.path) as tar:
        told = {line.split()[-1]: int(line.split()[2]) for line in done.stdout.splitlines()}
        assert told == {member.name: member.size for member in tar}
