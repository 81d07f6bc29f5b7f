"""Means with errors of documents, and percentiles: those of the values themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.divergence.figures import HIGH, Diverged, clustered, figures, mean_of, percentiles_of, root_of
from harness.divergence.measured import Measured
from harness.divergence.positions import Asked, Documents, positions_of
from harness.stats.paired.real import paired_mean

VALUES = st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 4)), min_size=2, max_size=40)


@given(VALUES)
def test_the_error_is_that_of_the_values_with_their_clusters(pairs):
    values, cluster = zip(*pairs, strict=True)
    ours, theirs = clustered(values, np.array(cluster)), paired_mean(values, cluster)
    assert ours.value == pytest.approx(theirs.value, abs=1e-9)
    assert (ours.units, ours.freedom) == (theirs.units, theirs.freedom)
    assert ours.stderr == pytest.approx(theirs.stderr, abs=1e-9)


def test_percentiles_are_values_and_too_few_positions_have_none():
    values = np.random.default_rng(0).permutation(1000) + 1.0
    found = percentiles_of(values, HIGH)
    assert found == {"min": 1, "p50": 500, "p90": 900, "p95": 950, "p99": 990, "p99.9": None, "max": 1000}


def test_all_figures_of_a_small_case():
    positions = positions_of([Asked((1, 2), 3, 0), Asked((1, 2), 4, 1), Asked((5,), 3, 1)])
    documents = Documents(["first", "second"], ["first #0", "second #1"])
    logs = np.log(np.array([0.5, 0.25, 0.25, 0.5], np.float32)), np.log(np.array([0.25, 0.25, 0.5, 0.25], np.float32))
    measured = Measured(
        np.array([1, 2, 6], np.float32),
        np.array([2, 2, 2], np.float32),
        np.array([True, False, True]),
        *logs,
        rows=(9, 8),
    )
    model = {"backend": "hf", "scoring": "packed", "device": "cpu", "precision": "float32", "perplexity": math.nan}
    found = figures(positions, documents, measured, [Diverged("a", **model), Diverged("b", **model)], "nano", ["told"])
    assert (found.positions, found.tokens, found.vocabulary) == (3, 4, 8)
    assert (found.kl.value, found.kl.documents, found.top1.value) == (3, 2, pytest.approx(2 / 3))
    assert found.reverse_kl.stderr == 0
    assert found.delta_p.value == pytest.approx((-0.25 + 0 + 0.25 - 0.25) / 4)
    assert found.delta_p_rms.value == pytest.approx(math.sqrt(3 * 0.0625 / 4))
    assert found.a.perplexity == pytest.approx((0.5 * 0.25 * 0.25 * 0.5) ** -0.25)
    assert found.b.perplexity / found.a.perplexity == pytest.approx(math.exp(-found.logprob.value))
    assert [(task.task, task.positions, task.kl.value) for task in found.tasks] == [("first", 2, 1.5), ("second", 1, 6)]
    assert found.document()["notes"] == ("told",)


def test_the_error_of_aroot_of_mean_square_is_that_of_its_square_carried_over():
    rng = np.random.default_rng(1)
    delta, cluster = rng.normal(0.1, 0.3, 4000), np.arange(4000) // 4
    square = mean_of(delta**2, cluster)
    root = root_of(square)
    assert root.value == pytest.approx(math.sqrt(np.mean(delta**2)))
    assert root.stderr == pytest.approx((math.sqrt(square.value + square.stderr) - root.value), rel=0.02)
    assert root.lower < root.value < root.upper
