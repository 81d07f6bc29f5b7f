from datetime import timedelta

from support.night_plans import NOW, PLAN, checkpoint, compiled
from support.records import record

from harness.fleet.plan.best import told_best
from harness.records.files import new_run_id, write_record
from harness.records.night import JobOutcome, NightOutcome
from harness.records.record import MetricScore, Subject
from harness.stats.sufficient import MeanStatistics

SERIES = PLAN.replace("[nano-teacher]", "[{checkpoints: runs/a/step-*, label: run-a}]")


def score(value, n=400):
    """Of a task of right and wrong answers; few of them where nothing is to be told apart."""
    statistics = MeanStatistics(squares=n * value, units=n, binary=True, unit_interval=True)
    return MetricScore(
        metric="acc", filter="none", value=value, n=n, higher_is_better=True, chance=0.5, statistics=statistics
    )


def scored(results, name, value, n=400, **changes):
    subject = Subject(
        id="step", source="s", revision=None, weights_digest=name, tokenizer_digest="t", entry=None, kind="folder",
        name=name,
    )  # fmt: skip
    fields = {"suite": "nano", "subject": subject, "scores": (score(value, n),), **changes}
    write_record(results, record("nano_words", new_run_id(), **fields))


def told(folder, night):
    done = tuple(JobOutcome(job=job.id, status="done") for job in night.jobs)
    end = NightOutcome(
        id=night.id,
        plan="p",
        plan_digest="d",
        started_at=NOW,
        ended_at=NOW + timedelta(hours=1),
        exit_code=0,
        jobs=done,
    )
    return [finding.text for finding in told_best(night, end, folder / "results")]


def test_the_best_of_all_nights_is_told_and_marked_as_chosen(tmp_path):
    checkpoint(tmp_path / "runs/a/step-30")
    night = compiled(tmp_path, SERIES)
    for at, value in ((10, 0.5), (20, 0.9), (30, 0.6)):
        scored(tmp_path / "results", f"run-a@{at}", value)
    scored(tmp_path / "results", "run-ab@5", 0.99)
    scored(tmp_path / "results", "other", 0.99)
    best, mark = told(tmp_path, night)
    assert best == "Best by nano_words of 3: run-a@20, acc 0.9 †."
    assert mark.startswith("† chosen by that very score")


def test_those_that_the_task_does_not_tell_from_the_best_are_named(tmp_path):
    checkpoint(tmp_path / "runs/a/step-30")
    night = compiled(tmp_path, SERIES)
    for at, value in ((9, 0.78), (10, 0.8), (100, 0.1)):
        scored(tmp_path / "results", f"run-a@{at}", value, n=50)
    assert told(tmp_path, night)[0].endswith("run-a@10, acc 0.8 †; not told apart from it: 9.")


def test_the_newest_score_of_a_checkpoint_counts_and_failures_do_not(tmp_path):
    checkpoint(tmp_path / "runs/a/step-30")
    night = compiled(tmp_path, SERIES)
    scored(tmp_path / "results", "run-a@10", 0.9)
    scored(tmp_path / "results", "run-a@10", 0.4, finished_at=NOW + timedelta(days=1))
    scored(tmp_path / "results", "run-a@30", 0.6)
    scored(tmp_path / "results", "run-a@40", 0.95, status="unverified", reason="r", code="c")
    assert told(tmp_path, night)[0].startswith("Best by nano_words of 2: run-a@30")


def test_a_night_without_checkpoints_tells_of_none(tmp_path):
    assert told(tmp_path, compiled(tmp_path)) == []
