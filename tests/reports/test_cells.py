"""How numbers, intervals and times are written on the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from reports.cells import ABSENT, count, interval, moment, number, size, text, writable


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ABSENT),
        (float("nan"), ABSENT),
        (float("inf"), "inf"),
        (0.0, "0.0000"),
        (0.87654, "0.8765"),
        (-0.5, "-0.5000"),
        (-0.0, "0.0000"),
        (-0.00001, "0.0000"),
        (9.99999, "10.0000"),
        (12.3456, "12.346"),
        (1234.5, "1,234.5"),
        (98765.4, "98,765"),
        (3.2e9, "3.2e+09"),
    ],
)
def test_numbers_are_written_as_lm_eval_prints_them_and_shorter_when_large(value: float | None, shown: str):
    assert number(value) == shown


def test_an_interval_with_a_missing_end_is_not_written():
    assert interval(0.1, None) == interval(float("nan"), 0.2) == interval(None, None) == ""
    assert interval(0.1, 0.2) == "0.1000–0.2000"


def test_times_are_shown_in_utc_whatever_their_zone():
    assert moment("2026-11-21T03:30:00+02:00") == "2026-11-21 01:30"
    assert moment(datetime(2026, 11, 21, 1, 30, tzinfo=UTC), "%Y-%m-%dT%H:%M:%SZ") == "2026-11-21T01:30:00Z"
    assert moment(datetime(2026, 11, 21, 3, 30, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-21 01:30"
    assert moment("2026-11-21T01:30:00") == "2026-11-21 01:30"
    assert moment(None) == ""


def test_counts_sizes_and_absent_things():
    assert (count(12_345), count(None)) == ("12,345", ABSENT)
    assert (size(9.87e9), size(99_000_000)) == ("9.87 GB", "99.0 MB")
    assert (text(None), text(0)) == ("", "0")


def test_what_no_page_may_hold_is_replaced_and_all_else_stays():
    assert writable("a\x00b\ud800c\td\ne\u202e") == "a\ufffdb\ufffdc\td\ne\u202e"
