from datetime import timedelta

import pytest
from support.night_plans import NOW, PLAN, compiled, write_plan
from support.paths import ROOT

from harness.fleet.folders import NightFolder, nights_folder
from harness.fleet.plan.cost import cost_of
from harness.fleet.plan.detectable import block_noise, detectable
from harness.fleet.plan.loading import load_plan
from harness.gates.loading import load_policy
from harness.gates.power.foresight import power_of
from harness.records.night import Attempt, CanaryBlocks, JobOutcome, NightOutcome

BASELINES = f"baselines: {ROOT}/reports/published/reference/baselines.yaml\n"
SPEED = "workloads: [batch1]\ncanary: {model: nano-teacher, blocks: 2}\n"


def ended(results, night, seconds, canary=()):
    """The night on disk as it is after its end: every job took so long."""
    folder = NightFolder(nights_folder(results) / night.id)
    folder.path.mkdir(parents=True)
    folder.night.write_text(night.model_dump_json())

    def outcome(job):
        attempt = Attempt(number=1, started_at=NOW, ended_at=NOW, seconds=seconds, host="h", exit_code=0)
        return JobOutcome(job=job.id, status="done", attempts=(attempt,))

    end = NightOutcome(
        id=night.id, plan=night.plan, plan_digest=night.plan_digest, started_at=NOW, ended_at=NOW + timedelta(hours=1),
        exit_code=0, jobs=tuple(map(outcome, night.jobs)), canary=tuple(canary),
    )  # fmt: skip
    folder.outcome.write_text(end.model_dump_json())


def test_a_job_takes_what_it_took_in_earlier_nights(tmp_path):
    results = tmp_path / "results"
    for seconds in (100, 120, 500):
        ended(results, compiled(tmp_path, PLAN + SPEED, results), seconds)
    night = compiled(tmp_path, PLAN + SPEED, results)
    costs = cost_of(night, results)
    assert [cost.minutes for cost in costs] == [2.0, 2.0]
    assert {cost.basis for cost in costs} == {"3 earlier nights"}
    assert [job.minutes for job in night.jobs] == [2.0, 2.0]


def test_another_limit_or_another_machine_is_another_job(tmp_path):
    results = tmp_path / "results"
    ended(results, compiled(tmp_path, PLAN, results), 100)
    other = compiled(tmp_path, PLAN.replace("[nano]", "[{suite: nano, limit: 7}]"), results)
    assert other.jobs[0].id == "eval-nano-teacher-nano-hf-cpu"
    assert other.jobs[0].minutes is None
    assert compiled(tmp_path, PLAN + "accelerators: [l4]\n", results).jobs[0].minutes is None


def test_a_night_that_cannot_be_read_tells_nothing_and_breaks_nothing(tmp_path):
    results = tmp_path / "results"
    ended(results, compiled(tmp_path, PLAN, results), 100)
    broken = nights_folder(results) / "0"
    broken.mkdir()
    (broken / "outcome.json").write_text("{")
    assert compiled(tmp_path, PLAN, results).jobs[0].minutes == pytest.approx(100 / 60)


def test_where_nothing_tells_the_roofline_is_a_least_time_and_gpu_hours_count(tmp_path):
    (tmp_path / "own.yaml").write_text("name: own\nfolders: [harness/tasks/nano]\ntasks: [{task: nano_words}]\n")
    night = compiled(tmp_path, PLAN.replace("[nano]", "[own.yaml]") + "accelerators: [cpu, l4]\n")
    on_cpu, on_gpu = cost_of(night, tmp_path / "results")
    assert on_cpu.minutes is None
    assert "unknown" in on_cpu.basis
    assert on_cpu.gpu_hours == 0
    assert on_gpu.bound == "at least"
    assert on_gpu.minutes is not None
    assert on_gpu.gpu_hours == pytest.approx(on_gpu.minutes / 60)


def test_a_speed_job_takes_at_least_what_its_workload_asks_for_in_every_process(tmp_path):
    text = PLAN.replace("suites: [nano]\n", "workloads: [batch1]\ncanary: {model: nano-teacher, blocks: 2}\n")
    (cost,) = cost_of(compiled(tmp_path, text), tmp_path / "results")
    assert (cost.minutes, cost.bound) == (8 * 10 / 60, "at least")


def test_what_the_gate_could_detect_is_what_its_test_finds_at_the_alpha_of_the_whole_plan(tmp_path):
    file = load_plan(write_plan(tmp_path, PLAN + BASELINES))
    rows = {row.what: row for row in detectable(file, compiled(tmp_path, PLAN + BASELINES))}
    policy = load_policy("nightly").policy
    asked = 6  # of the nano suite, all of which the policy asks about
    words = rows["nano_words"]
    assert words.documents == 320
    assert words.least is not None
    assert power_of(320, 0.04, words.least, policy.alpha.accuracy / asked) >= policy.power
    assert power_of(320, 0.04, words.least - 0.002, policy.alpha.accuracy / asked) < policy.power
    assert rows["nano_prose"].least is None
    both = PLAN.replace("[nano-teacher]", "[nano-teacher, nano-width]") + BASELINES
    stricter = {row.what: row for row in detectable(file, compiled(tmp_path, both))}["nano_words"]
    assert stricter.least is not None
    assert stricter.least > words.least


def test_without_baselines_nothing_could_be_detected_and_each_row_says_so(tmp_path):
    rows = detectable(load_plan(write_plan(tmp_path)), compiled(tmp_path))
    assert {row.least for row in rows} == {None}
    assert all("held against a baseline" in row.told for row in rows)


def blocks(candidate, canary):
    return CanaryBlocks(
        job="bench", model="nano-teacher", workload="batch1", point="128x128.b1", metric="output_rate", backend="hf",
        device="cpu", gpu_uuid=None, host="h", candidate=candidate, canary=canary, canary_model="nano-teacher",
        canary_pin="p",
    )  # fmt: skip


def test_a_slow_down_can_be_detected_as_far_as_blocks_of_earlier_nights_agree(tmp_path):
    text, results = PLAN.replace("suites: [nano]\n", SPEED), tmp_path / "results"
    file = load_plan(write_plan(tmp_path, text))
    (before,) = detectable(file, compiled(tmp_path, text, results), results)
    assert before.least is None
    night = compiled(tmp_path, text, results)
    ended(results, night, 60, [blocks((100.0, 104.0), (100.0, 100.0))])
    (noisy,) = detectable(file, compiled(tmp_path, text, results), results)
    assert noisy.documents == 2
    assert noisy.least is not None
    assert 0.05 < noisy.least < 0.2
    quiet = [blocks((100.0, 100.01), (100.0, 100.0))]
    assert block_noise(quiet) < 1e-4


def test_the_noise_of_blocks_is_pooled_inside_nights_and_not_between_them():
    between = [blocks((100.0, 100.0), (100.0, 100.0)), blocks((200.0, 200.0), (100.0, 100.0))]
    assert block_noise(between) == 0
    assert block_noise([blocks((1.0,), (1.0,))]) is None
