"""How requests arrive: warm-up until stable, trials by rule, Poisson arrivals that wait for nobody, trials that alternate."""

import numpy as np
import pytest
from support.speed_fakes import FakeProbe, Hand, fake_bench, measured, runner

from harness.speed import measure as measuring
from harness.speed.trials import Prompts


def trial_rows(outcome):
    return [row for row in outcome.rows if row["phase"] == "trial"]


def test_trials_go_on_until_there_are_enough_and_long_enough():
    assert measured(fake_bench(), trials=9, seconds=0).facts.trials == 9
    assert measured(fake_bench(), trials=9, seconds=25).facts.trials == 25


def test_warm_up_ends_when_three_trials_agree_or_at_its_limit():
    steady = measured(fake_bench())
    assert len(steady.facts.warmup_s) == 3
    restless = measured(fake_bench(prefill=lambda n: 0.5 + n % 2), warmup=7)
    assert len(restless.facts.warmup_s) == 7
    assert not restless.facts.validity.valid
    assert restless.facts.validity.reasons == ("the warm-up had not settled after 7 trials",)


def test_prompts_are_the_same_for_the_same_seed_and_avoid_the_ends_of_text():
    ask = [Prompts(50, 3, (0, 1, None)).requests(2, 4, 100, 5) for _ in range(2)]
    assert ask[0] == ask[1]
    assert {token for request in ask[0] for token in request.prompt} <= set(range(2, 50))
    assert Prompts(50, 4, (0, 1)).requests(2, 4, 100, 5) != ask[0]


def test_arrivals_are_poisson_by_the_seed_and_do_not_wait_for_the_backend():
    due = [row["submit_s"] for row in trial_rows(measured(fake_bench(step=0.5), rate=8.0, requests=300))]
    again = [row["submit_s"] for row in trial_rows(measured(fake_bench(step=0.25), rate=8.0, requests=300))]
    gaps = np.diff(due)
    assert np.allclose(gaps, np.diff(again))
    assert len(due) == 300
    assert np.mean(gaps) == pytest.approx(1 / 8, rel=0.15)
    assert np.std(gaps) == pytest.approx(1 / 8, rel=0.25)  # of an exponential: as large as its mean


def test_time_to_first_token_counts_from_when_a_request_was_due_however_late_it_is_taken(monkeypatch):
    monkeypatch.setattr(measuring, "OPEN_ROOM", 1)
    outcome = measured(fake_bench(prefill=0.5, step=0.125), rate=1.5, requests=60)
    rows, free = trial_rows(outcome), 0.0
    for row in rows:
        started = max(row["submit_s"], free)
        free = started + 1.0
        assert row["token_s"][0] == pytest.approx(started + 0.5, abs=1e-6)
        assert row["token_s"][-1] == pytest.approx(free, abs=1e-6)
    waits = [row["token_s"][0] - row["submit_s"] for row in rows]
    assert outcome.values["ttft"] == pytest.approx(sorted(waits), abs=1e-9)
    assert any("more than it serves" in note for note in outcome.facts.validity.notes)


def test_an_open_loop_has_one_sample_a_request_and_no_limit():
    outcome = measured(fake_bench(prefill=0.01, step=0.01), rate=4.0, requests=300)
    n = {s.metric: s.n for s in outcome.facts.statistics}
    assert n["ttft"] == n["tpot"] == 300
    assert {s.statistic for s in outcome.facts.statistics if s.metric == "ttft" and s.value} == {"p50", "p90", "p99"}
    assert outcome.facts.achieved == ()
    assert "no limit" in outcome.facts.limit_note


def test_two_loops_alternate_trial_by_trial_once_both_are_warm():
    hand = Hand()
    first = runner(fake_bench(hand, FakeProbe(hand)), energy=False)
    other = fake_bench(hand, FakeProbe(hand), prefill=lambda n: 9.0 - n if n < 6 else 0.5)
    second = runner(other, energy=False)
    first.loop.partner, second.loop.partner = second.loop, first.loop
    going = [first, second]
    while going:
        going = [one for one in going if one.trial()]
    order = sorted((t.steps[0].time, one) for one, r in enumerate((first, second)) for t in r.loop.measured)
    assert [one for _, one in order] == [0, 1] * (len(order) // 2)
    assert len(order) >= 18
    assert first.meter.windows == {}
    for one in (first, second):
        one.stop()
        assert one.outcome().facts.trials == len(order) // 2
