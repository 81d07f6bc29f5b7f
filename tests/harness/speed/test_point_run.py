"""Trials: warm-up until stable, as many as the rule wants, Poisson arrivals at their times, models that take turns."""

import numpy as np
import pytest
from support.speed_fakes import FakeProbe, Hand, fake_system, measured, point_run

from backends.contract import Step
from harness.speed import system as systems
from harness.speed.trials.point_run import run_trials
from harness.speed.trials.policy import has_enough, has_settled, next_phase
from harness.speed.trials.trial import Prompts, Trial
from harness.speed.workloads.workload import Rule

RULE = Rule(trials=3, seconds=0, warmup=5)


def trial_rows(outcome):
    return [row for row in outcome.rows if row["phase"] == "trial"]


def test_trials_go_on_until_there_are_enough_and_long_enough():
    assert measured(fake_system(), trials=9, seconds=0).facts.trials == 9
    assert measured(fake_system(), trials=9, seconds=25).facts.trials == 25


def test_warm_up_ends_when_three_trials_agree_or_at_its_limit():
    steady = measured(fake_system())
    assert len(steady.facts.warmup_s) == 3
    restless = measured(fake_system(prefill=lambda n: 0.5 + n % 2), warmup=7)
    assert len(restless.facts.warmup_s) == 7
    assert not restless.facts.validity.valid
    assert [reason.code for reason in restless.facts.validity.reasons] == ["warmup-unsettled"]


def test_prompts_are_the_same_for_the_same_seed_and_avoid_the_ends_of_text():
    ask = [Prompts(50, 3, (0, 1, None)).requests(2, 4, 100, 5) for _ in range(2)]
    assert ask[0] == ask[1]
    assert {token for request in ask[0] for token in request.prompt} <= set(range(2, 50))
    assert Prompts(50, 4, (0, 1)).requests(2, 4, 100, 5) != ask[0]


def gaps(seed=0, step=0.5):
    return np.diff(
        [row["submit_s"] for row in trial_rows(measured(fake_system(seed=seed, step=step), rate=8.0, requests=300))]
    )


def test_arrivals_are_poisson_by_the_seed_and_do_not_wait_for_the_backend():
    found = gaps()
    assert np.allclose(found, gaps(step=0.25))
    assert len(found) == 299
    # 300 gaps: a standard error of 1/√300 = 6 % for their mean, and of √(2/300) = 8 % for their spread
    assert np.mean(found) == pytest.approx(1 / 8, rel=0.15)
    assert np.std(found) == pytest.approx(1 / 8, rel=0.25)  # of an exponential: as large as its mean


def test_another_seed_gives_other_arrivals():
    assert np.array_equal(gaps(seed=3), gaps(seed=3))
    assert not np.allclose(gaps(seed=3), gaps(seed=4))


def test_time_to_first_token_counts_from_when_a_request_was_due_however_late_it_is_taken(monkeypatch):
    monkeypatch.setattr(systems, "OPEN_ROOM", 1)
    outcome = measured(fake_system(prefill=0.5, step=0.125), rate=1.5, requests=60)
    rows, free = trial_rows(outcome), 0.0
    for row in rows:
        started = max(row["submit_s"], free)
        free = started + 1.0
        assert row["token_s"][0] == pytest.approx(started + 0.5, abs=1e-6)
        assert row["token_s"][-1] == pytest.approx(free, abs=1e-6)
    waits = [row["token_s"][0] - row["submit_s"] for row in rows]
    assert outcome.values["ttft"] == pytest.approx(sorted(waits), abs=1e-9)
    assert "overloaded" in {note.code for note in outcome.facts.validity.notes}


def test_an_open_loop_has_one_sample_a_request_and_no_roofline():
    outcome = measured(fake_system(prefill=0.01, step=0.01), rate=4.0, requests=300)
    n = {s.metric: s.n for s in outcome.facts.statistics}
    assert n["ttft"] == n["tpot"] == 300
    assert {s.statistic for s in outcome.facts.statistics if s.metric == "ttft" and s.value} == {"p50", "p90", "p99"}
    assert outcome.facts.achieved == ()
    assert "no roofline" in outcome.facts.roofline_note


def test_two_models_take_turns_trial_by_trial_once_both_are_warm():
    hand = Hand()
    first = point_run(fake_system(hand, FakeProbe(hand)), energy=False)
    slow_start = fake_system(hand, FakeProbe(hand), prefill=lambda n: 9.0 - n if n < 6 else 0.5)
    second = point_run(slow_start, energy=False)
    run_trials([first, second], first.rule)
    began = [(trial.steps[0].time, one, trial.phase) for one, run in enumerate((first, second)) for trial in run.trials]
    order = [(one, phase) for _, one, phase in sorted(began)]
    assert [one for one, _ in order] == [0, 1] * (len(order) // 2)
    assert [phase for _, phase in order] == ["warmup"] * (len(order) - 18) + ["trial"] * 18
    assert first.meter.windows == {}


def test_a_backend_that_stops_short_gets_a_new_stream_for_the_next_trial():
    system = fake_system(tokens=3)
    run = point_run(system, trials=2)
    run_trials([run], run.rule)
    assert [len(trial.steps) for trial in run.trials] == [3] * 5
    assert system.backend.rooms == [1] * 5


def trial(seconds, phase="trial"):
    return Trial(0, phase, (), {0: 0.0}, {0: 0.0}, (Step(seconds, ((0, 7),)),))


def warm(*seconds):
    return [trial(each, "warmup") for each in seconds]


@pytest.mark.parametrize(
    ("seconds", "is_settled"),
    [((1.0, 1.0), False), ((1.0, 1.0, 1.05), True), ((1.0, 1.0, 1.2), False), ((1.0, 1.0, 1.0, 9.0), True)],
)
def test_three_warm_ups_in_a_row_settle_it(seconds, is_settled):
    assert has_settled(warm(*seconds), RULE) == is_settled


def test_the_next_trial_follows_from_the_trials_of_all_models():
    cold, ready = warm(1.0, 2.0, 4.0), warm(1.0, 1.0, 1.0)
    done = [*ready, *[trial(1.0)] * 3]
    assert next_phase([[]], RULE) == next_phase([ready, cold], RULE) == next_phase([done, cold], RULE) == "warmup"
    assert next_phase([warm(1, 2, 4, 8, 16)], RULE) == "trial"  # as many warm-ups as the rule allows
    assert next_phase([done, ready], RULE) == next_phase([ready, done], RULE) == "trial"
    assert next_phase([done, done], RULE) is None


def test_enough_is_a_number_of_trials_and_of_seconds():
    rule = Rule(trials=3, seconds=5)
    assert not has_enough([trial(9.0)] * 2, rule)
    assert not has_enough([trial(1.0)] * 4, rule)
    assert has_enough([trial(2.0)] * 3, rule)
    assert has_enough([trial(0.0)] * 3, rule)  # a clock that stands still would never come to five seconds
    assert has_enough([trial(0.5)], rule, open_loop=True)
