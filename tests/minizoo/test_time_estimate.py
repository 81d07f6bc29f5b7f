"""How long a dry run says it will take: by what earlier runs took on this device, or unknown, with what to do."""

import dataclasses

import pytest
from support.paths import ROOT

from harness.accuracy.times.pace import FARTHEST, Amount, Probed, estimated_time
from harness.records.measured_work import Identity, Measured, Place
from harness.store.query import query
from minizoo.display.scale import rough_duration

SUITE = ROOT / "examples/my_suite.yaml"
PLACE = Place("hf", "cpu", "Some CPU, 2 threads", "float32")
MODEL = Identity("hub", "me/model", None)
TASK = {"quiz": Amount(score_tokens=10_000, shared=True, new_tokens=0)}


def measured(**changes):
    row = Measured(
        "run", "quiz", "me/model", MODEL, PLACE, requests=100, computed_tokens=1000, scoring_s=2.0, new_tokens=0,
        generating_s=0.0, flops_per_token=1000,
    )  # fmt: skip
    return dataclasses.replace(row, **changes)


def of(amounts=TASK, rows=(), model=MODEL, flops=1000, place=PLACE):
    return estimated_time(amounts, model, flops, place, list(rows))


def test_scores_take_as_long_a_token_as_they_took_here():
    found = of(rows=[measured()])
    assert found.seconds == {"quiz": pytest.approx(20.0)}
    assert (found.at_most, found.unknown) == (False, ())
    assert found.basis == ("scores at 500 tokens/s, by 1,000 tokens of me/model (run run)",)


def test_generated_text_has_a_pace_and_lengths_of_its_own():
    wrote = measured(task="gsm8k", computed_tokens=0, scoring_s=0.0, requests=10, new_tokens=400, generating_s=20.0)
    amounts = {
        **TASK,
        "gsm8k": Amount(score_tokens=0, shared=True, new_tokens=25_600, generations=100),
        "other": Amount(score_tokens=0, shared=True, new_tokens=1000, generations=10),
    }
    found = of(amounts, [measured(), wrote])
    assert found.seconds["gsm8k"] == pytest.approx(100 * 40 * 0.05)  # answers of 40 tokens, not of the limit's 256
    assert found.seconds["other"] == pytest.approx(1000 * 0.05)
    assert found.at_most
    assert found.total == pytest.approx(20 + 200 + 50)


@pytest.mark.parametrize(
    "change",
    [
        {"hardware": "Another CPU, 2 threads"},
        {"hardware": "Some CPU, 8 threads"},
        {"device": "cuda"},
        {"dtype": "bfloat16"},
        {"backend": "other"},
    ],
)
def test_what_ran_elsewhere_or_in_another_way_says_nothing(change):
    found = of(rows=[measured(place=dataclasses.replace(PLACE, **change))])
    assert (found.total, found.unknown) == (None, ("scores",))


def test_another_models_pace_is_scaled_by_flops_and_said_to_be_rough():
    another = measured(identity=Identity("hub", "me/other", None), model="me/other")
    found = of(rows=[another], flops=4000)
    assert found.total == pytest.approx(80.0)
    assert "of me/other (run run), times 4 for the FLOPs of a token: roughly" in found.basis[0]
    assert of(rows=[another], flops=1000 * FARTHEST * 2).total is None
    assert of(rows=[another], flops=None).total is None


def test_a_handful_of_tokens_is_no_pace():
    assert of(rows=[measured(computed_tokens=80, scoring_s=0.001)]).total is None


def test_a_probe_counts_where_no_run_tells_and_there_alone():
    texts = Amount(score_tokens=0, shared=True, new_tokens=1000, generations=10, prompt_tokens=300)
    probed = {"scores": Probed(500, 50.0), "generated text": Probed(100, 1.0, prompt_tokens=60, prompt_seconds=0.6)}
    found = estimated_time({**TASK, "gsm8k": texts}, MODEL, 1000, PLACE, [measured()], probed)
    assert found.seconds == {"quiz": pytest.approx(20.0), "gsm8k": pytest.approx(1000 * 0.01 + 300 * 0.01)}
    assert (found.sources, found.source) == ({"scores": "store", "generated text": "probe"}, "probe")
    assert "by a probe of 1.6 s on this device (100 tokens)" in found.basis[1]
    few = estimated_time(TASK, MODEL, 1000, PLACE, [], {"scores": Probed(499, 1.0)})
    assert (few.total, few.unknown) == (None, ("scores",))


def test_a_backend_that_shares_no_prefix_is_counted_by_what_is_asked():
    amounts = {"quiz": Amount(score_tokens=100, shared=True, new_tokens=0, asked_tokens=900)}
    for shares, seconds in ((True, 10.0), (False, 90.0)):
        found = estimated_time(amounts, MODEL, 1000, PLACE, [], {"scores": Probed(1000, 100.0, shares=shares)})
        assert found.total == pytest.approx(seconds)


def test_what_cannot_be_counted_has_no_time():
    found = of({**TASK, "unknown size": Amount()}, [measured()])
    assert found.seconds["unknown size"] is None
    assert found.total == pytest.approx(20.0)


def test_durations_are_round():
    told = [rough_duration(seconds) for seconds in (5, 61, 40 * 60 + 7, 83 * 60, 3.4 * 3600, 60 * 3600)]
    assert told == ["under a minute", "about 1 min", "about 40 min", "about 80 min", "about 3 h", "about 2 d"]


def test_a_dry_run_says_hours_once_a_run_has_been_recorded_here(minizoo, tmp_path):
    argv = ["eval", "nano-teacher", "--suite", SUITE, "--device", "cpu", "--results", tmp_path]
    before = minizoo(*argv, "--dry-run", "--no-probe")
    assert "Time: unknown" in before.out
    assert "--limit 20 in place of --dry-run, or without --no-probe" in before.out
    assert not list(tmp_path.iterdir())
    ran = minizoo(*argv, "--dtype", "float16")
    assert "(hf, float16 weights, float32 products)" in ran.out
    assert "in all, with preparing and loading" in ran.out
    argv += ["--dtype", "float16"]
    (took,) = query(tmp_path, "SELECT sum(scoring_s) AS s, any_value(run_id) AS run_id FROM records")
    expected = took["s"]
    again = minizoo(*argv, "--dry-run", "--json").json()
    assert again["time"]["seconds"] == pytest.approx(expected)
    assert again["time"]["basis"][0].endswith(f"of nano-teacher (run {took['run_id']})")
    assert (again["time"]["basis_kind"], again["time"]["kinds"]) == ("store", {"scores": "store"})
    told = minizoo(*argv, "--dry-run")
    shown = told.out
    assert "probed" not in told.err  # what a run tells wins
    assert "of computing on" in shown
    assert "'time': scores at" in shown
    student = minizoo("eval", "nano-width", *argv[2:], "--dry-run", "--json").json()
    assert "for the FLOPs of a token: roughly" in student["time"]["basis"][0]
    assert 0 < student["time"]["seconds"] < expected
    unknown = minizoo(*argv, "--dry-run", "--json", "--dtype", "bfloat16", "--no-probe").json()["time"]
    assert (unknown["seconds"], unknown["basis_kind"]) == (None, None)
    assert minizoo(*argv, "--dry-run", "--json", "--device", "cuda:7").json()["time"]["place"] is None
