"""Effect sizes, by their definitions."""

import pytest

from harness.stats.paired.effect import cohens_g, standardised


def test_cohens_g_is_the_share_gained_of_what_changed_beyond_a_half():
    assert cohens_g(10, 0) == -0.5
    assert cohens_g(0, 4) == 0.5
    assert cohens_g(7, 7) == 0
    assert cohens_g(65, 35) == pytest.approx(-0.15)
    assert cohens_g(0, 0) is None


def test_a_standardised_difference_is_in_standard_deviations():
    assert standardised(-0.3, 0.6) == -0.5
    assert standardised(0.1, 0) is None
