"""The least time that is believed of a step, to the digit; and which of a point's figures are held to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contributed import outcome_on_gpu

from harness.metrics.rooflines import Load, Roofline, above_roofline, beside_rooflines, measured_steps, sheet_roofline
from harness.metrics.trial_facts import facts_of
from harness.records.speed_record import Statistic
from zoo.arch.gpus import load_gpus
from zoo.arch.roofline import Work, least_believable, least_time
from zoo.registry.loader import load_registry

WIDTH = load_registry().models["llama-3.1-minitron-4b-width"].architecture
H100 = sheet_roofline(load_gpus()["h100-sxm"], "bfloat16")


def load(batch=1, input_tokens=128, output_tokens=128):
    return Load(WIDTH, "bfloat16", batch, input_tokens, output_tokens)


def figures(**values):
    return [Statistic(metric=metric, statistic="p50", value=value, n=9) for metric, value in values.items()]


def too_fast(load, **values):
    return [stated for stated in values if above_roofline(figures(**{stated: values[stated]}), load, H100)]


@pytest.mark.parametrize(
    ("work", "seconds"),
    [
        (Work(8_256_000_000, 0), 8e9 / 3350e9 / 1.1),  # bandwidth, but for what a cache may hold
        (Work(256_000_000, 989_000), 1e-9 / 1.1),  # all of it in a cache: FLOPs
        (Work(256_000_000, 0), 0.0),
        (Work(8_256_000_000, 989 * 10**12), 1 / 1.1),  # compute
    ],
)
def test_the_least_time_that_is_believed(work, seconds):
    assert least_believable(work, 3350e9, 989e12) == pytest.approx(seconds)


def test_an_unknown_peak_bounds_nothing():
    assert least_believable(Work(256_000_000, 10**15), 3350e9, None) == 0


@given(
    st.builds(Work, st.integers(0, 10**13), st.integers(0, 10**16)), st.floats(1e9, 1e13),
    st.none() | st.floats(1e9, 1e16), st.floats(1, 20), st.integers(0, 10**9),
)  # fmt: skip
def test_no_time_at_the_roofline_is_disbelieved(work, bytes_per_s, flops_per_s, margin, cached):
    least = least_believable(work, bytes_per_s, flops_per_s, margin, cached)
    assert 0 <= least <= least_time(work, bytes_per_s, flops_per_s).seconds


def test_each_figure_is_held_to_what_it_is_made_of():
    """4B-Width on an H100: a decode step of 8,262,529,024 bytes; a prefill of 8,255,051,776, whose 0.96 TFLOP bind it less."""
    decode = (8_262_529_024 - 256e6) / 3350e9 / 1.1
    prefill = (8_255_051_776 - 256e6) / 3350e9 / 1.1
    whole = prefill + 127 * decode
    least = {"ttft": prefill, "itl": decode, "tpot": decode, "e2e": whole, "tpot_guidellm": whole / 128}
    most = {"output_rate": 128 / whole, "total_rate": 256 / whole, "request_rate": 1 / whole}
    bounds = least | most
    for share in (0.999, 1.001):
        found = too_fast(load(), **{metric: share * bound for metric, bound in bounds.items()})
        assert found == list(least if share < 1 else most)


def test_percentiles_of_the_slow_and_metrics_that_no_roofline_bounds_are_held_to_nothing():
    slow = [Statistic(metric="itl", statistic="p99", value=1e-9, n=999)]
    assert above_roofline([*slow, *figures(joules_per_token=1e-9, goodput=1e9)], load(), H100) == []
    assert above_roofline([Statistic(metric="itl", statistic="p50", value=None, n=1)], load(), H100) == []


def test_an_open_loops_requests_may_have_been_alone_and_its_rates_are_held_to_nothing():
    assert too_fast(load(batch=None), itl=0.0021, output_rate=1e9) == ["itl"]
    assert too_fast(load(batch=32), itl=0.0022, output_rate=13_000.0) == ["itl", "output_rate"]
    assert too_fast(load(batch=None), itl=0.0022) == []


def test_a_machines_own_rates_are_granted_an_order_of_magnitude_and_no_cache():
    own = Roofline("measured", "it", "", 1e11, 1e13)
    assert own.least(Work(10**9, 0)) == pytest.approx(1e-3)
    assert above_roofline(figures(itl=0.0082), load(), own) != []
    assert above_roofline(figures(itl=0.0083), load(), own) == []


def row(request, first, trial=0, phase="trial"):
    token_s = [first, first + 1.0]
    fields = {"trial": trial, "phase": phase, "request": request, "submit_s": 10.0, "token_s": token_s}
    return {**fields, "input_tokens": 8, "wanted_tokens": 2}


def test_a_prefill_has_ended_when_the_whole_batch_has_its_first_tokens():
    rows = [row(0, 11.0), row(1, 13.0), row(0, 99.0, trial=1, phase="warmup"), {**row(0, 5.0, trial=2), "token_s": []}]
    facts = facts_of(rows)
    assert (facts.prefill_s, facts.seconds, facts.trials, facts.warmup_s) == ((3.0,), 4.0, 2, (90.0,))
    assert (facts.whole, facts.rising, facts.batches) == (False, True, frozenset({1, 2}))
    assert measured_steps(figures(itl=1.0), facts) == {"decode": 1.0, "prefill": 3.0}
    assert measured_steps([], facts_of([])) == {"decode": None, "prefill": None}


def test_a_step_beside_the_roofline_names_its_source_and_what_binds_it():
    (decode,) = beside_rooflines(load(), {"decode": 0.005, "prefill": None}, (H100,))
    assert (decode.bytes, decode.bound_by, decode.against) == (8_262_529_024, "bandwidth", "data sheet")
    assert decode.percent == pytest.approx(100 * 8_262_529_024 / 3350e9 / 0.005)
    assert beside_rooflines(load(batch=None), {"decode": 0.005}, (H100,)) == ()


def test_a_measured_prefill_is_that_of_the_whole_batch():
    (prefill,) = [step for step in outcome_on_gpu(prefill=0.3, batch=4).facts.achieved if step.step == "prefill"]
    assert prefill.measured_s == pytest.approx(0.3)
