"""The scripts that guard the house notice what they are there for."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"


def script(name: str) -> ModuleType:
    """A script as a module, found as it finds its neighbours when it runs."""
    if str(SCRIPTS) not in sys.path:
        sys.path.append(str(SCRIPTS))
    return importlib.import_module(name)


@pytest.mark.parametrize(
    "text",
    [
        "see https://pypi" + ".org/simple",
        "--find-links /ho" + "me/ann/wheels",
        "cd /ro" + "ot/x",
        'open("/wo' + 'rk/a")',
    ],
)
def test_a_host_or_a_folder_of_one_machine_is_found(text: str) -> None:
    """A registry's host and a path into somebody's home are named, with the line."""
    ((line, _),) = script("check_names").named(f"first line\n{text}\n")
    assert line == 2


@pytest.mark.parametrize("before", ["tests", "../shared", "https://example.org", "a"])
@pytest.mark.parametrize("name", ["home", "work", "root"])
def test_other_paths_are_none(before: str, name: str) -> None:
    """A path within the project or another site's is left alone."""
    assert script("check_names").named("/".join((before, name, "x"))) == []


def test_a_dead_link_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing file and a missing heading are dead; code, other sites and what is there are not."""
    links = script("check_links")
    monkeypatch.setattr(links, "ROOT", tmp_path)
    (tmp_path / "other.md").write_text("# A heading, `with` code\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[1](other.md) [2](other.md#a-heading-with-code) [3](#here) [4](https://example.org/x)\n"
        "`[5](gone.md)`\n```\n[6](gone.md)\n```\n[7](gone.md) [8](other.md#gone) [9](#gone)\n"
    )
    assert [line.rpartition(": ")[2] for line in links.dead(page)] == ["gone.md", "other.md#gone", "#gone"]


@pytest.mark.parametrize(
    ("codes", "verdict"), [((0, 0, 0), 0), ((0, 1, 0), 1), ((0, 5, 0), 0), ((5, 5, 5), 5), ((4, 5, 0), 4)]
)
def test_one_failed_group_fails_all(codes: tuple[int, ...], verdict: int) -> None:
    """A group without tests fails nothing unless every group is without."""
    groups = script("test_groups")
    assert groups.verdict([groups.Group("any", code, 0.0) for code in codes]) == verdict


def test_what_the_system_lacks_is_one_line(tmp_path: Path) -> None:
    """Without a Java one apt-get line is printed, with Debian's name for it, and the check fails."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in ("bash", "env", "sed", "id"):
        (path / tool).symlink_to(Path("/usr/bin") / tool)
    done = subprocess.run(
        [SCRIPTS / "system", sys.executable], env={"PATH": str(path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if "apt-get" in line)
    assert "openjdk-17-jre-headless" in line.split()
