"""A backend with known timings gives back exactly the known metrics. Times are binary fractions, so sums are exact."""

import math

import pytest
from support.paths import ROOT
from support.speed_fakes import FakeProbe, Hand, fake_system, measured

from harness.metrics.speed_metrics import load_metrics


def figures(outcome, statistic="p50"):
    return {s.metric: s.value for s in outcome.facts.statistics if s.statistic == statistic}


def test_known_timings_give_back_exactly_the_known_metrics():
    hand = Hand()
    outcome = measured(fake_system(hand, FakeProbe(hand, watts=8.0), prefill=0.5, step=0.125))
    assert figures(outcome) == {
        "ttft": 0.5,
        "itl": 0.125,
        "tpot": 0.125,
        "tpot_guidellm": (0.5 + 4 * 0.125) / 5,
        "e2e": 1.0,
        "output_rate": 5.0,
        "total_rate": 13.0,
        "request_rate": 1.0,
        "joules_per_token": None,  # four windows of 2 s are too few for a median …
    }
    assert figures(outcome, "mean") == {"joules_per_token": 8.0 / 5}  # … so their mean stands there
    assert outcome.facts.first_call_s == 1.0
    assert (outcome.facts.trials, outcome.facts.seconds) == (9, 9.0)


def test_a_batch_is_one_sample_of_latency_and_all_its_tokens_count_for_the_rate():
    outcome = measured(fake_system(prefill=0.5, step=0.125), batch=4)
    found = figures(outcome)
    assert (found["ttft"], found["itl"], found["e2e"]) == (0.5, 0.125, 1.0)
    assert (found["output_rate"], found["total_rate"], found["request_rate"]) == (20.0, 52.0, 4.0)
    n = {s.metric: s.n for s in outcome.facts.statistics}
    assert (n["ttft"], n["itl"], n["output_rate"]) == (9, 9 * 4, 9)
    assert len([row for row in outcome.rows if row["phase"] == "trial"]) == 9 * 4


def test_percentiles_of_varying_steps_are_those_of_the_steps_themselves():
    lengths = [((37 * n) % 64 + 1) / 256 for n in range(5000)]
    bench = fake_system(prefill=0.25, step=lambda n: lengths[n])
    outcome = measured(bench, shape=(8, 11), trials=40, settled=0.9)
    warm = 10 * len(outcome.facts.warmup_s)
    steps = sorted(lengths[warm : warm + 400])
    for statistic, p in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        assert figures(outcome, statistic)["itl"] == steps[math.ceil(400 * p) - 1]
    tpot = sorted(sum(lengths[warm + 10 * i : warm + 10 * i + 10]) / 10 for i in range(40))
    assert figures(outcome)["tpot"] == pytest.approx(tpot[19], rel=1e-12)


def test_warm_up_is_in_no_metric():
    slow_start = [64.0, 16.0, 1.0, 1.0, 1.0]
    bench = fake_system(prefill=lambda n: slow_start[n] if n < 5 else 1.0, step=0.0)
    outcome = measured(bench)
    assert outcome.facts.first_call_s == 64.0
    assert len(outcome.facts.warmup_s) == 5
    assert figures(outcome)["ttft"] == 1.0


def test_goodput_counts_the_requests_that_keep_every_limit():
    late = {7: 4.0, 9: 4.0}  # two of nine trials (3 warm-ups come before) answer too late
    bench = fake_system(prefill=lambda n: late.get(n, 0.5), step=0.125)
    outcome = measured(bench, slo={"ttft": 1.0, "tpot": 0.125})
    assert sorted(outcome.values["goodput"]) == [0.0, 0.0] + [1.0] * 7
    assert measured(fake_system(), slo={"tpot": 0.1}).values["goodput"] == [0.0] * 9
    assert measured(fake_system()).values["goodput"] == []


def test_energy_is_taken_over_windows_of_whole_trials():
    hand = Hand()
    outcome = measured(fake_system(hand, FakeProbe(hand, watts=16.0)), trials=12)
    windows = {row["trial"]: (row["energy_window"], row["window_j"]) for row in outcome.rows if row["phase"] == "trial"}
    assert sorted(windows.values()) == [(w, 32.0) for w in range(6) for _ in range(2)]
    assert outcome.values["joules_per_token"] == [3.2] * 6
    assert figures(outcome)["joules_per_token"] == 3.2


@pytest.mark.parametrize("probe", [{"watts": None}, {"about": {"mig": True}}])
def test_without_a_counter_of_its_own_there_are_no_joules(probe):
    hand = Hand()
    outcome = measured(fake_system(hand, FakeProbe(hand, **probe)))
    assert outcome.values["joules_per_token"] == []


def test_every_metric_has_formula_unit_direction_and_what_is_one_sample():
    for metric in load_metrics().values():
        assert metric.formula
        assert metric.unit
        assert metric.sample
        assert metric.higher_is_better == (metric.unit in ("tokens/s", "requests/s"))


def test_a_checkpoint_without_closed_form_is_measured_and_has_no_roofline():
    found = measured(fake_system(dims=None)).facts
    assert found.statistics
    assert found.achieved == ()
    assert found.roofline_note == "no roofline: the architecture of this checkpoint has no closed form here"


def test_the_documentation_has_every_metric_as_it_is_defined():
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    for name, m in load_metrics().items():
        better = "higher" if m.higher_is_better else "lower"
        assert f"| {m.display} | `metric_{name}` | {m.formula} | {m.unit} | {better} | {m.sample} |" in text
