"""Where a series changes: the split against its definition, Student's test against scipy's, known changes found."""

import numpy as np
import pytest
from scipy import stats

from harness.stats.change_points import FEWEST, best_split, change_points, shift_p, stretches


def dice(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(20))
def test_split_is_where_the_energy_statistic_is_largest_by_its_definition(seed):
    values = dice(seed).standard_normal(3 + seed)
    n = len(values)

    def mean(a, b):
        return np.mean([abs(x - y) for x in a for y in b])

    def energy(k):
        a, b = values[:k], values[k:]
        return k * (n - k) / n * (2 * mean(a, b) - mean(a, a) - mean(b, b))

    found = best_split(values)
    assert energy(found) == pytest.approx(max(energy(k) for k in range(1, n)))


@pytest.mark.parametrize("seed", range(10))
def test_p_is_students_pooled_test(seed):
    a, b = dice(seed).standard_normal(2 + seed), dice(seed + 100).standard_normal(7)
    assert shift_p(a, b) == pytest.approx(stats.ttest_ind(a, b).pvalue)


def test_one_night_can_be_told_from_many_and_two_values_from_nothing():
    assert shift_p([1.0, 1.1, 0.9, 1.0, 1.05], [2.0]) < 0.001
    assert shift_p([1.0], [2.0]) == 1.0
    assert shift_p([], [1.0, 2.0, 3.0]) == 1.0


def test_constant_sides_differ_for_sure_or_not_at_all():
    assert shift_p([2.0] * 4, [2.0] * 3) == 1.0
    assert shift_p([2.0] * 4, [2.1] * 3) == 0.0


@pytest.mark.parametrize("n", range(FEWEST))
def test_too_few_values_have_no_change(n):
    assert change_points([float(i) for i in range(n)]) == []


@pytest.mark.parametrize("at", [1, 5, 20, 39])
def test_a_large_step_is_found_where_it_is(at):
    values = 0.01 * dice(at).standard_normal(40)
    values[at:] += 0.2
    found = change_points(values)
    assert [shift.at for shift in found] == [at]
    assert found[0].after - found[0].before == pytest.approx(0.2, abs=0.03)


def test_a_short_dip_between_two_long_stretches_is_two_changes():
    values = 0.01 * dice(3).standard_normal(40)
    values[20:24] -= 0.1
    assert [shift.at for shift in change_points(values)] == [20, 24]


def test_a_step_far_behind_the_first_window_is_found():
    values = 0.01 * dice(4).standard_normal(400)
    values[333:] += 0.1
    assert 333 in [shift.at for shift in change_points(values)]


def test_stretches_cover_every_value_once():
    values = 0.01 * dice(5).standard_normal(120)
    values[40:] += 0.1
    values[80:] -= 0.3
    places = [place for one in stretches(values) for place in one]
    assert places == list(range(120))
    assert stretches([]) == []


def test_noise_alone_rarely_changes():
    changed = sum(bool(change_points(dice(seed).standard_normal(30))) for seed in range(200))
    assert changed <= 10
