"""A whole night over stand-in jobs: begun, broken off, gone on with, closed, collected, told."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from support.nights import Inline, job

from harness.fleet.jobs.run import run_job
from harness.fleet.night import alarms, begin
from harness.fleet.night.files import emitted, find_job, read_night
from harness.fleet.night.lock import night_lock
from harness.fleet.night.loop import Watch
from harness.fleet.night.notify import notify
from harness.fleet.night.run import Telling, collect, give_out, run_night
from harness.fleet.plan.loading import load_plan
from harness.records.files import new_run_id
from harness.records.night import Finding, Night, NightOutcome
from zoo.errors import InvalidNight, JobRunning, NightRunning, NothingToCollect, UnknownJob

PLAN = "schema: minizoo.nightly/1\nname: test\nmodels: [nano-teacher]\nsuites: [nano]\n"


class Told:
    """What was told of nights, in order."""

    def __init__(self):
        self.events, self.break_in = [], None

    @property
    def telling(self):
        return Telling(self.report, self.site, Watch(self.events.append))

    def report(self, folder, night, outcome, gate):
        assert not folder.outcome.exists()
        self.note("report", outcome)

    def site(self, folder, outcome):
        assert folder.outcome.exists()
        self.note("site", outcome)

    def note(self, what, outcome):
        if self.break_in == what:
            self.break_in = None
            raise KeyboardInterrupt
        self.events.append((what, outcome.exit_code))


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """A plan whose jobs are stand-ins: what compiling makes of models is tested elsewhere."""
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    words = {"a": "ok", "b": "ok"}

    def compiled(file, results, now):
        jobs = tuple(job(tmp_path, name, word) for name, word in words.items())
        return Night(
            id=new_run_id(), plan="test", plan_digest=file.digest, started_at=now, minizoo="0", jobs=jobs
        )  # fmt: skip

    monkeypatch.setattr(begin, "compile_night", compiled)
    loaded = load_plan(path)
    return loaded, tmp_path / "results", words


def nights(results):
    return sorted(path.name for path in (results / "nights").iterdir() if path.is_dir())


def test_a_night_ends_with_its_report_its_outcome_and_its_site(plan):
    file, results, _ = plan
    told = Told()
    end = run_night(file, results, Inline(), told.telling)
    assert [event for event in told.events if isinstance(event, tuple)] == [("report", 0), ("site", 0)]
    assert NightOutcome.model_validate_json(end.folder.outcome.read_bytes()) == end.outcome
    assert {outcome.job: outcome.status for outcome in end.outcome.jobs} == {"a": "done", "b": "done"}
    runs = {run.run_id for outcome in end.outcome.jobs for run in outcome.runs}
    assert {path.name for path in results.glob("runs/*/*")} == runs
    assert not list(end.folder.path.glob("jobs/*/results"))  # what broken-off attempts left is gone with them


def test_a_finished_night_is_followed_by_a_new_one(plan):
    file, results, _ = plan
    first = run_night(file, results, Inline(), Told().telling)
    second = run_night(file, results, Inline(), Told().telling)
    assert first.outcome.id != second.outcome.id
    assert len(list(results.glob("runs/*/*"))) == 4


@pytest.mark.parametrize("where", ["report", "site"])
def test_a_night_broken_off_while_it_is_told_is_told_by_the_next_call_and_runs_nothing(plan, where):
    file, results, _ = plan
    told = Told()
    told.break_in = where
    with pytest.raises(KeyboardInterrupt):
        run_night(file, results, Inline(), told.telling)
    executor = Inline()
    end = run_night(file, results, executor, told.telling)
    assert executor.began == []
    assert nights(results) == [end.outcome.id]
    assert ("site", 0) in told.events


def test_fresh_begins_anew_in_place_of_what_was_broken_off(plan):
    file, results, _ = plan
    told = Told()
    told.break_in = "report"
    with pytest.raises(KeyboardInterrupt):
        run_night(file, results, Inline(), told.telling)
    executor = Inline()
    end = run_night(file, results, executor, told.telling, fresh=True)
    assert executor.began == ["a", "b"]
    assert nights(results) == [end.outcome.id]


def aged(results, hours):
    """Set the beginning of the only night back."""
    (name,) = nights(results)
    path = results / "nights" / name / "night.json"
    document = json.loads(path.read_text())
    document["started_at"] = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    path.write_text(json.dumps(document))
    return name


def test_yesterdays_unfinished_night_is_closed_and_never_stands_for_tonight(plan):
    file, results, _ = plan
    begun = give_out(file, results)
    run_job(begun.folder, begun.night, begun.night.jobs[0])
    old = aged(results, hours=21)
    executor = Inline()
    end = run_night(file, results, executor, Told().telling)
    assert executor.began == ["a", "b"]
    assert end.outcome.id != old
    closed = NightOutcome.model_validate_json((results / "nights" / old / "outcome.json").read_bytes())
    assert {one.job: one.status for one in closed.jobs} == {"a": "done", "b": "not_begun"}
    assert closed.exit_code == 3


def test_a_night_of_a_clock_that_jumped_back_goes_on_and_tells_it(plan):
    file, results, _ = plan
    give_out(file, results)
    name = aged(results, hours=-50)
    end = run_night(file, results, Inline(), Told().telling)
    assert end.outcome.id == name
    assert any("jumped" in finding.text for finding in end.outcome.findings)


def test_a_night_whose_file_is_cut_short_is_told_and_another_begins(plan):
    file, results, _ = plan
    begun = give_out(file, results)
    begun.folder.night.write_text('{"id": "cut')
    end = run_night(file, results, Inline(), Told().telling)
    assert end.outcome.id != begun.night.id
    assert any("cannot be read" in finding.text for finding in end.outcome.findings)


def test_two_nights_of_one_results_folder_never_mix(plan):
    file, results, _ = plan
    with night_lock(results, "another"), pytest.raises(NightRunning, match=r"plan another, pid \d+ on "):
        run_night(file, results, Inline(), Told().telling)
    run_night(file, results, Inline(), Told().telling)


def test_what_a_scheduler_ran_is_collected(plan, tmp_path):
    file, results, _ = plan
    begun = give_out(file, results)
    path = tmp_path / "jobs.json"
    path.write_text(begun.night.model_copy(update={"results": str(results)}).model_dump_json())
    assert give_out(file, results).night.id == begun.night.id  # asked again, the same night
    folder, night = emitted(path, None)
    assert folder == begun.folder
    for number in ("1", "2"):
        run_job(folder, night, find_job(night, number))
    end = collect(file, results, Told().telling)
    assert (end.outcome.id, end.outcome.exit_code) == (night.id, 0)
    with pytest.raises(NothingToCollect):
        collect(file, results, Told().telling)


def test_collecting_while_a_job_runs_is_refused_and_what_never_ran_is_told(plan):
    from filelock import FileLock

    file, results, _ = plan
    begun = give_out(file, results)
    run_job(begun.folder, begun.night, begun.night.jobs[0])
    place = begun.folder.job("b")
    place.path.mkdir(parents=True)
    with FileLock(place.lock), pytest.raises(JobRunning, match="b still runs"):
        collect(file, results, Told().telling)
    end = collect(file, results, Told().telling)
    assert {one.job: one.status for one in end.outcome.jobs} == {"a": "done", "b": "not_begun"}
    assert end.outcome.exit_code == 3


def test_a_job_is_found_by_name_number_and_as_a_repetition(plan):
    file, results, _ = plan
    night = read_night(give_out(file, results).folder.path)
    assert find_job(night, "2").id == find_job(night, "b").id == "b"
    assert find_job(night, "a-recheck").recheck_of == "a"
    for word in ("0", "3", "c"):
        with pytest.raises(UnknownJob):
            find_job(night, word)
    with pytest.raises(InvalidNight):
        read_night(results)


class Alarming:
    """The canary's verdict: an alarm as often as it is told."""

    def __init__(self, monkeypatch, times, kind="regressed"):
        self.left, self.kind = times, kind
        monkeypatch.setattr(alarms, "judge_canary", self)

    def __call__(self, _blocks, _earlier):
        self.left -= 1
        return [Finding(kind=self.kind, about="a", text="slower")] if self.left >= 0 else []


@pytest.mark.parametrize("kind", ["regressed", "platform"])
@pytest.mark.parametrize(("times", "code"), [(1, 0), (2, 1)])
def test_an_alarm_stands_only_where_the_job_alarms_a_second_time(plan, monkeypatch, kind, times, code):
    file, results, _ = plan
    monkeypatch.setattr(begin, "compile_night", bench_night(begin.compile_night))
    Alarming(monkeypatch, times, kind)
    executor = Inline()
    end = run_night(file, results, executor, Told().telling)
    assert executor.began == ["a", "b", "a-recheck"]
    assert end.outcome.exit_code == code
    kinds = [finding.kind for finding in end.outcome.findings if finding.about == "a"]
    assert kinds == [kind] if code else ["told"]


def test_an_alarm_that_cannot_be_rechecked_stands_and_says_so(plan, monkeypatch):
    file, results, _ = plan
    monkeypatch.setattr(begin, "compile_night", bench_night(begin.compile_night))
    Alarming(monkeypatch, 1)
    begun = give_out(file, results)
    for one in begun.night.jobs:
        run_job(begun.folder, begun.night, one)
    end = collect(file, results, Told().telling)
    assert end.outcome.exit_code == 1
    assert any("could not be re-checked" in finding.text for finding in end.outcome.findings)


def bench_night(compiled):
    def benches(file, results, now):
        night = compiled(file, results, now)
        return night.model_copy(update={"jobs": tuple(one.model_copy(update={"kind": "bench"}) for one in night.jobs)})

    return benches


def test_the_outcome_reaches_a_command_and_a_failing_one_is_told(plan, tmp_path):
    file, results, _ = plan
    end = run_night(file, results, Inline(), Told().telling)
    got = tmp_path / "got.json"
    assert (
        notify([sys.executable, "-c", f"import sys; open({str(got)!r}, 'w').write(sys.stdin.read())"], end.outcome)
        is None
    )
    assert NightOutcome.model_validate_json(got.read_text()) == end.outcome
    assert "exit code 3: alas" in notify(
        [sys.executable, "-c", "import sys; sys.exit(print('alas', file=sys.stderr) or 3)"], end.outcome
    )
    assert "cannot be run" in notify([str(tmp_path / "absent")], end.outcome)


def test_a_command_that_does_not_end_is_killed(plan, monkeypatch):
    from harness.fleet.night import notify as module

    file, results, _ = plan
    end = run_night(file, results, Inline(), Told().telling)
    monkeypatch.setattr(module, "SECONDS", 0.2)
    assert "was killed" in notify(["sleep", "60"], end.outcome)
