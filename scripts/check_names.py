"""Find files that name a package registry's host or a folder of somebody's machine: neither belongs in the project.

A lock file with a host in it installs from nowhere else; a path of one machine works on no other.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOSTS = re.compile(
    r"\b(?:(?:test[.])?pypi[.]org|pythonhosted[.]org|registry[.]npmjs|crates[.]io|repo1?[.]maven|deb[.]debian|proxy[.]golang)",
    re.IGNORECASE,
)
FOLDERS = re.compile(r"(?<![\w./*-])/(?:home|root|Users|work)/[\w.-]+")


def project_files() -> list[Path]:
    """Every file of the project: what git holds, and what it would take."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def named(text: str) -> list[tuple[int, str]]:
    """Line numbers and the names found there."""
    lines = enumerate(text.splitlines(), 1)
    return [
        (number, match.group()) for number, line in lines for kind in (HOSTS, FOLDERS) for match in kind.finditer(line)
    ]


def main() -> int:
    found = []
    for file in project_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # data
        found += [f"{file.relative_to(ROOT)}:{number}: {name}" for number, name in named(text)]
    print("\n".join(found) or "no registry host, no folder of a machine")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
