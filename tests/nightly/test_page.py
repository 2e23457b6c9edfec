"""The report's page: it adds up, escapes what comes from outside, and needs nothing but itself."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sdfo.model import Fate
from sdfo.nightly import page
from sdfo.nightly.ledger import Ledger
from sdfo.nightly.summary import STEPS, CareRow, Damage, ExamRow, FileRow, NightReport, TierRow, Todo

LONG_UID = "1.2.826.0.1.3680043.10.90210.4812345678.1003344556.9988776.12345"
LINES = {str(fate): 10**number for number, fate in enumerate(Fate)}
EXAM = ExamRow(7, LONG_UID, "new", 100, 52_000_000, 1.5, f"exams/2026/11/{LONG_UID}-0123456789abcdef.sdicom")


def step(**report: object) -> dict[str, object]:
    return {"state": "done", "started": "2026-11-24 20:00:03.123456+00:00", "ended": "…", "report": report}


GOOD = NightReport(
    run="manual__2026-11-24T20-00-00-00-00",
    written="2026-11-24T21:10:00+00:00",
    good=True,
    steps={name: step(seconds=61.2, files=123_456, bytes=9_876_543_210) for name in STEPS},
    ledger=Ledger(sum(LINES.values()), LINES, damaged=3, alias=2),
    balanced=True,
    missing=0,
    bytes=9_876_543_210,
    rate=123_456_789.0,
    exams=(EXAM,),
    slowest=(EXAM,),
    tiers=(TierRow("hdfs", 3_000_000_000, 10_000_000_000, 324.0),),
)
BAD = replace(
    GOOD,
    good=False,
    steps={"scan": GOOD.steps["scan"], "convert": {"state": "failed", "report": {"error": "a worker died"}}},
    ledger=replace(GOOD.ledger, lines=LINES | {str(Fate.ARCHIVED): 0}),
    balanced=False,
    missing=1,
    tiers=(TierRow("hdfs", 500_000_000, 10_000_000_000, 3.0),),
    care=(CareRow("drill", "done", "2026-11-22 03:10", "3 parts came back from near-line", bad=True),),
    damage=(Damage(LONG_UID, 1, "nearline", EXAM.path or "", "missing <b>", "waits for the next backup", good=True),),
    todo=(Todo("step convert is not done: a worker died", "sdfo convert --run r"),),
)


class Seen(HTMLParser):
    """Tags, attributes, and the text as a person sees it; fails on a tag that is not closed."""

    VOID = frozenset(("meta", "br"))

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self._open):
            self.text.append(data)

    def __str__(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text).replace("\N{NARROW NO-BREAK SPACE}", ""))


def seen(report: NightReport) -> Seen:
    return Seen(page.html(report))


def ledger(report: NightReport) -> tuple[int, list[int], int]:
    """What was seen, the lines, and the sum, as the page's table shows them."""
    table = page.html(report).partition('class="ledger"')[2].partition("</table>")[0]
    first, *lines, last = [int(re.sub(r"\D", "", n)) for n in re.findall(r'<td class="n[^"]*">([^<]*)</td>', table)]
    return first, lines, last


@pytest.mark.parametrize("report", [GOOD, BAD], ids=["good", "bad"])
def test_the_page_needs_nothing_else(report):
    """No script, no link, no picture, no font, no handler: it reads the same from a mail, offline, in ten years."""
    html, found = page.html(report), seen(report)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & set(found.tags)
    assert not {"src", "href", "srcset"} & found.names
    assert not [name for name in found.names if name.startswith("on")]
    assert not re.search(r"https?:|url\(|@import", html)


def test_every_line_of_the_ledger_is_explained():
    """A new fate gets a sentence here before it is on the page."""
    assert set(page.MEANING) == set(Fate)


def test_the_ledger_adds_up():
    """Seen = the sum of the lines = accounted for, digit by digit."""
    first, lines, last = ledger(GOOD)
    assert first == sum(lines) == last == GOOD.ledger.seen
    assert "equals what was seen" in str(seen(GOOD))


def test_a_ledger_that_does_not_balance_shows_what_is_missing():
    """With the line of those that nobody answered for it adds up to what was seen, and the sum is marked as wrong."""
    first, lines, last = ledger(BAD)
    assert sum(lines) == first
    assert last == first - BAD.missing
    assert "in no line" in str(seen(BAD))
    assert "equals what was seen" not in str(seen(BAD))


def test_three_verdicts():
    """Good; good and a person must look; not good, and why."""
    look = replace(GOOD, todo=(Todo("1 open quarantine entries (damaged)", "sdfo quarantine"),))
    for report, words in (
        (GOOD, "A good night"),
        (look, "A good night, and a person must look"),
        (BAD, "Not a good night"),
    ):
        assert f"<h1>{words}</h1>" in page.html(report)
    assert "Steps convert, verify, publish are not done. 1 file stands in no line" in str(seen(BAD))
    assert "The originals are still on the SAN" in str(seen(BAD))
    assert "sdfo quarantine" in str(seen(look))


def test_steps_with_times_and_errors():
    """Each of the four steps has a row, one that did not run too."""
    text = str(seen(BAD))
    assert "scan done 2026-11-24 20:00:03 1 min 01 s files 123456 · bytes 9.88 GB" in text
    assert "convert failed – – a worker died" in text
    assert text.count("did not run") == 2


def test_a_store_that_fills_up_is_marked():
    """Less than 15 % free, or full within a month."""
    assert 'class="bar full"' in page.html(BAD)
    assert 'class="bar full"' not in page.html(GOOD)
    assert "in about 3 days" in str(seen(BAD))


def test_names_from_outside_are_text():
    """Markup in a name stays text; what would move a cursor or turn the writing round is shown as its code."""
    hostile = FileRow(
        1, "<script>alert(1)</script>", "a\u202eb\x1b[2J&<b>\n", Fate.ARCHIVED, "damaged", '"><img src=x>'
    )
    found = seen(replace(GOOD, files=(hostile,)))
    assert not {"script", "img", "b>"} & set(found.tags)
    assert "src" not in found.names
    assert "<script>alert(1)</script>" in str(found)
    assert r"a\u202eb\x1b[2J&<b>\n" in str(found)
    assert "\u202e" not in page.html(replace(GOOD, files=(hostile,)))


def test_a_thousand_exams_and_files():
    """All of them are there; long tables are folded."""
    exams = tuple(replace(EXAM, folder_id=number) for number in range(1000))
    files = tuple(FileRow(n, "folder", f"name-{n}", Fate.UNREADABLE, None, "permission") for n in range(1000))
    html = page.html(replace(GOOD, exams=exams, slowest=exams[:10], files=files))
    assert html.count(LONG_UID) >= 2 * 1010
    assert all(f"name-{n}<" in html for n in range(1000))
    assert "<details open>" not in html
    assert "<details open>" in page.html(GOOD)


def test_the_same_report_is_the_same_page():
    """Nothing is looked up: neither the time nor the machine is on the page."""
    assert page.html(GOOD) == page.html(replace(GOOD))
