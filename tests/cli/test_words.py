"""Words that are off end with 2 and say which command tells more."""

from __future__ import annotations

import json
from datetime import date

import pytest

from sdfo.cli.find import date_range
from sdfo.cli.settings import without_secrets
from sdfo.cli.show import one_line
from sdfo.errors import UsageError


@pytest.mark.parametrize(
    ("words", "after"),
    [
        ([], "sdfo --help"),
        (["nosuch"], "sdfo --help"),
        (["scan"], "sdfo scan --help"),
        (["night", "--engine", "steam"], "sdfo night --help"),
        (["quarantine", "accept", "seven"], "sdfo quarantine accept --help"),
        (["find", "--date", "yesterday"], "sdfo find --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors_end_with_2(site, words, after):
    """In JSON on standard output, as a line on standard error, each with the next command."""
    done = site.run("--json", *words)
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert said["error"] == "UsageError"
    assert said["next"] == after
    assert done.stderr.endswith(f"next: {after}\n")


def test_json_may_stand_behind_the_command(site):
    """`sdfo find --json` is `sdfo --json find`: an error's document is on standard output."""
    done = site.run("find", "--json")
    assert json.loads(done.stdout)["error"] == "CatalogError"


def test_settings_that_are_not_there_end_with_2(site):
    """A settings file that is missing, and one with an unknown key."""
    assert site.json("--conf", site.folder / "none.toml", "status", code=2)["error"] == "SettingsError"
    said = site.json("status", code=2, SDFO__CATALOG__URLS="postgresql://archive:hunter2@127.0.0.1/sdfo")
    assert said["error"] == "SettingsError"
    assert said["next"]
    assert "catalog.urls" in said["what"]
    assert "hunter2" not in said["what"]


def test_conf_comes_before_the_variable(site):
    """--conf FILE, else $SDFO_CONF."""
    other = site.folder / "conf" / "other.toml"
    other.write_text((site.folder / "conf" / "site.toml").read_text().replace('"cli"', '"other"'))
    rows = site.json("--conf", other, "config")["settings"]
    assert {"setting": "site", "value": "other", "from": "file"}.items() <= rows[0].items()


@pytest.mark.parametrize(
    ("text", "days"),
    [
        (None, (None, None)),
        ("20261124", (date(2026, 11, 24), date(2026, 11, 24))),
        ("20261101-20261130", (date(2026, 11, 1), date(2026, 11, 30))),
        ("20261101-", (date(2026, 11, 1), None)),
        ("-20261130", (None, date(2026, 11, 30))),
    ],
)
def test_date_ranges(text, days):
    """DICOM's range matching (PS3.4 section C.2.2.2.5), and one day."""
    assert date_range(text) == days


@pytest.mark.parametrize("text", ["", "-", "2026", "20261131", "20261130-20261101", "2026-11-24", "20261101-20261130-"])
def test_no_date_range(text):
    """What is no range of days is refused, not taken for another one."""
    with pytest.raises(UsageError):
        date_range(text)


def test_a_database_url_is_shown_without_user_password_and_query():
    """What `config` and `doctor` print."""
    url = "postgresql+psycopg://archive:secret@db.hospital:5432/sdfo?sslpassword=secret2"
    assert without_secrets(url) == "postgresql+psycopg://db.hospital:5432/sdfo"
    assert without_secrets("sqlite:////srv/catalog.db") == "sqlite:////srv/catalog.db"


def test_a_line_stays_one_and_moves_no_cursor():
    """Text from headers and names is printed without line breaks, escapes and marks that turn the writing round."""
    assert one_line("a\nb\x1b[2Jc\u202ed é") == r"a\nb\x1b[2Jc\u202ed é"
