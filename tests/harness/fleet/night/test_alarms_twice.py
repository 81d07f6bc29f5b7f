"""The gate over tonight's own runs, and its alarms: each stands only where the job alarms again."""

from support.gated import flips, policy, side, task
from support.nights import job

from harness.fleet.night.gate import JobPair, confirmed, fallen, job_pairs, judge
from harness.gates.loading import unfiled
from harness.gates.plan import Pair
from harness.records.night import JobOutcome

ENTRIES = ({"task": "winogrande", "ask": ("detect",)}, {"task": "arc", "ask": ("detect",)})
OLD, WORSE = flips(400, 40, 0)


def judged(tmp_path, **tasks):
    """The judgement of one job whose model has these values of each task."""
    reference = side("m", task("m", OLD), task("m", OLD, "arc"))
    candidate = side("m", *(task("m", values, name) for name, values in tasks.items()))
    return judge(
        [JobPair(job(tmp_path, "j", "ok"), Pair(reference, candidate))], lambda: unfiled(policy(*ENTRIES)), None
    )


def test_a_row_that_alarms_both_times_stands_and_one_that_does_not_went_away(tmp_path):
    first = judged(tmp_path, winogrande=WORSE, arc=WORSE)
    assert first.alarmed == ["j"]
    again = judged(tmp_path, winogrande=WORSE, arc=OLD)
    outcome, told = confirmed(first, again)
    assert {row.task: row.status for row in outcome.verdicts}["winogrande"] == "REGRESSED"
    assert {row.task: row.status for row in outcome.verdicts}["arc"] != "REGRESSED"
    assert outcome.exit_code == 1
    assert [(one.kind, one.about) for one in told] == [("told", "j")]
    assert "went away when the job ran again" in told[0].text
    (fell,) = fallen(outcome, first)
    assert (fell.kind, fell.about) == ("regressed", "j")
    assert fell.text.startswith("m winogrande (acc) against m")


def test_a_row_that_alarms_only_the_second_time_alarms_nobody(tmp_path):
    first = judged(tmp_path, winogrande=WORSE, arc=OLD)
    outcome, _ = confirmed(first, judged(tmp_path, winogrande=OLD, arc=WORSE))
    assert [row.status for row in outcome.verdicts if row.status == "REGRESSED"] == []
    assert fallen(outcome, first) == []


def test_without_a_baseline_nothing_is_judged(tmp_path):
    one = job(tmp_path, "j", "ok")
    assert job_pairs([one], {"j": JobOutcome(job="j", status="done")}, None, tmp_path) == []
    assert judge([], lambda: unfiled(policy(*ENTRIES)), None) is None


def test_a_job_without_a_run_of_tonight_is_missing_whatever_ran_before(tmp_path):
    from support.paths import ROOT

    baselines = ROOT / "reports" / "published" / "reference" / "baselines.yaml"
    one = job(tmp_path, "j", "ok", baseline="nano-teacher")
    failed = JobOutcome(job="j", status="infra_failed", text="The node went.")
    (tmp_path / "results").mkdir()
    (pair,) = job_pairs([one], {"j": failed}, baselines, tmp_path / "results")
    assert pair.pair.no_candidate == "j has no run of tonight (infra_failed: The node went.)"
    entry = {"task": "nano_words", "ask": ("detect",)}
    judgement = judge([pair], lambda: unfiled(policy(entry)), None)
    assert [row.status for row in judgement.outcome.verdicts] == ["MISSING"]
    assert judgement.outcome.exit_code == 3
