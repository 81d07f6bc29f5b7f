"""The jobs of a night, given out and gathered: none hides another, none is lost, limits hold."""

import pytest
from support.nights import Inline, job, night, times

from harness.fleet.night.limits import Limits
from harness.fleet.night.loop import Jobs, Watch


def jobs_of(folder, planned, **limits):
    return Jobs(folder, planned.retries, Limits(**{"minutes": None, "gpu_hours": None, **limits}), Watch())


def states(jobs):
    return {name: outcome.status for name, outcome in jobs.outcomes.items()}


def test_a_job_that_fails_hides_no_other(tmp_path):
    folder, planned = night(
        tmp_path, job(tmp_path, "a", "usage"), job(tmp_path, "b", "ok"), job(tmp_path, "c", "environment")
    )
    jobs = jobs_of(folder, planned)
    jobs.run(Inline(), planned.jobs)
    assert states(jobs) == {"a": "failed", "b": "done", "c": "infra_failed"}
    assert [path.name for path in folder.results.glob("runs/*/*")] == [jobs.outcomes["b"].runs[0].run_id]


def test_a_night_that_goes_on_runs_no_finished_job_again(tmp_path):
    folder, planned = night(tmp_path, job(tmp_path, "a", "ok"), job(tmp_path, "b", "usage"), job(tmp_path, "c", "ok"))
    jobs_of(folder, planned).run(Inline(), planned.jobs[:2])
    executor = Inline()
    jobs = jobs_of(folder, planned)
    jobs.run(executor, planned.jobs)
    assert executor.began == ["c"]
    assert states(jobs) == {"a": "done", "b": "failed", "c": "done"}


def test_a_lost_job_goes_elsewhere_and_after_that_is_given_up(tmp_path):
    folder, planned = night(tmp_path, job(tmp_path, "a", "ok"), job(tmp_path, "b", "ok"))
    executor = Inline(lose={"a": 1, "b": 2})
    jobs = jobs_of(folder, planned)
    jobs.run(executor, planned.jobs)
    assert sorted(executor.began) == ["a", "a", "b", "b"]
    assert states(jobs) == {"a": "done", "b": "infra_failed"}
    assert jobs.outcomes["b"].code == "job-lost"
    assert "Its node went." in jobs.outcomes["b"].text


def test_a_job_refused_for_its_gpu_is_tried_elsewhere_once(tmp_path):
    folder, planned = night(tmp_path, job(tmp_path, "a", "ok", accelerator="h100-sxm"))
    executor = Inline()
    jobs = jobs_of(folder, planned)
    jobs.run(executor, planned.jobs)
    assert executor.began == ["a", "a"]
    assert (jobs.outcomes["a"].status, jobs.outcomes["a"].code) == ("infra_failed", "wrong-accelerator")
    assert len(jobs.outcomes["a"].attempts) == 2
    again = jobs_of(folder, planned)
    again.run(executor, planned.jobs)  # a call that goes on does not begin to count anew
    assert executor.began == ["a", "a"]


def test_past_the_deadline_nothing_begins_and_what_is_there_counts(tmp_path):
    folder, planned = night(tmp_path, job(tmp_path, "a", "ok"), job(tmp_path, "b", "ok"))
    jobs_of(folder, planned).run(Inline(), planned.jobs[:1])
    executor = Inline()
    jobs = jobs_of(folder, planned, minutes=60, passed_s=3600)
    jobs.run(executor, planned.jobs)
    assert executor.began == []
    assert states(jobs) == {"a": "done", "b": "not_begun"}
    assert "the deadline, 1 h" in jobs.outcomes["b"].text


def test_a_deadline_in_the_midst_of_a_night_stops_what_runs_and_drains_the_rest(tmp_path):
    time = [0.0]

    class Slow(Inline):
        def wait(self, seconds):
            time[0] += 40 * 60
            return super().wait(seconds) if not self.began else []

    folder, planned = night(tmp_path, *(job(tmp_path, name, "ok") for name in "abc"))
    executor = Slow()
    jobs = jobs_of(folder, planned, minutes=60, clock=lambda: time[0], began=0.0)
    jobs.run(executor, planned.jobs)
    assert executor.cancelled or executor.waiting == []
    assert states(jobs) == {"a": "done", "b": "not_begun", "c": "not_begun"}
    assert jobs.stopped


def test_an_interrupt_drains_cancels_and_leaves_the_night_to_go_on(tmp_path):
    class Interrupted(Inline):
        def wait(self, seconds):
            if self.began:
                raise KeyboardInterrupt
            return super().wait(seconds)

    folder, planned = night(tmp_path, job(tmp_path, "a", "ok"), job(tmp_path, "b", "ok"))
    executor = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        jobs_of(folder, planned).run(executor, planned.jobs)
    assert executor.cancelled
    jobs = jobs_of(folder, planned)
    jobs.run(Inline(), planned.jobs)
    assert states(jobs) == {"a": "done", "b": "done"}
    assert times(folder.job("a")) == 1
