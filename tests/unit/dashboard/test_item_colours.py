"""colours.py: an item has one colour in every chart, and no two items of a chart have the same."""

from __future__ import annotations

import pytest

from dashboard.app_pages.click_parts.colours import COLOURS, OTHERS, placed

pytestmark = pytest.mark.unit


def test_an_item_has_the_same_colour_whatever_its_rank() -> None:
    first = placed(["Laptop", "Mobile", "Camera"], {})
    assert first == {"Camera": 0, "Laptop": 1, "Mobile": 2}
    assert placed(["Mobile", "Camera", "Laptop"], {}) == first
    assert placed(["Mobile", "Audio", OTHERS], first) == {"Mobile": 2, "Audio": 3, OTHERS: COLOURS - 1}


def test_other_items_are_gray_and_no_colour_is_used_twice() -> None:
    kept = placed(list("ABCDEFG"), {})
    assert sorted(kept.values()) == list(range(COLOURS))
    drawn = placed([*"CDEFG", "X", OTHERS], kept)
    assert {item: drawn[item] for item in "CDEF"} == {item: kept[item] for item in "CDEF"}
    # G was gray.
    assert (drawn[OTHERS], sorted(drawn.values())) == (COLOURS - 1, list(range(COLOURS)))


def test_items_that_once_had_the_same_colour_differ_side_by_side() -> None:
    drawn = placed(["A", "B"], {"A": 3, "B": 3})
    assert drawn == {"A": 3, "B": 0}
