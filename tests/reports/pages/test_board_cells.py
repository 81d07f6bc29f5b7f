"""How the board writes its numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.board.model import Figure
from reports.pages.board_cells import Notes, amount, percent, percent_interval, places, times, worse_end


@pytest.mark.parametrize(
    ("rank", "tied", "told"), [(None, 0, ""), (1, 1, "1"), (1, 2, "1–2"), (4, 3, "4–6"), (7, 0, "7")]
)
def test_a_tie_class_is_told_by_its_places(rank: int | None, tied: int, told: str) -> None:
    assert places(rank, tied) == told


def test_shares_are_percentages_with_one_decimal_and_never_a_double_dash() -> None:
    assert percent(0.9704) == "97.0\u00a0%"
    assert percent(-0.0001) == "0.0\u00a0%"
    assert percent(None) == percent(math.nan) == "–"
    assert percent_interval(0.93, 1.01) == "93.0–101.0"
    assert percent_interval(-0.179, -0.054) == "−17.9 to −5.4"
    assert percent_interval(None, 0.5) == percent_interval(0.5, math.nan) == ""


def test_ratios_and_counts_have_three_digits() -> None:
    assert [times(value) for value in (1.8, 0.954, 12.34, 123.4, math.inf, None)] == [
        "1.80×", "0.954×", "12.3×", "123×", "–×", "–×",
    ]  # fmt: skip
    assert [amount(value) for value in (None, 999, 748_123, 8_414_105_600, 15_000_000_000_000)] == [
        "", "999", "748k", "8.41B", "15T",
    ]  # fmt: skip


SHARE = st.floats(0, 1)


@given(value=SHARE, lower=st.none() | SHARE, upper=st.none() | SHARE, higher=st.none() | st.booleans())
def test_a_figure_is_sorted_by_its_worse_end_else_by_its_value(
    value: float, lower: float | None, upper: float | None, higher: bool | None
) -> None:
    end = upper if higher is False else lower
    assert worse_end(Figure("measured", value, lower, upper), higher) == (value if end is None else end)


def test_what_is_no_number_has_no_place_in_a_sorting() -> None:
    assert worse_end(Figure("measured", math.nan, math.nan, math.inf), True) is None
    assert worse_end(Figure("measured", 0.5, math.nan, None), True) == 0.5


def test_notes_are_numbered_once_and_not_without_end() -> None:
    notes = Notes()
    assert [notes.number(words) for words in ("a", "b", "a")] == [1, 2, 1]
    assert [notes.number(f"note {at}") for at in range(200)].count(None) == 200 - 97
    assert notes.left_out
    assert notes.number("a") == 1
