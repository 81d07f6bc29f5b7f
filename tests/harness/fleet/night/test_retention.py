"""Samples of old nights go, their records stay; what alarmed and what is a baseline stays whole."""

from datetime import UTC, datetime, timedelta

from support.records import record, samples

from harness.fleet.night.retention import forget_samples
from harness.records.files import run_folder, write_record
from harness.records.night import JobOutcome, NightOutcome, StepRun

START = datetime(2026, 11, 1, tzinfo=UTC)


def night(results, day, plan="mine", exit_code=0):
    """A night with one run, `day` days after the first."""
    made = record()
    write_record(results, made, samples())
    run = StepRun(role="candidate", block=0, run_id=made.run_id)
    return NightOutcome(
        id=f"night-{plan}-{day}", plan=plan, plan_digest="d", started_at=START + timedelta(days=day),
        ended_at=START, exit_code=exit_code, jobs=(JobOutcome(job="one", status="done", runs=(run,)),),
    )  # fmt: skip


def has_samples(results, one):
    (path,) = run_folder(results, one.jobs[0].runs[0].run_id).iterdir()
    assert (path / "record.json").exists()
    return (path / "samples.parquet").exists()


def test_samples_of_the_newest_nights_stay_tonight_counted(tmp_path):
    nights = [night(tmp_path, day) for day in range(5)]
    (told,) = forget_samples(tmp_path, "mine", 3, nights, None)
    assert [has_samples(tmp_path, one) for one in nights] == [False, False, False, True, True]
    assert told.kind == "told"
    assert "3 files" in told.text
    assert forget_samples(tmp_path, "mine", 3, nights, None) == []


def test_without_a_rule_everything_stays(tmp_path):
    nights = [night(tmp_path, day) for day in range(3)]
    assert forget_samples(tmp_path, "mine", None, nights, None) == []
    assert all(has_samples(tmp_path, one) for one in nights)


def test_nights_of_other_plans_and_nights_that_alarmed_stay_whole(tmp_path):
    nights = [night(tmp_path, 0, exit_code=1), night(tmp_path, 0, plan="other"), night(tmp_path, 1)]
    forget_samples(tmp_path, "mine", 1, nights, None)
    assert [has_samples(tmp_path, one) for one in nights] == [True, True, False]


def test_the_run_of_a_baseline_stays_whole_and_unreadable_baselines_delete_nothing(tmp_path):
    old = night(tmp_path, 0)
    baselines = tmp_path / "baselines.yaml"
    baselines.write_text("schema: [")
    (told,) = forget_samples(tmp_path, "mine", 1, [old], baselines)
    assert "No samples were deleted" in told.text
    baselines.write_text(
        f"""\
schema: minizoo.baselines/1
baselines:
  one:
    model: m
    run: {old.jobs[0].runs[0].run_id}
    accepted_by: a
    reason: r
    accepted_at: '2026-11-30T15:57:43Z'
    bundle: baselines/m.zip
    sha256: {"a" * 64}
    bytes: 1
"""
    )
    assert forget_samples(tmp_path, "mine", 1, [old], baselines) == []
    assert has_samples(tmp_path, old)
