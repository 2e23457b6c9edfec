"""Find dead links in the project's Markdown: a file or a heading that is not there. Links to other sites are not asked."""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

from check_names import ROOT, project_files

FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
OUTSIDE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def links(text: str) -> list[str]:
    """The targets in a page, those in code left out."""
    bare = CODE.sub("", FENCE.sub("", text))
    return [one or other for one, other in LINK.findall(bare)]


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in a link: lower case, no punctuation, dashes for spaces."""
    titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in HEADING.findall(FENCE.sub("", text)))
    return {title.strip().replace(" ", "-") for title in titles}


def dead(page: Path) -> list[str]:
    """The dead links of one page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for link in links(text):
        if OUTSIDE.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path) if path else page
        if not target.exists():
            found.append(f"{page.relative_to(ROOT)}: no such file: {link}")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
            found.append(f"{page.relative_to(ROOT)}: no such heading: {link}")
    return found


def main() -> int:
    found = [line for page in project_files() if page.suffix == ".md" for line in dead(page)]
    print("\n".join(found) or "no dead links")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
