"""How many seeds a question needs, against known sizes of Student's test and against its own power."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.findings.seeds import MOST, mean_power, seeds_to_enclose, seeds_to_exceed

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("shift", "alpha", "fewest"),
    [(0.5, 0.025, 34), (0.8, 0.025, 15), (0.2, 0.025, 199), (0.5, 0.05, 27)],
    ids=["medium, two-sided", "large, two-sided", "small, two-sided", "medium, one-sided"],
)
def test_known_sizes_of_a_paired_t_test_with_80_percent_power(shift, alpha, fewest):
    assert seeds_to_exceed(shift, 1.0, alpha) == fewest


@SETTINGS
@given(shift=st.floats(0.05, 5), sd=st.floats(0.05, 5), alpha=st.sampled_from([0.01, 0.025, 0.05]))
def test_the_fewest_seeds_have_the_power_and_one_less_has_not(shift, sd, alpha):
    needed = seeds_to_exceed(shift, sd, alpha)
    if needed is None:
        assert mean_power(MOST, shift, sd, alpha) < 0.8
    else:
        assert mean_power(needed, shift, sd, alpha) >= 0.8
        assert needed == 2 or mean_power(needed - 1, shift, sd, alpha) < 0.8


@SETTINGS
@given(sd=st.floats(0.001, 1), margin=st.floats(0.01, 1))
def test_enclosing_takes_more_seeds_the_nearer_the_mean_is_to_the_margin(sd, margin):
    found = [seeds_to_enclose(share * margin, sd, margin, 0.05) or MOST + 1 for share in (0.0, 0.5, 0.9)]
    assert found == sorted(found)


def test_nothing_is_shown_by_any_number_of_seeds_where_nothing_is_there():
    assert seeds_to_exceed(0.0, 1.0, 0.025) is None
    assert seeds_to_exceed(-1.0, 1.0, 0.025) is None
    assert seeds_to_enclose(0.2, 0.1, 0.1, 0.05) is None


def test_differences_that_do_not_vary_need_two_seeds():
    assert seeds_to_exceed(0.1, 0.0, 0.025) == 2
    assert mean_power(1, 0.1, 0.0, 0.025) == 0.0
