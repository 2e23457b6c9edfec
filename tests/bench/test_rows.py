"""What a row says of its numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.rows import Goal, Row, interleaved, speed
from bench.table import as_json, table


def test_sides_take_turns_and_the_first_turn_is_not_counted() -> None:
    """A B A B …, so that a slow minute meets both."""
    turns = list[str]()

    def side(name: str, seconds: float) -> float:
        turns.append(name)
        return seconds

    assert interleaved(2, lambda: side("a", 1), lambda: side("b", 2)) == [[1, 1], [2, 2]]
    assert turns == ["a", "b"] * 3


def test_speed_is_the_references_time_over_ours() -> None:
    """1 is as fast; half the speed takes twice as long. Round by round, then the median."""
    row = speed("x", [2.0, 4.0, 2.0], [1.0, 4.0, 1.5], Goal("≥", 0.75))
    assert (row.ratios, row.met) == ([0.5, 1.0, 0.75], True)


@pytest.mark.parametrize(("sense", "value", "met"), [("≤", 1.15, True), ("≤", 1.05, False), ("≥", 1.1, True)])
def test_a_goal_is_met_or_not(sense: str, value: float, met: bool) -> None:
    """A bound that is reached is met."""
    assert Row("x", "s", [1], [1], [1.1], Goal(sense, value)).met is met  # type: ignore[arg-type]


def test_a_row_without_ratio_is_judged_by_our_number() -> None:
    """Peak memory in MB, say."""
    assert Row("x", "MB", [399], goal=Goal("≤", 400)).met
    assert not Row("x", "MB", [401], goal=Goal("≤", 400)).met


def test_the_table_shows_medians_and_the_spread_of_the_ratio() -> None:
    """And the page of JSON holds every round."""
    row = speed("ours : theirs", [2.0, 4.0, 2.0], [1.0, 4.0, 1.5], Goal("≥", 0.9))
    cells = [cell.strip() for cell in table([row]).splitlines()[2].strip("|").split("|")]
    assert cells == ["ours : theirs", "2", "1.5", "s", "0.750", "0.500 … 1", "≥ 0.9", "NO", "3"]
    assert '"ours": [\n   2.0,' in as_json([row])
