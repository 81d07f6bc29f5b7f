from datetime import timedelta

from support.night_plans import NOW, PLAN, compiled, write_plan
from support.paths import ROOT

from harness.fleet.plan.cost import JobCost
from harness.fleet.plan.detectable import Detectable
from harness.fleet.plan.loading import load_plan
from harness.records.night import Attempt, Finding, JobOutcome, NightOutcome
from minizoo.display.nightly.outcome import outcome_markdown, show_outcome
from minizoo.display.nightly.plan import document, show_plan
from minizoo.output import Output

TWO = PLAN.replace("[nano-teacher]", "[nano-teacher, nano-width]") + "deadline: 1h\nbudget: {gpu_hours: 1}\n"


def costs(night, *minutes, bound=""):
    return [JobCost(job, took, "2 earlier nights", bound) for job, took in zip(night.jobs, minutes, strict=True)]


def outcome(night, code, *jobs, findings=()):
    return NightOutcome(
        id=night.id, plan="small", plan_digest="d", started_at=NOW, ended_at=NOW + timedelta(minutes=7), exit_code=code,
        jobs=jobs, findings=findings,
    )  # fmt: skip


def attempt(number, **changes):
    return Attempt(number=number, started_at=NOW, ended_at=NOW, seconds=65, host="node-1", **changes)


def planned(capsys, folder, night, *minutes, bound=""):
    prospects = [Detectable("nano_words", "nano", 320, 0.036, "4 % of documents change by chance")]
    show_plan(Output(), load_plan(write_plan(folder, TWO)), night, costs(night, *minutes, bound=bound), prospects)
    return capsys.readouterr().out


def test_a_plan_shows_each_job_its_time_and_the_loss_that_would_be_found(tmp_path, capsys):
    shown = planned(capsys, tmp_path, compiled(tmp_path, TWO), 20, 25)
    assert "eval-nano-teacher-nano-hf-cpu" in shown
    assert "≈ 20 min" in shown
    assert "2 jobs, about 40 min one after the other." in shown
    assert "3.6 %" in shown
    assert "Deadline 60 min" in shown
    assert "not all fit" not in shown


def test_a_plan_that_takes_longer_than_its_deadline_says_what_becomes_of_the_last_jobs(tmp_path, capsys):
    assert "do not all fit: the last are not begun" in planned(capsys, tmp_path, compiled(tmp_path, TWO), 50, 25)


def test_what_nothing_tells_is_unknown_and_makes_the_sum_a_least_one(tmp_path, capsys):
    shown = planned(capsys, tmp_path, compiled(tmp_path, TWO), None, 25)
    assert "at least about 20 min" in shown
    assert "The time of 1 is unknown until they have run once here: eval-nano-teacher-nano-hf-cpu." in shown


def test_a_budget_that_is_not_enough_is_told_before_it_is_spent(tmp_path, capsys):
    night = compiled(tmp_path, TWO + "accelerators: [l4]\n")
    shown = planned(capsys, tmp_path, night, 50, 25)
    assert "1.25 GPU-hours" in shown
    assert "Budget 1 GPU-hours. It is not enough" in shown


def test_the_document_of_a_plan_has_every_command_and_what_is_unknown(tmp_path):
    night = compiled(tmp_path, TWO)
    told = document(load_plan(write_plan(tmp_path, TWO)).plan, night, costs(night, None, 25, bound="at least"), [])
    assert told["unknown"] == ["eval-nano-teacher-nano-hf-cpu"]
    assert told["jobs"][1]["bound"] == "at least"
    assert told["jobs"][0]["steps"][0]["words"][0] == "eval"
    assert (told["minutes"], told["deadline_minutes"], told["gpu_hours"]) == (25, 60, 0)


def test_a_night_shows_what_failed_first_and_its_verdict_last(tmp_path, capsys):
    night = compiled(tmp_path, TWO)
    first, second = (job.id for job in night.jobs)
    jobs = [
        JobOutcome(job=first, status="done", attempts=(attempt(1, exit_code=0),)),
        JobOutcome(
            job=second, status="infra_failed", attempts=(attempt(1, code="device-lost"), attempt(2, code="device-lost")),
            code="device-lost", text="The device stopped answering.",
        ),
    ]  # fmt: skip
    told = Finding(kind="told", about="small", text="A checkpoint is left out.")
    fallen = Finding(kind="regressed", about=first, text="nano-teacher nano_words fell.")
    show_outcome(Output(), night, outcome(night, 1, *jobs, findings=(told, fallen)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("INFRA FAILED")
    assert "2 min 10 s" in lines[2]
    assert lines[3].startswith("done")
    assert lines[4] == "REGRESSED nano-teacher nano_words fell."
    assert lines[5] == "A checkpoint is left out."
    assert lines[6] == f"{second}: The device stopped answering."
    assert lines[-1].endswith("REGRESSED, or the platform moved (exit code 1); 1 of 2 jobs done in 7 min 00 s.")


def test_the_markdown_of_a_night_holds_every_word_as_text(tmp_path):
    night = compiled(tmp_path, TWO)
    hostile = Finding(kind="platform", about="x", text="<script>alert(1)</script> | **bold**")
    failed = JobOutcome(job=night.jobs[0].id, status="failed", code="unknown-model", text="There is no `model` [x](y).")
    shown = outcome_markdown(night, outcome(night, 1, failed, findings=(hostile,)))
    assert shown.startswith("## REGRESSED, or the platform moved")
    assert "<script>" not in shown
    assert "\\*\\*bold" in shown
    assert "[x](y)" not in shown


def test_the_units_of_systemd_start_and_stop_a_night_as_the_page_says():
    import configparser

    service, timer = configparser.ConfigParser(interpolation=None), configparser.ConfigParser(interpolation=None)
    for unit in (service, timer):
        unit.optionxform = str  # type: ignore[assignment,method-assign]
    service.read(ROOT / "examples/nightly.service")
    timer.read(ROOT / "examples/nightly.timer")
    run = service["Service"]
    assert run["ExecStart"].split()[1:4] == ["nightly", "--plan", "nightly.yaml"]
    assert "1" not in run["SuccessExitStatus"].split()
    assert run["Restart"] == "on-abnormal"
    assert timer["Timer"]["Persistent"] == "true"
