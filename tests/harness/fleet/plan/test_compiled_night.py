import pytest
from support.night_plans import PLAN, checkpoint, compiled, write_plan
from support.paths import ROOT

from harness.fleet.plan.compile import compile_night
from harness.fleet.plan.loading import load_plan
from harness.records.night import Night
from minizoo.cli import minizoo
from zoo.errors import InvalidNightPlan

BASELINES = f"baselines: {ROOT}/reports/published/reference/baselines.yaml\n"
SPEED = "workloads: [{workload: batch1, trials: 3, seconds: 0}]\n"


def ids(night):
    return [job.id for job in night.jobs]


def test_every_model_on_every_suite_by_every_backend_on_every_accelerator_accuracy_first(tmp_path):
    night = compiled(
        tmp_path,
        PLAN.replace("[nano-teacher]", "[nano-teacher, nano-width]")
        + "backends: [hf, pruned]\naccelerators: [cpu, h100-sxm]\nworkloads: [batch1]\n",
    )
    assert len(night.jobs) == 16
    assert [job.kind for job in night.jobs] == ["eval"] * 8 + ["bench"] * 8
    assert ids(night)[:2] == ["eval-nano-teacher-nano-hf-cpu", "eval-nano-teacher-nano-hf-h100-sxm"]
    on_gpu = night.jobs[1]
    assert on_gpu.accelerator == "h100-sxm"
    assert on_gpu.steps[0].words[on_gpu.steps[0].words.index("--device") + 1] == "cuda"


def test_the_same_plan_compiles_to_the_same_jobs(tmp_path):
    text = PLAN + SPEED + "canary: {model: nano-teacher}\n"
    first, second = compiled(tmp_path, text), compiled(tmp_path, text)
    assert first.jobs == second.jobs
    assert first.plan_digest == second.plan_digest
    assert first.id != second.id
    assert Night.model_validate_json(first.model_dump_json()) == first


def test_a_speed_job_is_blocks_of_candidate_canary_canary_candidate(tmp_path):
    text = PLAN + SPEED + "canary: {model: nano-width, backend: pruned, blocks: 2, python: pinned/bin/python}\n"
    (job,) = [job for job in compiled(tmp_path, text).jobs if job.kind == "bench"]
    assert [(step.block, step.role) for step in job.steps] == [
        (block, role) for block in (0, 1) for role in ("candidate", "canary", "canary", "candidate")
    ]
    own, pinned = job.steps[0], job.steps[1]
    assert own.python is None
    assert pinned.python == str(tmp_path / "pinned/bin/python")
    assert pinned.words[:3] == ("bench", "--model", "nano-width")
    assert "pruned" in pinned.words
    assert "--trials 3 --seconds 0" in " ".join(own.words)


def test_without_a_canary_a_speed_is_measured_once_and_told_to_be_advisory(tmp_path):
    night = compiled(tmp_path, PLAN + SPEED)
    assert len(night.jobs[-1].steps) == 1
    assert any("advisory" in one.text for one in night.told)


def test_a_model_s_own_lists_take_the_place_of_the_plan_s(tmp_path):
    text = PLAN.replace("[nano-teacher]", "[nano-teacher, {model: nano-width, workloads: [], suites: [smoke]}]") + SPEED
    assert ids(compiled(tmp_path, text)) == [
        "eval-nano-teacher-nano-hf-cpu", "eval-nano-width-smoke-hf-cpu", "bench-nano-teacher-batch1-hf-cpu"
    ]  # fmt: skip


def test_a_model_is_held_against_the_baseline_of_its_own_name_and_kind(tmp_path):
    text = PLAN + BASELINES + "backends: [hf, pruned]\n"
    night = compiled(tmp_path, text)
    assert [job.baseline for job in night.jobs] == ["nano-teacher", None]
    assert any("by pruned on cpu is held against no baseline" in one.text for one in night.told)


def test_a_named_baseline_is_taken_for_its_suite_whatever_the_backend(tmp_path):
    text = PLAN.replace("[nano-teacher]", "[{model: nano-width, baseline: nano-teacher}]") + BASELINES
    night = compiled(tmp_path, text + "backends: [hf, pruned]\n")
    assert [job.baseline for job in night.jobs] == ["nano-teacher", "nano-teacher"]


def test_a_plan_without_baselines_says_that_its_gate_compares_nothing(tmp_path):
    assert any("names no baselines" in one.text for one in compiled(tmp_path).told)


def test_the_same_job_twice_is_refused_with_both_lines(tmp_path):
    with pytest.raises(InvalidNightPlan, match=r"nightly\.yaml:3:24.*a second time, first at .*nightly\.yaml:3:10"):
        compiled(tmp_path, PLAN.replace("[nano-teacher]", "[nano-teacher, {model: nano-teacher}]"))


def test_one_suite_with_two_limits_makes_two_jobs(tmp_path):
    night = compiled(tmp_path, PLAN.replace("[nano]", "[nano, {suite: nano, limit: 20}]"))
    assert len(set(ids(night))) == 2
    assert [job.steps[0].words[-4:-2] for job in night.jobs][1] == ("--limit", "20")


def test_paths_count_from_the_plan_s_folder_wherever_it_is_called(tmp_path, monkeypatch):
    (tmp_path / "plans").mkdir()
    checkpoint(tmp_path / "models" / "mine")
    (tmp_path / "plans" / "own.yaml").write_text(
        "name: own\nfolders: [harness/tasks/nano]\ntasks: [{task: nano_words}]\n"
    )
    text = PLAN.replace("[nano-teacher]", "[{model: ../models/mine, name: my-model, parent: nano-teacher}]")
    path = write_plan(tmp_path / "plans", text.replace("[nano]", "[own.yaml]"))
    monkeypatch.chdir(tmp_path)
    night = compile_night(load_plan(path), tmp_path / "results", compiled(tmp_path).started_at)
    (job,) = night.jobs
    words = " ".join(job.steps[0].words)
    assert f"--model {tmp_path}/models/mine --name my-model --parent nano-teacher" in words
    assert f"--suite {tmp_path}/plans/own.yaml" in words
    assert (job.id, job.suite, job.name) == ("eval-my-model-own-hf-cpu", "own", "my-model")


def test_a_folder_with_a_hostile_name_has_a_safe_id_and_its_own_path(tmp_path):
    folder = checkpoint(tmp_path / "a b; $(touch x) -- ü")
    night = compiled(tmp_path, PLAN.replace("[nano-teacher]", f"['./{folder.name}']"))
    assert night.jobs[0].steps[0].words[2] == str(folder)
    assert night.jobs[0].id.startswith("eval-a-b-touch-x-u-nano-hf-cpu-")


def test_every_command_of_a_night_is_one_that_the_command_line_knows(tmp_path):
    import click

    text = PLAN + SPEED + "canary: {model: nano-width, backend: pruned}\nseed: 3\n"
    text = text.replace("[nano]", "[{suite: nano, limit: 20}]") + "backends: [{backend: hf, dtype: float32}]\n"
    for step in (step for job in compiled(tmp_path, text).jobs for step in job.steps):
        command = minizoo.get_command(click.Context(minizoo), step.words[0])
        assert command is not None
        command.make_context(step.words[0], list(step.words[1:]))


def test_the_example_compiles_to_jobs_held_against_the_baselines_of_the_checkout(tmp_path):
    night = compile_night(load_plan(ROOT / "examples/nightly-nano.yaml"), tmp_path, compiled(tmp_path).started_at)
    assert {job.baseline for job in night.jobs if job.kind == "eval"} == {"nano-teacher", "nano-width"}
    assert night.told == ()
