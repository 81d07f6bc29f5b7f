"""Deadline and budget: by a clock that does not jump, and told where the wall clock did."""

from datetime import UTC, datetime, timedelta

from support.nights import job

from harness.fleet.night.limits import Limits, gpu_hours, passed
from harness.records.night import Attempt, JobOutcome

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def test_the_deadline_counts_from_the_beginning_of_the_night_in_whatever_process():
    time = [100.0]
    limits = Limits(60, None, passed_s=3000, clock=lambda: time[0], began=100.0)
    assert limits.reached(0) is None
    time[0] += 599
    assert not limits.is_past
    time[0] += 2
    assert limits.is_past
    assert "the deadline, 1 h" in limits.reached(0)


def test_a_wall_clock_that_jumps_moves_no_deadline_of_a_running_night():
    limits = Limits(60, None, clock=lambda: 10.0, began=10.0)
    assert limits.left_s == 3600  # nothing but the monotonic clock is asked


def test_after_a_reboot_the_time_since_the_beginning_counts():
    assert passed(NOW - timedelta(hours=2), NOW) == (7200, None)


def test_a_clock_that_stands_before_the_beginning_of_the_night_is_told():
    since, told = passed(NOW + timedelta(days=3), NOW)
    assert since == 0
    assert "jumped" in told


def test_a_clock_that_stands_years_later_is_told_too():
    since, told = passed(NOW - timedelta(days=3650), NOW)
    assert since == 0
    assert "jumped" in told


def test_the_budget_counts_what_attempts_on_gpus_took(tmp_path):
    jobs = {
        "gpu": job(tmp_path, "gpu", "ok", accelerator="l4", split=2),
        "cpu": job(tmp_path, "cpu", "ok"),
    }
    attempt = Attempt(number=1, started_at=NOW, ended_at=NOW, seconds=1800, host="h")
    outcomes = [JobOutcome(job=name, status="done", attempts=(attempt, attempt)) for name in jobs]
    assert gpu_hours(jobs, outcomes) == 2.0
    assert "2 GPU hours" in Limits(None, 2.0).reached(2.0)
    assert Limits(None, 2.1).reached(2.0) is None
